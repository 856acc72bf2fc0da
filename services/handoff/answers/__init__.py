"""What reps learn of a lead, by the questions of the qualification policy: kept here, and told to scoring, and so to the router."""
