"""That somebody chose, or that a lead waits for somebody to choose, in words, English and Japanese."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from services.router.domain.assignment import Candidate
from services.router.domain.manager import Escalated
from services.router.domain.orders import Order
from services.router.domain.playbook import Playbook
from services.router.domain.queues import Queued
from shared.schemas.routing import Reason

WAITING = {
    "dispatch": {"en": "waits for a manager to give it out", "ja": "マネージャーの割り当て待ち"},
    "claim": {"en": "waits for somebody of the pool to take it", "ja": "プールの担当者の引き取り待ち"},
}
MISSED = {
    "dispatch": {"en": "no manager had given it out", "ja": "割り当てが行われなかった"},
    "claim": {"en": "nobody had taken it", "ja": "引き取りがなかった"},
}


def order_reason(order: Order, chosen: Candidate) -> Reason:
    """Who chose the rep, past whose turn it was. Their own words are no part of it: they may name people."""
    by, name, overlooked = order.by, chosen.name, [why for why in chosen.excluded if why in order.despite]
    if order.kind == "claimed":
        text = {"en": f"{name} took it out of the queue", "ja": f"{name} がキューから引き取り"}
    else:
        text = {"en": f"{by} gave it to {name}", "ja": f"{by} が {name} に割り当て"}
    text["en"] += ": it counts apart from the fair share"
    text["ja"] += "(公平配分とは別に計上)"
    detail: dict[str, str | list[str] | None] = {"rep": order.rep_id, "by": by}
    if overlooked:
        detail["despite"] = list(overlooked)
    return Reason(code=order.kind, text=text, detail=dict(detail))


def queue_reason(wait: Queued, to: Escalated | None, pool_id: str | None, playbook: Playbook | None) -> Reason:
    """Until when the lead waits for a person to choose; or that none did in time, and who gets it if that is the manager."""
    zone = _zone(pool_id, playbook)
    time = f"{datetime.fromtimestamp(wait.due / 1000, ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"
    if not wait.overdue:
        word = WAITING[wait.kind]
        text = {"en": f"{word['en']}, until {time}", "ja": f"{word['ja']}({time} まで)"}
        return Reason(code=wait.kind, text=text, detail={"until": wait.due})
    missed = MISSED[wait.kind]
    text = {"en": f"{missed['en']} by {time}", "ja": f"{time} までに{missed['ja']}"}
    if to and to.rep_id:
        rep = playbook.reps.get(to.rep_id) if playbook else None
        name = rep.name if rep else to.rep_id
        text = {"en": f"{text['en']}: it goes to {name}, the manager", "ja": f"{text['ja']}ため、上長の {name} へ"}
    return Reason(code=f"{wait.kind}_overdue", text=text, detail={"until": wait.due, "rep": to.rep_id if to else None})


def in_queue(wait: Queued) -> Reason:
    """Why a member who could have the lead does not: nobody has chosen yet, or nobody did in time."""
    return Reason(code="in_queue", text=(MISSED if wait.overdue else WAITING)[wait.kind])


def not_chosen(chosen: Candidate) -> Reason:
    """Why a member who could have had the lead did not get it: somebody chose another one."""
    text = {"en": f"{chosen.name} was chosen by a person", "ja": f"人の判断で {chosen.name} に決定"}
    return Reason(code="not_chosen", text=text, detail={"rep": chosen.rep_id})


def _zone(pool_id: str | None, playbook: Playbook | None) -> str:
    """Of the pool's manager, or else of its first member."""
    pool = playbook.pools.get(pool_id) if playbook and pool_id else None
    if pool is None or playbook is None:
        return "UTC"
    names = [pool.manager or "", *(member.rep for member in pool.members)]
    return next((playbook.reps[name].zone for name in names if name in playbook.reps), "UTC")
