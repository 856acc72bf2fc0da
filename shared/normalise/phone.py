"""Phone numbers."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

import phonenumbers

_COUNTRY = re.compile(r"^[A-Z]{2}$")
# 070, 080, 090 and, from 2026, 060; 0800 is toll-free. Said here so that no older list of number ranges decides it.
_JAPANESE_MOBILE = re.compile(r"^\+81[6-9]0[1-9]\d{7}$")


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
    if isinstance(value, int) and not 0 < value < 10**15:  # E.164 has fifteen digits at most
        return None
    text = str(value)
    return _number_of(text, country or "JP") if 5 < len(text) < 40 else None


@lru_cache(maxsize=8192)
def is_mobile(number: str) -> bool:
    """Whether a number (E.164) is a mobile's, and so one person's.

    The others belong to a firm (代表番号, 050, 0120): they never identify. So does a number of a plan that does not tell mobiles
    from fixed lines apart, as in North America.
    """
    if number.startswith("+81"):
        return _JAPANESE_MOBILE.match(number) is not None
    try:
        return bool(phonenumbers.number_type(phonenumbers.parse(number)) == phonenumbers.PhoneNumberType.MOBILE)
    except phonenumbers.NumberParseException:
        return False
