"""A job title's level (vocabulary, section 2)."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

# The order matters: the first that is found decides.
_LEVELS = tuple(
    (level, re.compile(pattern, re.IGNORECASE))
    for level, pattern in (
        ("student", r"学生|院生|\bstudent"),
        ("temp", r"派遣|アルバイト|パート社員|インターン|\bintern\b"),
        ("assistant", r"秘書|受付|役員付|社長付|secretary|executive assistant"),
        ("advisor", r"顧問|相談役|アドバイザー|\badvisor"),
        ("academic", r"教授|講師|研究員|professor|researcher"),
        (
            "executive",
            r"(?<!代表)執行役(?!員?社長)|(?<!代表)取締役(?!社長|会長)|常務|専務|監査役|副社長|副会長|副頭取|副理事長|(?<!代表)理事(?!長)"
            r"|\bC(?:FO|TO|IO|ISO|MO|OO|DO|HRO|PO|RO)\b|chief .*officer|(?:executive|senior) vice president|\b[ES]VP\b"
            r"|managing director",
        ),
        (
            "top",
            r"代表(?:取締役|執行役|理事|社員|者)|代表$|社長(?!室|秘書)|会長(?!室|秘書)|理事長|頭取|総裁|学長|院長|^オーナー|\bCEO\b"
            r"|(?<!vice )\bpresident|founder|chair(?:man|person)",
        ),
        (
            "deputy_head",
            r"副(?:本部|事業部|部|工場|支店|支社|所|室|局)長|(?:本部|事業部|部|支店|支社|工場)長(?:代理|補佐|付)|次長|担当部長|専門部長"
            r"|deputy (?:general manager|director|head)|assistant general manager",
        ),
        (
            "head",
            r"(?:本部|事業部|統括部|部門|部|事業所|工場|支店|支社|センター|カンパニー|局|署)長(?![野崎岡浜谷瀬井沢尾府])|所長|室長"
            r"|ゼネラルマネー?ジャー|general manager|\bGM\b|head of|vice president|\bVP\b|\bdirector\b",
        ),
        (
            "supervisor",
            r"副課長|課長(?:代理|補佐)|係長|主任|主査|職長|班長|チーフ|(?<!グループ)リーダー|assistant manager|supervisor|team lead"
            r"|\blead(?:er)?\b",
        ),
        (
            "expert",
            r"主幹|主席|参事|主事|フェロー|エキスパート|スペシャリスト|エバンジェリスト|アーキテクト|コンサルタント|ディレクター|プロデューサー"
            r"|プロダクトオーナー|(?:プロダクト|プロジェクト|アカウント|コミュニティ)マネー?ジャー|fellow|principal|architect|specialist"
            r"|(?:product|project|account|community) manager",
        ),
        (
            "manager",
            r"課長(?![野崎岡浜谷瀬井沢尾府])|グループ(?:長|リーダー)|チーム長|科長|店長|園長|校長|マネー?ジャー|\bmanager\b|\bGL\b|\bmgr\b",
        ),
        (
            "staff",
            r"担当|一般|社員|職員|スタッフ|エンジニア|営業|係$|staff|associate|engineer|representative|analyst|officer",
        ),
    )
)
_SEPARATORS = re.compile(r"[\s・,、/]+")


def as_read(text: str) -> str:
    """Text as the vocabulary's patterns read it: NFKC, every separator one blank."""
    return _SEPARATORS.sub(" ", unicodedata.normalize("NFKC", text)).strip()


# What these mean differs from firm to firm: a 室長 may head five people or a division, a VP may be one of hundreds.
_VARIES = frozenset({"室長", "vice president", "vp", "director"})


class Rank(NamedTuple):
    """A title's level, and how sure that is: `high` or `low`; None where no pattern is found and the level is `unknown`."""

    level: str
    confidence: str | None


@lru_cache(maxsize=8192)
def rank(title: str) -> Rank:
    """The level of a title as written, and the confidence in it."""
    text = as_read(title)
    for name, pattern in _LEVELS:
        if found := pattern.search(text):
            return Rank(name, "low" if found[0].lower() in _VARIES else "high")
    return Rank("unknown", None)


def level(title: str) -> str:
    """top, executive, head, …, staff; `unknown` where no pattern is found."""
    return rank(title).level
