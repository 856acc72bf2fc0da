"""Companies: names, sizes, industries (vocabulary, sections 3 and 4)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

from shared.normalise.place import SHORT_PREFECTURES
from shared.normalise.text import MOST, clean
from shared.normalise.variants import fold

_BANDS = ((5000, "s7"), (1000, "s6"), (300, "s5"), (100, "s4"), (30, "s3"), (10, "s2"), (1, "s1"))
_NUMBER = re.compile(r"(\d[\d,]*(?:\.\d+)?)\s*(万|千|k\b)?", re.IGNORECASE)
_UNITS = {"万": 10_000, "千": 1_000, "k": 1_000}
_BELOW = re.compile(r"未満|\bless than\b|\bunder\b|\bbelow\b|^\s*<(?!=)", re.IGNORECASE)
_MOST_PEOPLE = 10_000_000
_ADDRESSED = re.compile(r"(?<=\S)\s*(?:御中|各位)$")

_SHORT_FORMS = {
    "株": "株式会社",
    "有": "有限会社",
    "同": "合同会社",
    "資": "合資会社",
    "名": "合名会社",
    "一社": "一般社団法人",
    "一財": "一般財団法人",
    "公社": "公益社団法人",
    "公財": "公益財団法人",
    "特非": "特定非営利活動法人",
    "独": "独立行政法人",
    "学": "学校法人",
    "医": "医療法人",
    "福": "社会福祉法人",
    "宗": "宗教法人",
}
# 株 and 有 wherever they stand, as in 日の出(株)東京支店; the others mean a legal form only at an end.
_SHORT_FORM = re.compile(rf"(?:(?<=^)|(?=\((?:株|有)\))|(?=\([^()]*\)$))\(({'|'.join(_SHORT_FORMS)})\)")
_COMPANY = "株式会社|有限会社|合同会社|合資会社|合名会社|相互会社"
_BESIDE = re.compile(rf"^({_COMPANY})\s+(?=\S)|(?<=\S)\s+({_COMPANY})$")
_BODY = (
    "(?:社団|財団|学校|医療|社会福祉|宗教|独立行政|国立大学|公立大学|国立研究開発|特定非営利活動|npo"
    "|税理士|弁護士|司法書士|監査)法人"
)
_ANY_FORM = re.compile(
    rf"(?:{_COMPANY}|(?:一般|公益|特例|地方)?{_BODY}(?:社団|財団)?|\((?:{'|'.join(_SHORT_FORMS)})\))"
)
_WESTERN = (
    r"inc(?:orporated)?|corp(?:oration)?|co|company|ltd|limited|llc|llp|lp|plc|gmbh|ag|kg|kgaa|se|s\.?a\.?|s\.?a\.?s|s\.?a\.?r\.?l"
    r"|s\.?r\.?l|s\.?p\.?a|b\.?v|n\.?v|ab|as|a/s|oy|oyj|aps|pty|pte|sdn|bhd|k\.?k|g\.?k|kabushiki kaisha|godo kaisha"
)
_WESTERN_FORM = re.compile(rf"(?<=\S)(?:\s*,\s*|\s+|(?<=\.))(?:{_WESTERN})\.?,?$")
_OF_FORMS = str.maketrans("會學醫團獨險", "会学医団独険")  # 株式會社: old forms of characters in legal forms
_MARKS = re.compile(r"[\W_]+")
_FORMS = sorted({*_COMPANY.split("|"), *_SHORT_FORMS.values()}, key=len, reverse=True)
_FORM_SPELT = re.compile("|".join(_FORMS))

# What a firm's place of work ends in. Longer words first: 事業本部 before 本部.
_SITE = (
    "支店|支社|支所|支部|営業所|事業所|出張所|事務所|製造所|工場|本社|本店|本部|研究所|研究センター|物流センター|配送センター"
    "|サービスセンター|テクニカルセンター|ショールーム|事業部|営業部|営業本部|総務部|開発部|技術部|購買部|管理部|人事部|経理部|部|課|室|オフィス|サテライト"
)
_CITIES = (
    "札幌|仙台|横浜|川崎|名古屋|神戸|北九州|堺|浜松|さいたま|新大阪|新横浜|東日本|西日本|中部|関西|関東|東北|九州|北陸|四国|中国|首都圏"
    "|東海|丸の内|新宿|渋谷|品川|池袋|上野|立川|八王子|厚木|宇都宮|高崎|前橋|水戸|郡山|盛岡|金沢|松本|岡崎|豊田|四日市|姫路|倉敷|福山|松山|高松|久留米|那覇"
)
_PLACE = f"(?:{'|'.join((*SHORT_PREFECTURES, *_CITIES.split('|')))})(?:都|府|県|市)?"
_NTH = r"(?:第?[一二三四五六七八九十\d]+|中央|東|西|南|北)?"
_SITE_APART = re.compile(rf"^(?P<firm>.*\S)[\s・/,、\-(]+(?P<site>[^\s]*(?:{_SITE}))\)?$")
_SITE_AFTER_FORM = re.compile(rf"^(?P<firm>.+(?:{_COMPANY}))(?P<site>\S*(?:{_SITE}))$")
_SITE_BY_PLACE = re.compile(rf"^(?P<firm>.{{2,}}?)(?P<site>{_PLACE}{_NTH}(?:{_SITE}))$")
_SITE_WESTERN = re.compile(
    r"^(?P<firm>.+?)(?:\s*[,/(]\s*|\s+-\s+)(?P<site>(?:[\w.'-]+\s+){0,3}(?:branch|office|plant|factory|site|works|hq|headquarters))\)?$",
    re.IGNORECASE,
)

_SITE_WESTERN_FORM = re.compile(
    rf"^(?P<firm>.+[\s.,](?:{_WESTERN})\.?)\s+(?P<site>(?:[\w.'-]+\s+){{0,3}}(?:branch|office|plant|factory|site|works))$",
    re.IGNORECASE,
)

_INDUSTRIES = {
    "A": ("農業,林業", "農業", "林業", "農林業", "agriculture", "forestry"),
    "B": ("漁業", "水産業", "fisheries", "fishing"),
    "C": ("鉱業,採石業,砂利採取業", "鉱業", "mining"),
    "D": ("建設業", "建設", "建築", "土木", "construction"),
    "E": ("製造業", "製造", "メーカー", "manufacturing", "manufacturer"),
    "F": ("電気・ガス・熱供給・水道業", "電気・ガス", "電力", "ガス", "エネルギー", "utilities", "energy"),
    "G": (
        "情報通信業",
        "情報通信",
        "it",
        "通信",
        "ソフトウェア",
        "software",
        "information technology",
        "telecommunications",
    ),
    "H": ("運輸業,郵便業", "運輸業", "運輸", "物流", "郵便業", "transportation", "logistics"),
    "I": ("卸売業,小売業", "卸売業", "小売業", "卸売", "小売", "商社", "wholesale", "retail"),
    "J": ("金融業,保険業", "金融業", "保険業", "金融", "保険", "銀行", "証券", "finance", "insurance", "banking"),
    "K": ("不動産業,物品賃貸業", "不動産業", "不動産", "物品賃貸業", "real estate"),
    "L": (
        "学術研究,専門・技術サービス業",
        "専門サービス",
        "コンサルティング",
        "広告",
        "consulting",
        "professional services",
    ),
    "M": ("宿泊業,飲食サービス業", "宿泊業", "飲食業", "飲食", "ホテル", "hospitality", "restaurants"),
    "N": ("生活関連サービス業,娯楽業", "生活関連サービス業", "娯楽業", "entertainment", "leisure"),
    "O": ("教育,学習支援業", "教育", "学習支援業", "学校", "大学", "education"),
    "P": ("医療,福祉", "医療", "福祉", "病院", "healthcare", "medical"),
    "Q": ("複合サービス事業", "協同組合"),
    "R": ("サービス業(他に分類されないもの)", "サービス業", "services"),
    "S": ("公務", "官公庁", "自治体", "government", "public sector"),
    "T": ("分類不能",),
}
_SECTION = {name: f"jsic:{section}" for section, names in _INDUSTRIES.items() for name in names}
_JSIC = re.compile(r"^(?:jsic:)?([A-T])$", re.IGNORECASE)


def size_band(employees: int) -> str:
    """s1 … s7 by the number of people; s0 where it is none."""
    return next((band for least, band in _BANDS if employees >= least), "s0")


def employees(value: Any) -> int | None:
    """How many people work there, from `1200`, `1,000名`, `1.2万人`, `300+`, `300-999` (its lower end); None where not said."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return int(value) if 1 <= value <= _MOST_PEOPLE else None
    return _employees_of(value[:100]) if isinstance(value, str) else None


@lru_cache(maxsize=8192)
def _employees_of(text: str) -> int | None:
    read = unicodedata.normalize("NFKC", text)
    found = _NUMBER.search(read)
    if not found:
        return None
    count = int(float(found[1].replace(",", "")) * _UNITS.get((found[2] or "").lower(), 1))
    if _BELOW.search(read):
        count -= 1
    return count if 0 < count <= _MOST_PEOPLE else None


def company_name(value: Any) -> str | None:
    """The name with its legal form, which is spelt out: ㈱日の出 is 株式会社日の出, where it stands, and no blank beside it.

    御中 and 各位 go from its end; old forms of characters stay.
    """
    text = clean(value)
    return _name_of(text) if text else None


@lru_cache(maxsize=8192)
def _name_of(text: str) -> str | None:
    text = _SHORT_FORM.sub(lambda found: _SHORT_FORMS[found[1]], _unaddressed(text))
    return _BESIDE.sub(lambda found: found[1] or found[2], text)[:MOST].strip() or None


def _unaddressed(text: str) -> str:
    while (bare := _ADDRESSED.sub("", text)) != text:
        text = bare
    return text


@lru_cache(maxsize=8192)
def company_match_key(name: str) -> str:
    """What two spellings of one firm's name have in common: without legal form, marks, blanks and variants of characters.

    For finding candidates, never a proof: 株式会社日の出 and 日の出有限会社 are two firms. Never empty unless the name is.
    """
    text = (company_name(name) or "").casefold().translate(_OF_FORMS)
    bare = _ANY_FORM.sub("", text)
    while (shorter := _WESTERN_FORM.sub("", bare).rstrip(" ,&+")) != bare:
        bare = shorter
    return _MARKS.sub("", fold(bare)) or _MARKS.sub("", fold(text)) or fold(text)


def legal_form(name: str) -> str | None:
    """株式会社, 有限会社, 医療法人 …: the Japanese legal form that a name has in front or behind. None where it has none, and for
    western ones: a 株式会社 calls itself Inc., Co., Ltd. and K.K. abroad."""
    found = _FORM_SPELT.search((company_name(name) or "").translate(_OF_FORMS))
    return found[0] if found else None


@lru_cache(maxsize=8192)
def split_site(name: str) -> tuple[str, str | None]:
    """A firm's name, and the branch, plant, office or department that stands behind it: 日の出工業株式会社大阪支店 is the firm
    日の出工業株式会社 and its 大阪支店. None where there is none.

    Behind a blank or the legal form any place is read; otherwise only known places, since nothing says where the firm's name ends.
    """
    text = (company_name(name) or "").translate(_OF_FORMS)
    for pattern in (_SITE_AFTER_FORM, _SITE_APART, _SITE_BY_PLACE, _SITE_WESTERN_FORM, _SITE_WESTERN):
        found = pattern.match(text)
        if found and company_match_key(found["firm"]) and not _FORM_SPELT.fullmatch(found["firm"].strip()):
            firm = found["firm"].strip(" ・/,、-(")
            deeper, outer = split_site(firm)
            return deeper, f"{outer} {found['site']}" if outer else found["site"]
    return text, None


def industry(value: Any) -> str | None:
    """`jsic:E` for a section's letter or one of its usual names; other text as it is written."""
    text = clean(value, 100)
    return _industry_of(text) if text else None


@lru_cache(maxsize=8192)
def _industry_of(text: str) -> str:
    letter = _JSIC.match(text)
    if letter:
        return f"jsic:{letter[1].upper()}"
    name = text.casefold().replace("、", ",").replace("・", "・")
    return _SECTION.get(name) or _SECTION.get(name.removesuffix("業")) or text
