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
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
from shared.schemas.ids import lead_id
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef
from tests.unit.scoring.leads import LEAD, NOW, link, outcome, page, rules, state_of, touch

DAY = 86_400_000
FIRST = json.loads(
    (Path(__file__).parent / "first_encoding.json").read_text()
)  # as the code of version 1 wrote and scored it
UNDER = rules([page(), page(id="mail", per="campaign"), page(-8, id="junk", when={"source.id": {"eq": "handoff"}})])


def full_state() -> LeadState:
    """One that has something in every field."""
    told = [
        touch(n, at=NOW - n * 7 * 3_600_000, campaign=f"c{n % 3}", is_test=n == 3, evidence={"N1": "stated"})
        for n in range(25)
    ]
    asked = touch(90, type="contact_requested", attributes={"level": "head", "account": "acme.example", "employees": 7})
    verdict = touch(91, "phone", identity_kind="anonymous", automated=True, condemns=("event-1", "event-2"))
    return state_of(UNDER, *told, asked, verdict, link("phone", LEAD, 3), outcome(1, reason="junk"))


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


# --- version 1 ------------------------------------------------------------------------------------------------------------


def scored_as_then(state: LeadState) -> dict[str, Any]:
    found = score(state, LEAD, Rules(ScoringPolicy.model_validate(FIRST["policy"]), PolicyRef(sequence=1, hash="h")))
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


def test_a_state_of_version_1_is_worth_what_it_was() -> None:
    state = codec.decode_state(b64decode(FIRST["state"]))
    assert scored_as_then(state) == {name: FIRST[name] for name in scored_as_then(state)}


def test_a_state_of_version_1_is_written_in_the_newest() -> None:
    state = codec.decode_state(b64decode(FIRST["state"]))
    assert codec.decode_state(codec.encode_state(state)) == state
    assert codec.encode_state(state)[:1] == codec.VERSION


def test_a_transfer_of_version_1_joins_what_is_known_now() -> None:
    state = codec.decode_state(b64decode(FIRST["state"]))
    assert codec.decode_memory(FIRST["memory"]) == state.memories["ann"]
    under = Rules(ScoringPolicy.model_validate(FIRST["policy"]), PolicyRef(sequence=1, hash="h"))
    again = touch(0, event_id="event-3", type="contact_requested", at=NOW - 21 * 3_600_000, received_at=NOW - 3000)
    marks = {key: dict(buckets) for key, buckets in state.memories["ann"].marks.items()}
    assert state_of(under, again, base=state).memories["ann"].marks == marks, (
        "the same event, however it was written down"
    )


# --- what is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [b"", b"\x01\xff", b"\x02\xff", b"\x03" + codec.encode_state(LeadState())[1:]])
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


@pytest.mark.parametrize("first", [False, True])
def test_changed_bytes_are_refused_or_read_as_a_state_that_can_be_scored_and_written(first: bool) -> None:
    rng = Random(7)
    raw = b64decode(FIRST["state"]) if first else codec.encode_state(full_state())
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
