"""Policies, touches and states of leads, made short."""

from __future__ import annotations

from typing import Any

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import Scored, score
from services.scoring.domain.state import LeadState
from shared.schemas.ids import lead_id
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef

NOW = 1_790_000_000_000
LEAD = lead_id("ann")


def policy(
    behaviour: list[dict[str, Any]] | None = None,
    fits: list[dict[str, Any]] | None = None,
    engagement: dict[str, Any] | None = None,
    fit: dict[str, Any] | None = None,
    **more: Any,
) -> ScoringPolicy:
    body = {
        "kind": "scoring",
        "hand_raises": ["contact_requested"],
        "engagement": {"groups": {"web": 20}, "rules": behaviour or [], **(engagement or {})},
        "fit": {"rules": fits or [], **(fit or {})},
    }
    return ScoringPolicy.model_validate(body | more)


def rules(*args: Any, **more: Any) -> Rules:
    """Of `policy`, compiled."""
    return Rules(policy(*args, **more), PolicyRef(sequence=1, hash="h"))


def page(points: float = 8, **more: Any) -> dict[str, Any]:
    when = {"touch.type": {"eq": "page_viewed"}}
    return {"id": "page", "when": when, "points": points, "half_life_days": 7, "group": "web", "limit": 3} | more


def touch(number: int, identity: str = "ann", **more: Any) -> wire.Touch:
    fields = {"tenant": "acme", "lead_id": lead_id(identity), "identity_id": identity, "identity_kind": "email"}
    told = {"event_id": f"event-{number}", "source_id": "site", "type": "page_viewed", "at": NOW, "received_at": NOW}
    return wire.Touch(**(fields | told | more))


def link(identity: str, owner: str, sequence: int, kind: str = "email", at: int = NOW) -> wire.LinkChanged:
    return wire.LinkChanged("acme", owner, identity, kind, owner, sequence, at)


def outcome(number: int, kind: str = "offer-declined", lead: str = LEAD, at: int = NOW, **more: Any) -> wire.Touch:
    event = wire.HandoffEvent("acme", lead, kind, f"handoff-{number}", at=at, **({"cycle": 1} | more))
    found = wire.outcome(event)
    assert found is not None
    return found


def state_of(under: Rules, *records: wire.Input, lead: str = LEAD, base: LeadState | None = None) -> LeadState:
    return join(Told("acme", lead, [(one, None) for one in records]), base or LeadState(), under).finish()


def scored(under: Rules, *records: wire.Input, moment: int = 0) -> Scored:
    return score(state_of(under, *records), LEAD, under, moment)
