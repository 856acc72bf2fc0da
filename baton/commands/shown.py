"""In which language and time zone a command shows what it found."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from baton.errors import OperatorError

LANGUAGES = ("en", "ja")
ZONES = {"northstar": "Asia/Tokyo", "hinode": "Asia/Tokyo", "olist": "America/Sao_Paulo"}


def check_language(lang: str) -> None:
    """Raises OperatorError where there are no words of it."""
    if lang not in LANGUAGES:
        raise OperatorError(f"there is no language {lang!r}: --lang is {' or '.join(LANGUAGES)}")


def zone_of(tenant: str, asked: str | None) -> str:
    """The zone that was asked for, else the tenant's. Raises OperatorError where there is none of that name."""
    zone = asked or ZONES.get(tenant, "UTC")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise OperatorError(f"there is no time zone {zone!r}: --zone is a name such as Asia/Tokyo or UTC") from None
    return zone
