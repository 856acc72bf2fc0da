"""Countries and languages."""

from __future__ import annotations

import re
from typing import Any

from shared.normalise.text import clean

_COUNTRIES = {
    "日本": "JP",
    "日本国": "JP",
    "japan": "JP",
    "jpn": "JP",
    "united states": "US",
    "usa": "US",
    "アメリカ": "US",
    "米国": "US",
    "united kingdom": "GB",
    "uk": "GB",
    "英国": "GB",
    "germany": "DE",
    "deutschland": "DE",
    "ドイツ": "DE",
    "france": "FR",
    "フランス": "FR",
    "china": "CN",
    "中国": "CN",
    "taiwan": "TW",
    "台湾": "TW",
    "korea": "KR",
    "south korea": "KR",
    "韓国": "KR",
    "singapore": "SG",
    "シンガポール": "SG",
    "thailand": "TH",
    "タイ": "TH",
    "vietnam": "VN",
    "ベトナム": "VN",
    "india": "IN",
    "インド": "IN",
    "brazil": "BR",
    "brasil": "BR",
    "ブラジル": "BR",
    "australia": "AU",
    "オーストラリア": "AU",
}
_CODE = re.compile(r"^[A-Za-z]{2}$")
_LANGUAGE = re.compile(r"^([A-Za-z]{2,3})(?:[-_].*)?$")


def country(value: Any) -> str | None:
    """ISO 3166-1 alpha-2 of a code or a usual name; None for others."""
    text = clean(value, 60)
    if not text:
        return None
    return _COUNTRIES.get(text.casefold()) or (text.upper() if _CODE.match(text) else None)


def language(value: Any) -> str | None:
    """Primary subtag of a locale: `ja` of `ja-JP`."""
    found = _LANGUAGE.match(value) if isinstance(value, str) and len(value) <= 35 else None
    return found[1].lower() if found else None
