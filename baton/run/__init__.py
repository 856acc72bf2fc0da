"""`baton up`: the servers, the four services, and what the terminal shows of them, in one foreground process."""
