"""Scoring: reads `touchpoints`, `score-transfers` and `policies`; writes `lead-scored`, `score-transfers`; states in Redis."""
