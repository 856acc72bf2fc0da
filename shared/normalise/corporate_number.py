"""法人番号: the number that the Japanese tax agency gives every legal entity."""

from __future__ import annotations

import unicodedata
from typing import Any

_DIGITS = 13
_PARTS = str.maketrans("", "", " -‐‑–—−ー")


def corporate_number(value: Any) -> str | None:
    """Its 13 digits; None for what is none, wrong check digit included: a mistyped number would name another firm.

    A registration number for invoices (T and 13 digits) is not taken for one: sole traders have those too.
    """
    if isinstance(value, float) and value.is_integer() and 0 < value < 10**_DIGITS:
        value = int(value)  # of a spreadsheet
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value) if isinstance(value, int) and 0 < value < 10**_DIGITS else value
    if not isinstance(text, str) or not _DIGITS <= len(text) <= 40:
        return None
    digits = unicodedata.normalize("NFKC", text).translate(_PARTS).strip()
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    return digits if int(digits[0]) == check_digit(digits[1:]) else None


def check_digit(twelve: str) -> int:
    """9 − (Σ Pn·Qn mod 9), the Q being 1, 2, 1, 2, … from the right (法人番号の指定等に関する省令, 2)."""
    weighted = sum(int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(twelve)))
    return 9 - weighted % 9
