"""A decision in one sentence, English and Japanese: what a rep reads first."""

from __future__ import annotations

from services.router.domain.decision import Decision
from services.router.domain.playbook import Playbook
from services.router.domain.words import reasons
from shared.schemas.policies.base import Label

FIRST = ("rep_left", "offer_declined", "offer_expired")


def sentence(decision: Decision, playbook: Playbook | None) -> dict[str, str]:
    """Who gets the lead and why, or why nobody does: what made it ripe, and what decided last."""
    told, outcome = reasons(decision, playbook), decision.outcome
    again = [reason for reason in told if reason.code in FIRST][:1]
    steps = [reason for reason in told if reason.code not in FIRST]
    ripe, last = steps[:1], [_turn(decision, playbook)] if steps[1:] and steps[-1].code == "fair_turn" else steps[-1:]
    texts = [reason.text for reason in (*again, *ripe)]
    texts += [one if isinstance(one, dict) else one.text for one in last if steps[1:]]
    en, ja = "; ".join(text.get("en", "") for text in texts), "、".join(text.get("ja", "") for text in texts)
    if outcome.rep_id:
        return {"en": f"{outcome.rep_name} gets this lead: {en}.", "ja": f"{outcome.rep_name} が担当: {ja}。"}
    return {"en": f"Nobody gets this lead yet: {en}.", "ja": f"担当者なし: {ja}。"}


def _turn(decision: Decision, playbook: Playbook | None) -> dict[str, str]:
    """That it was somebody's turn, without the sums."""
    pool = playbook.pools.get(decision.outcome.pool_id or "") if playbook else None
    label, name = pool.label if pool else Label(), decision.outcome.pool_id
    en, ja = label.en or name, label.ja or label.en or name
    return {"en": f"it was their turn in pool “{en}”", "ja": f"プール「{ja}」での順番"}
