"""All that handoff knows of an opportunity, or of a lead, in the order in which it happened."""
