"""Why a lead comes to sales again after its cycle had ended, English and Japanese."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from services.router.domain.lead import Cause
from services.router.domain.playbook import Playbook
from shared.schemas.routing import Reason
from shared.schemas.vocabulary import Word

AGAIN: dict[str, Word] = {
    "call_later": Word("sales gave it back until {day}, which has come", "{day} まで時期待ち: 約束の日になりました"),
    "cooled_off": Word("its cool-off ended on {day}: judged anew", "冷却期間が {day} に終了し、改めて判定"),
    "lead-qualified": Word(
        "inside sales qualified it for field sales", "インサイドセールスが見極め、フィールドセールスへ"
    ),
    "hand_raise": Word("came back by a new hand-raise", "新たな手挙げにより次のサイクルを開始"),
    "better_grade": Word(
        "came back: what it did since lifted its grade past the gate",
        "その後の行動でグレードが基準を満たし、次のサイクルを開始",
    ),
}


def again_reason(cause: Cause, playbook: Playbook | None) -> Reason | None:
    """What brought the lead back, if that is what happened."""
    word = AGAIN.get(cause.kind)
    if word is None:
        return None
    zone = playbook.framework.fiscal.zone if playbook else "UTC"
    day = f"{datetime.fromtimestamp(cause.at / 1000, ZoneInfo(zone)):%Y-%m-%d}"
    text = {"en": word.en.format(day=day), "ja": word.ja.format(day=day)}
    return Reason(code=cause.kind.replace("-", "_"), text=text, detail={"signal": cause.reason} if cause.reason else {})
