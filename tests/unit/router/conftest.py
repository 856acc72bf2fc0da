"""A small set of policies, and scores to decide on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from services.router.domain.facts import Scored, Touched
from services.router.domain.playbook import Playbook
from shared.qualification.answers import Answer
from shared.schemas.policies import LifecyclePolicy, QualificationPolicy, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.scores import PolicyRef
from shared.schemas.vocabulary import STAGES

QUALIFICATION: dict[str, Any] = {
    "gate": {"mql": ["A1", "A2", "B1"], "inside_sales_check": ["A3", "B2", "C1"], "hand_raise_minimum_fit": "C"},
    "bant": {
        "budget": {"questions": {"B1": ["secured"]}, "ask": {"en": "Budget?", "ja": "ご予算は?"}, "cost": 4},
        "authority": {"questions": {"A1": ["decides"]}, "ask": {"en": "Your part?"}, "cost": 1},
        "need": {"questions": {"N1": ["stated"], "N2": ["named"]}, "ask": {"en": "What for?"}, "cost": 1},
        "timeline": {"questions": {"T1": ["now"]}, "ask": {"en": "By when?"}, "cost": 1, "expires_days": 90},
        "minimum_met": 1,
    },
}
ROUTING: dict[str, Any] = {
    "rules": [
        {"id": "large", "legs": ["fs"], "when": {"lead.size_band": {"in": ["s6", "s7"]}}, "pool": "large"},
        {"id": "german", "when": {"lead.language": {"eq": "de"}}, "pool": "languages"},
        {"id": "inside", "legs": ["is"], "when": {}, "pool": "inside"},
        {"id": "field", "legs": ["fs"], "when": {"not": {"lead.kind": {"eq": "press"}}}, "pool": "field"},
    ],
    "decline_reasons": [
        {"code": "at_capacity", "kind": "decline", "label": {"en": "at capacity"}, "effect": "reroute"},
        {"code": "junk", "kind": "quality", "label": {"en": "junk"}, "effect": "disqualify", "credit_back": True},
        {"code": "not_now", "kind": "recycle", "label": {"en": "not now"}, "effect": "recycle"},
        {"code": "no_need", "kind": "quality", "label": {"en": "no need"}, "effect": "nurture"},
        {"code": "wrong_person", "kind": "quality", "label": {"en": "wrong person"}, "effect": "return_to_is"},
        {
            "code": "existing_deal",
            "kind": "decline",
            "label": {"en": "deal"},
            "effect": "to_owner",
            "credit_back": True,
        },
    ],
}
TEAMS: dict[str, Any] = {
    "reps": [
        {"id": "sato", "name": "Misaki Sato", "capacity": 10, "languages": ["ja", "en"]},
        {"id": "tanaka", "name": "Ken Tanaka", "capacity": 10, "languages": ["ja"]},
        {"id": "schmidt", "name": "Lena Schmidt", "capacity": 10, "languages": ["de", "en"]},
        {"id": "gone", "name": "Gone", "active": False},
        {"id": "ito", "name": "Ito", "capacity": 10},
    ],
    "pools": [
        {"id": "field", "members": [{"rep": "sato", "weight": 2}, {"rep": "tanaka"}, {"rep": "gone"}]},
        {"id": "languages", "match_language": True, "members": [{"rep": "sato"}, {"rep": "schmidt"}]},
        {"id": "inside", "mode": "assign", "members": [{"rep": "ito"}]},
        {"id": "large", "members": [{"rep": "nobody-knows"}]},
    ],
}
SLA: dict[str, Any] = {
    "classes": [
        {"id": "hand_raise", "touch_types": ["demo_requested"], "accept": 900, "first_touch": 1800},
        {"id": "catalog", "touch_types": ["catalog_downloaded"], "accept": 3600, "first_touch": 7200},
    ],
    "default": {"id": "score", "accept": 3600, "first_touch": 86400},
}


def make_playbook(sequence: int = 1, **changed: dict[str, Any]) -> Playbook:
    bodies = {"qualification": QUALIFICATION, "routing": ROUTING, "teams": TEAMS, "sla": SLA} | changed
    lifecycle = bodies.get("lifecycle")
    refs = {kind: PolicyRef(sequence=sequence, hash=kind) for kind in bodies}
    return Playbook.of(
        QualificationPolicy.model_validate(bodies["qualification"]),
        RoutingPolicy.model_validate(bodies["routing"]),
        TeamsPolicy.model_validate(bodies["teams"]),
        SlaPolicy.model_validate(bodies["sla"]),
        refs,
        LifecyclePolicy.model_validate(lifecycle) if lifecycle else None,
    )


@pytest.fixture
def lifecycle() -> Callable[..., dict[str, Any]]:
    """A lifecycle policy, with the stages of the vocabulary where none are given."""

    def make(*names: str, **more: Any) -> dict[str, Any]:
        stages = [{"id": name, "label": {"en": name}, "definition": {"en": name}} for name in names or STAGES]
        return {"stages": stages} | more

    return make


@pytest.fixture
def playbook() -> Playbook:
    return make_playbook()


@pytest.fixture
def playbook_with() -> Callable[..., Playbook]:
    return make_playbook


@pytest.fixture
def bodies() -> dict[str, dict[str, Any]]:
    return {"qualification": QUALIFICATION, "routing": ROUTING, "teams": TEAMS, "sla": SLA}


@pytest.fixture
def scored() -> Callable[..., Scored]:
    def make(grade: str = "A1", *, raised: str | None = None, raised_at: int = 500, **more: Any) -> Scored:
        answers = tuple(Answer(q, code, "web", at, trusted=False) for q, code, at in more.pop("answers", ()))
        hand_raise = Touched(raised, raised_at, f"raise-{raised_at}") if raised else None
        fields = {"fit": 50_000, "engagement": 40_000, "as_of": 1_000, "attributes": {}} | more
        return Scored(grade, hand_raise=hand_raise, answers=answers, **fields)

    return make
