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


_PREFECTURES_TEXT = """
01 北海道 hokkaido|02 青森県 aomori|03 岩手県 iwate|04 宮城県 miyagi|05 秋田県 akita|06 山形県 yamagata|07 福島県 fukushima
08 茨城県 ibaraki|09 栃木県 tochigi|10 群馬県 gunma|11 埼玉県 saitama|12 千葉県 chiba|13 東京都 tokyo|14 神奈川県 kanagawa
15 新潟県 niigata|16 富山県 toyama|17 石川県 ishikawa|18 福井県 fukui|19 山梨県 yamanashi|20 長野県 nagano|21 岐阜県 gifu
22 静岡県 shizuoka|23 愛知県 aichi|24 三重県 mie|25 滋賀県 shiga|26 京都府 kyoto|27 大阪府 osaka|28 兵庫県 hyogo
29 奈良県 nara|30 和歌山県 wakayama|31 鳥取県 tottori|32 島根県 shimane|33 岡山県 okayama|34 広島県 hiroshima
35 山口県 yamaguchi|36 徳島県 tokushima|37 香川県 kagawa|38 愛媛県 ehime|39 高知県 kochi|40 福岡県 fukuoka|41 佐賀県 saga
42 長崎県 nagasaki|43 熊本県 kumamoto|44 大分県 oita|45 宮崎県 miyazaki|46 鹿児島県 kagoshima|47 沖縄県 okinawa
"""
_ROWS = [entry.split() for line in _PREFECTURES_TEXT.split("\n") for entry in line.split("|") if entry]
PREFECTURES = {f"JP-{number}": name for number, name, _ in _ROWS}  # ISO 3166-2:JP -> name
_PREFECTURE_OF: dict[str, str] = {}
for _number, _name, _roman in _ROWS:
    _short = _name if _name == "北海道" else _name[:-1]
    for _spelling in (_number, f"jp-{_number}", _name, _short, _roman):
        _PREFECTURE_OF[_spelling] = f"JP-{_number}"
SHORT_PREFECTURES = tuple(name if name == "北海道" else name[:-1] for name in PREFECTURES.values())
_PREFECTURE_SUFFIX = re.compile(r"[- ]?(?:to|fu|ken|prefecture|pref\.?|metropolis)$")
_MARKED = str.maketrans("āīūēōôû", "aiueoou")


def prefecture(value: Any) -> str | None:
    """ISO 3166-2 of a Japanese prefecture (JP-13), as it is written in either language; None for anything else."""
    text = clean(value, 60)
    if not text:
        return None
    folded = text.casefold().translate(_MARKED).replace(" 都", "都")
    return _PREFECTURE_OF.get(folded) or _PREFECTURE_OF.get(_PREFECTURE_SUFFIX.sub("", folded).removesuffix(","))


def area(value: Any) -> str | None:
    """A prefecture by its code, any other state or province folded: what two spellings of one place have in common."""
    text = clean(value, 60)
    return prefecture(text) or (text.casefold() if text else None)
