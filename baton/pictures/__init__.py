"""The pictures of docs/scoring.md: their numbers come from the engine, their words from `words.py`."""
