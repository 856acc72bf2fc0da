"""The structs and bytes of scoring against the contracts that everybody else uses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.scoring import wire
from services.scoring.domain import codec
from services.scoring.domain.memory import Memory
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState, Register
from shared.kit.dead_letters import Reject
from shared.schemas import scores, touches
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef, Version
from shared.schemas.topics import SCORE_TRANSFERS, TOUCHPOINTS

NOW = 1_790_000_000_000
TOUCH = touches.Touch.model_validate(
    {
        "tenant": "acme", "lead_id": "lead", "identity_id": "ann", "identity_kind": "email", "event_id": "e1",
        "source_id": "crm", "trusted": True, "type": "contact_requested", "event": "Form", "at": NOW, "received_at": NOW + 5,
        "path": "/contact", "topic": "erp", "campaign": "spring", "channel": "web", "is_test": True,
        "attributes": {"level": "head", "employees": 120, "own_domain": True, "ratio": 0.5}, "evidence": {"need": "N1"},
        "person": {"fields": {"name": "安田", "email": "a@example.jp"}},
    }
)  # fmt: skip
POLICY: dict[str, Any] = {
    "kind": "scoring",
    "hand_raises": ["contact_requested"],
    "engagement": {
        "groups": {"ask": 30},
        "rules": [
            {
                "id": "contact",
                "when": {"touch.type": {"eq": "contact_requested"}},
                "points": 40,
                "half_life_days": 30,
                "group": "ask",
                "label": {"en": "Contact"},
            }
        ],
    },
    "fit": {"rules": [{"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 30}]},
}
RULES = Rules(ScoringPolicy.model_validate(POLICY), PolicyRef(sequence=3, hash="h"))


def memory() -> Memory:
    told = wire.decode(TOUCHPOINTS.name, TOUCH.model_dump_json().encode())
    assert isinstance(told, wire.Touch)
    remembered = Memory()
    remembered.remember(told, RULES.slots(told), wire.reveal(told.person), True)
    return remembered


@pytest.mark.parametrize("exclude_none", [True, False])
def test_every_field_of_a_touch_is_read_as_it_was_written(exclude_none: bool) -> None:
    read = wire.decode(TOUCHPOINTS.name, TOUCH.model_dump_json(exclude_none=exclude_none).encode())
    for field in wire.Touch.__struct_fields__:
        if field != "person":
            assert getattr(read, field) == getattr(TOUCH, field)
    assert isinstance(read, wire.Touch)
    assert wire.reveal(read.person) == {"name": "安田", "email": "a@example.jp"}


def test_a_link_is_read_as_it_was_written() -> None:
    link = touches.LinkChanged(
        tenant="acme", lead_id="l", identity_id="i", identity_kind="user", owner="o", sequence=4, received_at=NOW
    )
    read = wire.decode(TOUCHPOINTS.name, link.model_dump_json().encode())
    assert {name: getattr(read, name) for name in wire.LinkChanged.__struct_fields__} == link.model_dump(
        exclude={"record"}
    )


def test_a_score_is_written_as_its_contract_says() -> None:
    state = LeadState({"ann": memory()}, {"ann": Register(1, "lead", "email", NOW)})
    scored = score(state, "lead", RULES)
    saying = wire.Saying(Version(1, 3, 9, scored.as_of), wire.PolicyRef(3, "h"))
    out = wire.lead_scored("acme", "lead", saying, scored)
    read = scores.LeadScored.model_validate_json(wire.encode(out))
    assert read.key() == b"acme/lead"
    assert read.version == Version(1, 3, 9, NOW + 5)
    assert read.policy == PolicyRef(sequence=3, hash="h")
    assert read.grade == "C2"
    assert read.fit.parts == (scores.ScorePart(rule_id="head", given=30_000, kept=30_000),)
    assert read.engagement.parts[0].label == {"en": "Contact"}
    assert read.engagement.parts[0].cut == 10_000
    assert read.hand_raise == scores.HandRaise(type="contact_requested", event_id="e1", at=NOW, received_at=NOW + 5)
    assert read.attributes == TOUCH.attributes
    assert read.evidence == (
        scores.Evidence(criterion="need", code="N1", source_id="crm", observed_at=NOW, trusted=True),
    )
    assert read.touches[0].path == "/contact"
    assert read.identities == (scores.IdentityRef(identity_id="ann", kind="email"),)
    assert (read.first_source, read.last_source, read.is_test) == ("crm", "crm", True)
    assert read.person == TOUCH.person
    assert set(out.__struct_fields__) == set(scores.LeadScored.model_fields) - {"record"}


def test_a_transfer_is_written_as_its_contract_says_and_read_back() -> None:
    register = Register(7, "target", "email", NOW)
    out = wire.score_transfer("acme", "lead", "ann", "email", register, NOW + 5, codec.encode_memory(memory()))
    contract = scores.ScoreTransfer.model_validate_json(wire.encode(out))
    assert (contract.lead_id, contract.from_lead_id, contract.sequence) == ("target", "lead", 7)
    read = wire.decode(SCORE_TRANSFERS.name, contract.model_dump_json().encode())
    assert isinstance(read, wire.ScoreTransfer)
    assert codec.decode_memory(read.memory) == memory()


def test_a_field_that_is_not_known_is_ignored() -> None:
    raw = TOUCH.model_dump() | {"weather": "rain"}
    read = wire.decode(TOUCHPOINTS.name, wire.encode(raw))
    assert read is not None
    assert read.tenant == "acme"


@pytest.mark.parametrize("value", [None, b"", b"{}", b"[]", b'{"record":"touch"}', b'{"record":"transfer"}', b"\xff"])
def test_what_is_no_record_of_the_topic_is_rejected_with_its_reason(value: bytes | None) -> None:
    with pytest.raises(Reject) as rejected:
        wire.decode(TOUCHPOINTS.name, value)
    assert rejected.value.code == "undecodable"


@pytest.mark.parametrize(
    "what",
    [{"person": {"scheme": "sealed"}}, {"at": 10**30}, {"received_at": 2**64}, {"attributes": {"employees": 10**30}}],
)
def test_what_no_state_could_hold_is_rejected_before_it_stops_the_worker(what: dict[str, Any]) -> None:
    with pytest.raises(Reject) as rejected:
        wire.decode(TOUCHPOINTS.name, json.dumps(TOUCH.model_dump() | what).encode())
    assert rejected.value.code == "undecodable"


def test_a_personal_field_that_is_not_known_is_ignored() -> None:
    raw = TOUCH.model_dump() | {"person": {"fields": {"name": "安田", "shoe_size": "27"}}}
    read = wire.decode(TOUCHPOINTS.name, wire.encode(raw))
    assert isinstance(read, wire.Touch)
    assert wire.reveal(read.person) == {"name": "安田"}
