"""Where a worker begins to read, and when it refuses to."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from services.scoring.beginnings import Beginnings, RecordsLostError
from services.scoring.seek import Log, plan
from services.scoring.states import Change
from services.scoring.wire import INPUTS
from shared.schemas.topics import HANDOFF_EVENTS, SCORE_TRANSFERS, TOUCHPOINTS
from tests.scoring_fakes import FakeStates

IN, TR, HO = TOUCHPOINTS.name, SCORE_TRANSFERS.name, HANDOFF_EVENTS.name


def offset(log: Log, applied: int | None) -> int:
    return plan({IN: log}, {} if applied is None else {IN: applied}).offsets[IN]


def test_with_nothing_committed_it_begins_at_the_start_whatever_a_rebalance_did() -> None:
    """Trap 1."""
    assert offset(Log(start=0, end=500, committed=None), applied=None) == 0
    assert offset(Log(start=0, end=500, committed=None), applied=300) == 0


def test_it_begins_at_what_is_committed_or_applied_whichever_is_less() -> None:
    assert offset(Log(0, 500, committed=200), applied=300) == 200, "applied, but perhaps not published"
    assert offset(Log(0, 500, committed=400), applied=300) == 300, "committed, but lost by the store"
    assert offset(Log(0, 500, committed=400), applied=None) == 0, "all of it lost by the store"


def test_it_never_begins_before_the_log_does() -> None:
    assert offset(Log(start=100, end=500, committed=50), applied=100) == 100


def test_states_ahead_of_the_log_are_dropped_and_both_topics_read_from_the_start() -> None:
    planned = plan({IN: Log(0, 10, committed=10), TR: Log(0, 5, committed=5)}, {IN: 900, TR: 5})
    assert planned.reset
    assert planned.offsets == {IN: 0, TR: 0}


def test_states_are_behind_where_more_was_committed_than_is_applied() -> None:
    two = {IN: Log(0, 500, committed=200), TR: Log(0, 40, committed=None)}
    assert not plan(two, {IN: 200, TR: 0}).behind
    assert not plan({IN: Log(0, 500, committed=None)}, {}).behind, "a new group"
    assert plan(two, {IN: 199, TR: 40}).behind
    assert plan(two, {}).behind
    assert plan(two, {}).end == 540


def logs(start: int = 0, end: int = 100, committed: int | None = None) -> dict[int, Mapping[str, Log]]:
    return {3: {IN: Log(start, end, committed), TR: Log(0, 0, None)}}


async def begin(
    states: FakeStates, found: dict[int, Mapping[str, Log]], *, accept_loss: bool
) -> dict[int, Mapping[str, int]]:
    async def read() -> dict[int, Mapping[str, Log]]:
        return found

    return await Beginnings(states, lambda _: None, accept_loss=accept_loss).find(found, read)


async def test_a_start_is_refused_when_records_that_are_needed_are_gone() -> None:
    with pytest.raises(RecordsLostError, match="SCORING_ACCEPT_LOSS"):
        await begin(FakeStates(), logs(start=40), accept_loss=False)


async def test_a_loss_that_is_accepted_is_written_down_so_that_it_is_no_gap_later() -> None:
    states = FakeStates()
    await states.save([Change(3, {}, {IN: 10, TR: 0})])
    assert await begin(states, logs(start=40, committed=10), accept_loss=True) == {3: {IN: 40, TR: 0}}
    assert states.applied[3] == dict.fromkeys(INPUTS, 0) | {IN: 40}
    assert await begin(states, logs(start=40, committed=10), accept_loss=False) == {3: {IN: 40, TR: 0}}


async def test_an_input_that_an_earlier_version_did_not_read_is_read_from_what_is_left_of_it() -> None:
    """An upgrade: the topic is older than its retention, and the states never needed what has left it."""
    states = FakeStates()
    await states.save([Change(3, {}, {IN: 70, TR: 0})])
    found = {3: logs(committed=70)[3] | {HO: Log(start=40, end=90, committed=None)}}
    assert await begin(states, found, accept_loss=False) == {3: {IN: 70, TR: 0, HO: 40}}
    assert states.applied[3] == dict.fromkeys(INPUTS, 0) | {IN: 70, HO: 40}, "or its first record would look like a gap"


async def test_an_input_that_was_read_before_is_not_taken_for_a_new_one_when_the_store_forgot_it() -> None:
    states = FakeStates()
    await states.save([Change(3, {}, {IN: 70, TR: 0})])
    with pytest.raises(RecordsLostError, match=HO):
        await begin(states, {3: logs()[3] | {HO: Log(start=40, end=90, committed=80)}}, accept_loss=False)
    await states.save([Change(3, {IN: 70}, {IN: 70, HO: 0})])
    with pytest.raises(RecordsLostError, match=HO):
        await begin(states, {3: logs()[3] | {HO: Log(start=40, end=90, committed=None)}}, accept_loss=False)


async def test_states_ahead_of_the_log_are_reset() -> None:
    states = FakeStates()
    await states.save([Change(3, {}, {IN: 900, TR: 0}, {"acme/lead": b"old"})])
    assert await begin(states, logs(committed=100), accept_loss=False) == {3: {IN: 0, TR: 0}}
    assert states.states.get(3) is None


async def test_memory_is_dropped_with_the_partition() -> None:
    forgotten: list[int] = []

    async def read() -> dict[int, Mapping[str, Log]]:
        return logs()

    await Beginnings(FakeStates(), forgotten.append, accept_loss=False).find([3], read)
    assert forgotten == [3]
