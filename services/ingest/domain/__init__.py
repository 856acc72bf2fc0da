"""What ingest decides: pure, without clock or I/O."""
