"""What operators may ask of ingest and order it to do, below /admin."""
