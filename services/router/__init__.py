"""The router: reads `lead-scored` and `handoff-events`, decides who takes each lead and why, writes `lead-routed`."""
