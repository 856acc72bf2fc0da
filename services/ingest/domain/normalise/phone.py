"""Phone numbers."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import phonenumbers


@lru_cache(maxsize=8192)
def _number_of(text: str, country: str) -> str | None:
    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text), country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def number(value: Any, country: str | None = None) -> str | None:
    """E.164 of a number as written; `country` (default JP) says whose numbers have no country code. None for what is none.

    A number of a spreadsheet that lost its leading zero (9012345678) is read as Japanese.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return _number_of(text, country or "JP") if 5 < len(text) < 40 else None
