"""Text as senders write it."""

from __future__ import annotations

import unicodedata
from typing import Any

MOST = 200  # characters of a fact that travel


def clean(value: Any, most: int = MOST) -> str | None:
    """NFKC text without surrounding or doubled blanks, `most` characters at most; None where nothing is said."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value if isinstance(value, str) else str(value)
    if not (text.isascii() and "\n" not in text and "  " not in text):
        text = " ".join(unicodedata.normalize("NFKC", text).split())
    return text.strip()[:most] or None
