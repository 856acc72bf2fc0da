"""What reps learn of a lead: evidence that scoring passes on, whatever order it comes in, and that nothing of it is a touch."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring import wire
from services.scoring.domain import codec
from services.scoring.domain.memory import MOST_SAID, Memory
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
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
        at=NOW + more.pop("recorded", 10),
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
    void = answered("secured", kind="answer-voided", number=0, voids="a1")
    for order in ((answered("secured"), void), (void, answered("secured"))):
        assert codes(*order) == []
    assert codes(answered("secured"), void, answered("applied", NOW + 5, 2)) == ["applied"]
    assert codes(answered("secured"), void, answered("applied", source="handoff/document", number=2)) == ["applied"]


def test_of_what_was_learnt_at_one_moment_stands_what_was_recorded_last() -> None:
    first, second = answered("applied", number=9, recorded=10), answered("secured", number=1, recorded=11)
    assert codes(first, second) == codes(second, first) == ["secured"]


@pytest.mark.parametrize("later", [0, 1, 5000])
def test_a_void_hides_nothing_that_others_said(later: int) -> None:
    """Told by two people at any distance: whichever is void, the other stands."""
    earlier, after = answered("applied", number=1), answered("secured", NOW + later, 2, recorded=20)
    assert codes(earlier, after, answered("applied", number=3, kind="answer-voided", voids="a1")) == ["secured"]
    void = answered("secured", NOW + later, 3, kind="answer-voided", voids="a2")
    assert codes(earlier, after, void) == ["applied"]
    successor = answered("named", NOW - 500, 4, recorded=30)
    assert codes(after, void, successor) == ["named"], "what a successor says of an earlier day"


def test_a_void_of_an_earlier_program_names_none_and_ends_what_was_known_of_its_moment() -> None:
    old = answered("secured", number=3, kind="answer-voided", recorded=50)
    told = [answered("secured", recorded=10), old]
    assert codes(*told) == codes(*told[::-1]) == []
    assert codes(*told, answered("named", number=4, recorded=60)) == ["named"], "and it can be asked anew"


def as_kept_before(*records: wire.Touch) -> LeadState:
    """The state that the program before made of it: no answers, but the latest evidence."""
    state = state_of(EVERY_TOUCH, touch(1), *records)
    raw = msgspec.msgpack.encode(state)
    plain = msgspec.msgpack.decode(raw)
    for memory in plain[0].values():
        del memory[Memory.__struct_fields__.index("answers") :]
    return codec.decode_state(codec.VERSION + msgspec.msgpack.encode(plain))


def test_what_an_earlier_program_kept_stands_until_something_later_is_learnt() -> None:
    kept = as_kept_before(answered("secured", confidence=0.6))

    def found(*records: wire.Touch) -> list[tuple[object, float | None]]:
        after = score(state_of(EVERY_TOUCH, *records, base=kept), LEAD, EVERY_TOUCH).evidence
        return [(one.told.value, one.confidence) for one in after]

    assert found() == [("secured", 0.6)]
    assert found(answered("secured", confidence=0.6)) == [("secured", 0.6)]
    assert found(answered("secured", number=3, kind="answer-voided", voids="a1")) == []
    assert found(answered("named", NOW + 1, 2)) == [("named", None)]
    void = as_kept_before(answered("secured"), answered("secured", number=3, kind="answer-voided", voids="a1"))
    again = state_of(EVERY_TOUCH, answered("secured"), base=void)
    assert score(again, LEAD, EVERY_TOUCH).evidence == [], "the same told twice brings nothing back"


def test_an_earlier_program_reads_the_state_and_the_answer_in_it() -> None:
    state = state_of(EVERY_TOUCH, touch(1), answered("applied"), answered("secured", NOW + 1, 2, confidence=0.6))
    [memory] = [one for one in state.memories.values() if one.evidence]
    assert Memory.__struct_fields__[-1] == "answers", "at the end, where earlier programs do not look"
    assert memory.evidence["B1"]["handoff/meeting"][:3] == (NOW + 1, "a2", "secured")
    assert memory.evidence["B1.confidence"]["handoff/meeting"][:3] == (NOW + 1, "a2", "0.6")


@given(st.data())
def test_of_what_is_not_void_the_latest_stands_in_any_order_and_told_twice(data: st.DataObject) -> None:
    times = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6))
    told = [
        answered(("secured", "applied")[number % 2], NOW + at, number, recorded=recorded)
        for number, (at, recorded) in enumerate(times)
    ]
    void = data.draw(st.sets(st.sampled_from(range(len(told)))))
    voids = [
        answered("secured", NOW + times[one][0], 100 + one, kind="answer-voided", voids=f"a{one}", recorded=90)
        for one in void
    ]
    left = [(*times[number], f"a{number}") for number in range(len(told)) if number not in void]
    mixed = data.draw(st.permutations(told + told + voids + voids))
    split = data.draw(st.integers(0, len(mixed)))
    apart = [state_of(EVERY_TOUCH, touch(1), *some) for some in (mixed[:split], mixed[split:])]
    [identity] = [one for one in apart[0].memories.keys() | apart[1].memories.keys() if one.startswith("outcome/")]
    joined = Memory()
    for state in apart:
        joined.absorb(codec.decode_memory(codec.encode_memory(state.memories.get(identity, Memory()))))
    whole = state_of(EVERY_TOUCH, touch(1), *mixed)
    assert codec.digest(LeadState({"ann": joined}), LEAD) == codec.digest(
        LeadState({"ann": whole.memories[identity]}), LEAD
    )
    standing = [one.told.event_id for one in score(whole, LEAD, EVERY_TOUCH).evidence]
    assert standing == ([max(left)[2]] if left else [])


def test_of_very_many_answers_those_learnt_last_are_kept_whatever_order_they_come_in() -> None:
    told = [answered("secured", NOW + number, number) for number in range(MOST_SAID + 20)]
    void = [
        answered("secured", one.at, 1000 + n, kind="answer-voided", voids=one.event_id) for n, one in enumerate(told)
    ]
    one, other = state_of(EVERY_TOUCH, *told, void[-1]), state_of(EVERY_TOUCH, void[-1], *told[::-1], *told)
    assert codec.digest(one, LEAD) == codec.digest(other, LEAD)
    [memory] = one.memories.values()
    assert len(memory.answers["B1"]["handoff/meeting"]) == MOST_SAID
