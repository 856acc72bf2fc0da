"""A decision in one sentence, English and Japanese: what a rep reads first."""

from __future__ import annotations

from services.router.domain.decision import Decision
from services.router.domain.playbook import Playbook
from services.router.domain.words import before, reasons
from shared.schemas.policies.base import Label


def sentence(decision: Decision, playbook: Playbook | None) -> dict[str, str]:
    """Who gets the lead and why, or why nobody does: what made it ripe, and what decided last; before that, why it comes again."""
    told, outcome = list(reasons(decision, playbook)), decision.outcome
    again = told[:1] if before(decision, playbook) else []
    steps = told[len(again) :]
    texts = [reason.text for reason in (*again, *steps[:1])]
    if steps[1:]:
        texts.append(_turn(decision, playbook) if steps[-1].code == "fair_turn" else steps[-1].text)
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
