"""What people do about a lead: activities of every sales type, the result of a call by one tap, and tasks that are due."""
