"""What reps learn of a lead: evidence that scoring passes on, whatever order it comes in, and that nothing of it is a touch."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.scoring import wire
from services.scoring.domain.score import score
from shared.schemas.handoff import HandoffEvent
from shared.schemas.scores import Evidence
from shared.schemas.topics import HANDOFF_EVENTS
from tests.unit.scoring.leads import LEAD, NOW, page, rules, state_of, touch

EVERY_TOUCH = rules([page(when={})])


def answered(code: str, at: int = NOW, number: int = 1, **more: Any) -> wire.Touch:
    event = HandoffEvent(
        tenant="acme",
        kind=more.pop("kind", "answer-recorded"),
        event_id=f"a{number}",
        lead_id=LEAD,
        opportunity_id="o",
        cycle=1,
        assignment=1,
        at=NOW + 10,
        evidence={"B1": code},
        source=more.pop("source", "handoff/meeting"),
        observed_at=at,
        **more,
    )
    record = wire.decode(HANDOFF_EVENTS.name, event.model_dump_json(exclude_none=True).encode())
    assert isinstance(record, wire.Touch)
    return record


def evidence(*records: wire.Touch) -> list[wire.Evidence]:
    scored = score(state_of(EVERY_TOUCH, touch(1), *records), LEAD, EVERY_TOUCH)
    saying = wire.Saying(wire.Version(1, 1, 1, NOW), wire.PolicyRef(1, "h"))
    return wire.lead_scored("acme", LEAD, saying, scored).evidence


def codes(*records: wire.Touch) -> list[str]:
    return [str(one.code) for one in evidence(*records)]


def test_an_answer_is_evidence_as_its_contract_says() -> None:
    [told] = evidence(answered("secured", confidence=0.6))
    read = Evidence.model_validate_json(wire.encode(told))
    assert read == Evidence(
        criterion="B1", code="secured", source_id="handoff/meeting", observed_at=NOW, trusted=True, confidence=0.6
    )


def test_how_sure_an_earlier_answer_was_says_nothing_of_a_later_one() -> None:
    [told] = evidence(answered("named", confidence=0.6), answered("secured", NOW + 1, 2))
    assert (told.code, told.confidence) == ("secured", None)


def test_an_answer_is_no_touch() -> None:
    plain = score(state_of(EVERY_TOUCH, touch(1)), LEAD, EVERY_TOUCH, NOW + 10)
    told = score(state_of(EVERY_TOUCH, touch(1), answered("secured")), LEAD, EVERY_TOUCH, NOW + 10)
    assert (told.engagement, told.touches, told.fit) == (plain.engagement, plain.touches, plain.fit)


def test_a_void_answer_is_none_and_a_later_one_stands() -> None:
    void = answered("secured", kind="answer-voided", number=0)
    for order in ((answered("secured"), void), (void, answered("secured"))):
        assert codes(*order) == []
    assert codes(answered("secured"), void, answered("applied", NOW + 5, 2)) == ["applied"]
    assert codes(answered("secured"), void, answered("applied", source="handoff/document", number=2)) == ["applied"]


@given(st.data())
def test_the_latest_answer_stands_in_any_order_and_told_twice(data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
    told = [answered(("secured", "applied")[at % 2], NOW + 10 * at, number) for number, at in enumerate(times)]
    if data.draw(st.booleans()):
        voided = data.draw(st.sampled_from(told))
        told.append(answered("secured", voided.at, len(told), kind="answer-voided"))
    mixed = data.draw(st.permutations(told + told))
    assert evidence(*mixed) == evidence(*told)
