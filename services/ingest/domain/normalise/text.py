"""Text as senders write it."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

MOST = 200  # characters of a fact that travel


def clean(value: Any, most: int = MOST) -> str | None:
    """NFKC text without surrounding or doubled blanks, `most` characters at most; None where nothing is said."""
    if value is None:
        return None
    if isinstance(value, str):
        return _clean(value, most) if len(value) <= MOST else _clean.__wrapped__(value, most)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return str(value)[:most]


@lru_cache(maxsize=16_384)  # names of events, pages, campaigns and companies come again and again
def _clean(text: str, most: int) -> str | None:
    return " ".join(unicodedata.normalize("NFKC", text).split())[:most].strip() or None
