"""Companies as we know them: what kinds and levels there are, and what they are called."""

from __future__ import annotations

from typing import Literal, get_args

from shared.schemas.vocabulary import Word

AccountKind = Literal["end_customer", "partner", "competitor", "supplier", "group", "press", "academic"]
AccountLevel = Literal["group", "legal_entity", "site"]
KINDS: tuple[AccountKind, ...] = get_args(AccountKind)
LEVELS: tuple[AccountLevel, ...] = get_args(AccountLevel)  # from above to below

KIND_WORDS: dict[str, Word] = {
    "end_customer": Word("end customer", "エンドユーザー"),
    "partner": Word("partner", "代理店"),
    "competitor": Word("competitor", "競合"),
    "supplier": Word("supplier", "仕入先"),
    "group": Word("company of our own group", "自社グループ会社"),
    "press": Word("press", "報道機関"),
    "academic": Word("academic", "学術機関"),
}
