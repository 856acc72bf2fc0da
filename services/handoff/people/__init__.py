"""People of the customer's in a deal: who has which part and stance, who reports to whom, what is missing, and the approval."""
