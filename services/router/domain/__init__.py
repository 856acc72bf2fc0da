"""What the router decides, as pure functions of frozen values: no clock, no I/O, no randomness."""
