"""What stands before everything: bounds, origins and rates of calls."""
