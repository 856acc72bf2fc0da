"""States as bytes: what comes back, what older bytes say, what is refused, and when two states are the same."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from services.scoring.domain import codec, ledger
from services.scoring.domain.memory import Memory
from services.scoring.domain.people import People, Person
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
from shared.schemas.ids import lead_id
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef, Version
from tests.unit.scoring.leads import LEAD, NOW, link, outcome, page, rules, state_of, touch

DAY = 86_400_000
OLDER = {  # as the code of each version wrote and scored it
    version: json.loads((Path(__file__).parent / f"{name}_encoding.json").read_text())
    for version, name in ((codec.FIRST, "first"), (codec.SECOND, "second"))
}
every_older_version = pytest.mark.parametrize("version", OLDER)
UNDER = rules([page(), page(id="mail", per="campaign"), page(-8, id="junk", when={"source.id": {"eq": "handoff"}})])


def full_state() -> LeadState:
    """One that has something in every field."""
    told = [
        touch(n, at=NOW - n * 7 * 3_600_000, campaign=f"c{n % 3}", is_test=n == 3, evidence={"N1": "stated"})
        for n in range(25)
    ]
    facts = {"level": "head", "employees": 7, "account": "acme.example", "domain": "acme.example", "own_domain": True}
    asked = touch(90, type="contact_requested", attributes=facts)
    verdict = touch(91, "phone", identity_kind="anonymous", automated=True, condemns=("event-1", "event-2"))
    learnt = outcome(2, "answer-recorded", evidence={"B1": "secured"}, source="handoff/meeting", observed_at=NOW)
    return state_of(UNDER, *told, asked, verdict, link("phone", LEAD, 3), outcome(1, reason="junk"), learnt)


def test_a_state_comes_back_as_it_was() -> None:
    state = full_state()
    assert all(
        any(getattr(memory, field) for memory in state.memories.values()) for field in fields() if field != "person"
    )
    assert codec.decode_state(codec.encode_state(state)) == state


def test_a_memory_comes_back_as_it_was() -> None:
    for memory in full_state().memories.values():
        assert codec.decode_memory(codec.encode_memory(memory)) == memory


def fields() -> tuple[str, ...]:
    return Memory.__struct_fields__


# --- older versions -------------------------------------------------------------------------------------------------------


def rules_then(version: bytes) -> Rules:
    return Rules(ScoringPolicy.model_validate(OLDER[version]["policy"]), PolicyRef(sequence=1, hash="h"))


def written_then(version: bytes) -> bytes:
    raw = b64decode(OLDER[version]["state"])
    assert raw[:1] == version
    return raw


def scored_as_then(state: LeadState, version: bytes) -> dict[str, Any]:
    found = score(state, LEAD, rules_then(version))
    assert found.hand_raise is not None
    return {
        "as_of": found.as_of,
        "grade": found.grade,
        "fit": found.fit.total,
        "engagement": found.engagement.total,
        "parts": {part.rule_id: [part.given, part.kept] for part in found.engagement.parts},
        "attributes": found.attributes,
        "touches": [one.event_id for one in found.touches],
        "evidence": [[one.criterion, one.source_id, one.told.value] for one in found.evidence],
        "hand_raise": found.hand_raise.raised.event_id,
        "first_source": found.first_source,
        "last_source": found.last_source,
        "person": found.person,
    }


@every_older_version
def test_a_state_of_an_older_version_is_worth_what_it_was(version: bytes) -> None:
    said = scored_as_then(codec.decode_state(written_then(version)), version)
    assert said == {name: OLDER[version][name] for name in said}


@every_older_version
def test_a_state_of_an_older_version_is_written_in_the_newest(version: bytes) -> None:
    state = codec.decode_state(written_then(version))
    assert codec.decode_state(codec.encode_state(state)) == state
    assert codec.encode_state(state)[:1] == codec.VERSION


@every_older_version
def test_a_transfer_of_an_older_version_joins_what_is_known_now(version: bytes) -> None:
    state = codec.decode_state(written_then(version))
    memory = codec.decode_memory(OLDER[version]["memory"])
    assert memory == state.memories["ann"]
    memory.absorb(state.memories["ann"])
    assert codec.digest(LeadState({"ann": memory}), LEAD) == codec.digest(
        LeadState({"ann": state.memories["ann"]}), LEAD
    )


def test_an_event_that_version_1_wrote_down_by_its_text_is_the_same_event() -> None:
    state = codec.decode_state(written_then(codec.FIRST))
    again = touch(0, event_id="event-3", type="contact_requested", at=NOW - 21 * 3_600_000, received_at=NOW - 3000)
    joined = state_of(rules_then(codec.FIRST), again, base=state)
    assert joined.memories["ann"].marks == state.memories["ann"].marks


def test_people_of_an_account_are_written_as_in_version_2() -> None:
    people = People({"lead": Person(Version(1, 2, 3, NOW), engagement=700, role="user", active=(NOW, NOW - DAY))})
    raw = codec.encode_people(people)
    assert codec.decode_people(raw) == codec.decode_people(codec.SECOND + raw[1:]) == people
    with pytest.raises(codec.UnreadableError):
        codec.decode_people(b"\x04" + raw[1:])


# --- what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw", [b"", b"\x01\xff", b"\x02\xff", b"\x03\xff", b"\x04" + codec.encode_state(LeadState())[1:]]
)
def test_a_state_of_another_version_is_refused_never_guessed(raw: bytes) -> None:
    with pytest.raises(codec.UnreadableError):
        codec.decode_state(raw)


@pytest.mark.parametrize("text", ["", "ä", "A", "AQ==", b64encode(b"\x07abc").decode()])
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(codec.UnreadableError):
        codec.decode_memory(text)


KEY = ledger.rule_key({}, 2, "1d", 30 * DAY, 0)
MARKS = ledger.marked([(NOW, b"e" * 16)])


@pytest.mark.parametrize(
    "marks",
    [
        {"no key": {1: MARKS}},
        {"a.b.c.d.e": {1: MARKS}},
        {"a.0.1.1.0": {1: MARKS}},
        {KEY: {1: MARKS[:-1]}},
        {KEY: {1: b""}},
        {KEY: {"spring": MARKS}},
        {ledger.rule_key({}, 2, "campaign", 30 * DAY, 0): {1: MARKS}},
    ],
)
def test_marks_that_no_rule_makes_are_refused_before_they_are_joined(marks: Any) -> None:
    memory = Memory(marks=marks)
    with pytest.raises(codec.UnreadableError):
        codec.decode_memory(codec.encode_memory(memory))
    with pytest.raises(codec.UnreadableError):
        codec.decode_state(codec.encode_state(LeadState({"ann": memory})))


@pytest.mark.parametrize("raw", [codec.encode_state(full_state()), *map(written_then, OLDER)], ids=["3", "1", "2"])
def test_changed_bytes_are_refused_or_read_as_a_state_that_can_be_scored_and_written(raw: bytes) -> None:
    rng = Random(7)
    refused = 0
    for _ in range(1_500):
        damaged = bytearray(raw)
        for _ in range(rng.choice((1, 1, 3))):
            damaged[rng.randrange(1, len(raw))] = rng.randrange(256)
        cut = bytes(damaged[: rng.choice((len(raw), rng.randrange(1, len(raw))))])
        try:
            state = codec.decode_state(cut)
        except codec.UnreadableError:
            refused += 1
            continue
        for lead in {LEAD, *map(state.owner, state.identities())}:
            score(state, lead, UNDER)
        state_of(UNDER, touch(1), base=state)
        codec.encode_state(state)
    assert refused > 500


# --- when two are the same ------------------------------------------------------------------------------------------------


def test_the_digest_of_a_state_does_not_ask_in_which_order_things_were_told() -> None:
    told = [touch(n, at=NOW - n * DAY, attributes={"level": "head", f"a{n}": n}) for n in range(9)]
    told += [touch(50, "bob", attributes={"kind": "student"}), touch(51, condemns=("event-3", "event-4"))]
    one, other = state_of(UNDER, *told), state_of(UNDER, *told[::-1])
    assert codec.encode_state(one) != codec.encode_state(other)
    assert codec.digest(one, LEAD) == codec.digest(other, LEAD)


def test_the_digest_does_not_ask_whether_a_state_has_forgotten_what_counts_for_nothing() -> None:
    state = state_of(UNDER, touch(1, at=NOW - 300 * DAY, received_at=NOW - 300 * DAY))
    state.memories["ann"].remember(touch(2), UNDER.slots(touch(2)), {}, False)
    tidied = codec.decode_state(codec.encode_state(state))
    tidied.memories["ann"].tidy()
    assert tidied != state
    before = codec.encode_state(state)
    assert codec.digest(state, LEAD) == codec.digest(tidied, LEAD)
    assert codec.encode_state(state) == before, "and leaves the state as it is"


@pytest.mark.parametrize(
    "more",
    [
        touch(9),
        touch(9, type="contact_requested"),
        touch(9, type="other", attributes={"level": "head"}),
        touch(9, type="other", is_test=True),
        touch(1, condemns=("event-1",)),
        outcome(9, reason="junk"),
        link("phone", LEAD, 9),
    ],
)
def test_the_digest_tells_states_of_which_something_else_is_read(more: Any) -> None:
    state = state_of(UNDER, touch(1), touch(2, "phone"), link("phone", LEAD, 1))
    assert codec.digest(state_of(UNDER, more, base=state), LEAD) != codec.digest(state, LEAD)


def test_the_digest_leaves_out_what_is_another_leads() -> None:
    state = state_of(UNDER, touch(1), link("bob", lead_id("bob"), 4))
    passed_on = state_of(UNDER, touch(2, "bob"), base=state)
    assert "bob" in passed_on.memories
    assert codec.digest(passed_on, LEAD) == codec.digest(state, LEAD)
    assert msgspec.msgpack.encode(passed_on) != msgspec.msgpack.encode(state)
