"""What is remembered of a lead, how it is joined, and how a score is read from it. Pure: no clock, no I/O, no randomness."""
