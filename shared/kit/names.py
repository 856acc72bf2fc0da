"""Files of NAME=value lines, as `.baton/env` and `.baton/secrets` are."""

from __future__ import annotations


def parse(text: str) -> dict[str, str]:
    """Its names; values as they stand, without quotes being taken off. Lines that begin with # say nothing."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#") and "=" in line)
    return {name: value for name, _, value in pairs}
