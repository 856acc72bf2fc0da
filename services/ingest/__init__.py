"""Reads tracking calls over HTTP; writes `touchpoints`, `identity-links`, `identity-conflicts` and `ingest-rejected`."""
