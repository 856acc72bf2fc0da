"""Reads `lead-routed` and what reps say; writes opportunities, offers and SLA clocks (Postgres `handoff`) and `handoff-events`."""
