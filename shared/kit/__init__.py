"""Plumbing that the services share, without a domain word: topics in and out, Postgres, HTTP frame, clock, logs, metrics."""
