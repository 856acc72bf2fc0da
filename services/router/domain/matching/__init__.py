"""Which account a lead belongs to: keys by which accounts are found, a ladder of steps, tie-breakers, and what was decided."""
