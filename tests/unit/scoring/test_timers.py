"""What time alone changes: told once, with the moment at which it was so, however late or often somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from services.scoring import curves, metrics
from services.scoring.domain.codec import decode_state
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import at_moment, stand
from services.scoring.handler import Scorer, StatesLostError
from services.scoring.policies import Policies
from services.scoring.states import Change
from services.scoring.timers import LOOK_MS, MOST, Timers
from services.scoring.wire import INPUTS
from shared.kit.kafka import FakePublisher
from shared.schemas.ids import lead_id
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import AccountScored, LeadScored, PolicyRef
from shared.schemas.topics import ACCOUNT_SCORED, ACCOUNT_SIGNALS, LEAD_SCORED, SCORE_TRANSFERS, TOUCHPOINTS
from tests.scoring_fakes import FakeStates

DAY = 86_400_000
NOW = 1_790_000_000_000
ANN, BOB = lead_id("ann"), lead_id("bob")
HOT: dict[str, Any] = {  # a request is worth 80, which is band 1 for 0.42 days, 2 for 1.42, 3 for 3 days
    "kind": "scoring",
    "hand_raises": ["demo_requested"],
    "engagement": {
        "groups": {"ask": 100},
        "rules": [
            {
                "id": "contact",
                "when": {"touch.type": {"eq": "contact_requested"}},
                "points": 80,
                "half_life_days": 1,
                "limit": 5,
                "group": "ask",
            }
        ],
    },
    "fit": {"rules": []},
}


class Watch:
    """Timers over a bench, of a worker that owns partition 0 and has read all of it unless told otherwise."""

    def __init__(self, bench: Any, scorer: Scorer | None = None) -> None:
        self.bench = bench
        self.read_until: int | None = None
        self.owns = True
        self.scorer = scorer or bench.restart()
        self.timers = Timers(bench.states, self.scorer, self._owned, bench.clock)

    def _owned(self, now: int) -> Mapping[int, int]:
        return {0: now if self.read_until is None else min(now, self.read_until)} if self.owns else {}

    async def after(self, **time: float) -> int:
        """Wake when so much time has gone by; ms until it would wake again."""
        self.bench.clock.advance(**time)
        return await self.timers.fire()


@pytest.fixture
def hot(bench: Any) -> Any:
    bench.publish_policy("acme", HOT, 2)
    return bench


def told(bench: Any) -> list[LeadScored]:
    records = [LeadScored.model_validate_json(record.value) for record in bench.published(LEAD_SCORED.name)]
    return [record for record in records if record.cause == "time"]


def last_moment_of(bench: Any, lead: str, grade: str, after: int = NOW) -> int:
    """The last ms at which the lead has this grade, by scanning the hours, then the seconds of one, then the ms."""
    rules = Rules(ScoringPolicy.model_validate(HOT), PolicyRef(sequence=2, hash="h"))
    standing = stand(decode_state(bench.states.states[0][f"acme/{lead}"]), lead, rules)

    def holds(moment: int) -> bool:
        return at_moment(standing, moment).grade == grade

    found, span = after, 30 * DAY
    for stride in (3_600_000, 1_000, 1):
        found = next(at for at in range(found, found + span, stride) if holds(at) and not holds(at + stride))
        span = stride
    return found


async def ask(bench: Any, *identities: str, **more: Any) -> Watch:
    for number, identity in enumerate(identities):
        bench.touch(identity, number, type="contact_requested", **more)
    watch = Watch(bench)
    await watch.scorer.handle(bench.log.all())
    return watch


# --- once, at the true moment ----------------------------------------------------------------------------------------------


async def test_a_lead_that_falls_by_time_alone_is_told_with_the_moment_at_which_it_fell(hot: Any) -> None:
    watch = await ask(hot, "ann")
    assert hot.scores()[ANN].grade == "D1"
    await watch.after(days=0.4)
    assert told(hot) == []
    await watch.after(days=0.6)
    (fell,) = told(hot)
    assert (fell.grade, fell.temperature, fell.cause) == ("D2", "warm", "time")
    assert fell.as_of == fell.version.as_of == last_moment_of(hot, ANN, "D1") + 1
    assert fell.version.position == 1
    assert fell.change_id
    await watch.after(days=0.1)
    assert len(told(hot)) == 1


async def test_all_that_happened_during_a_long_stop_is_told_in_order_with_its_own_moments(hot: Any) -> None:
    watch = await ask(hot, "ann")
    bands = ["D1", "D2", "D3"]
    await watch.after(days=200)
    assert [(change.grade, change.as_of) for change in told(hot)] == [
        (after, last_moment_of(hot, ANN, before) + 1) for before, after in zip(bands, ["D2", "D3", "D4"], strict=True)
    ]
    assert hot.states.dues[0] == {}


async def test_of_several_leads_the_one_that_is_due_first_is_told_first(hot: Any) -> None:
    for number, identity in enumerate(["cat", "bob", "ann"]):
        hot.touch(identity, -number * 60_000, type="contact_requested")
    watch = Watch(hot)
    await watch.scorer.handle(hot.log.all())
    await watch.after(days=0.42)
    assert [change.lead_id for change in told(hot)] == [ANN, BOB, lead_id("cat")]


async def test_it_wakes_earlier_when_something_is_due_earlier(hot: Any) -> None:
    watch = await ask(hot, "ann")
    assert await watch.timers.fire() == LOOK_MS
    moment = last_moment_of(hot, ANN, "D1") + 1
    hot.clock.advance(milliseconds=moment - NOW - LOOK_MS - 200)
    assert await watch.timers.fire() == LOOK_MS
    assert await watch.after(milliseconds=900) == 300
    assert await watch.after(milliseconds=299) == 1
    assert told(hot) == []
    await watch.after(milliseconds=1)
    assert len(told(hot)) == 1


async def test_more_changes_of_one_lead_than_are_told_at_once_follow_and_none_twice(
    hot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "MOST_AT_ONCE", 1)
    watch = await ask(hot, "ann")
    await watch.after(days=200)
    assert [change.grade for change in told(hot)] == ["D2", "D3", "D4"]


async def test_more_leads_than_one_look_holds_are_all_told(hot: Any) -> None:
    people = [f"person-{number}" for number in range(3 * MOST + 1)]
    watch = await ask(hot, *people)
    await watch.after(days=0.5)
    assert sorted(change.lead_id for change in told(hot)) == sorted(map(lead_id, people))


async def test_the_same_change_told_by_two_workers_is_one_record(hot: Any) -> None:
    watch, other = await ask(hot, "ann"), Watch(hot)
    dues = dict(hot.states.dues[0])
    await watch.after(days=0.5)
    hot.states.dues[0] = dues
    await other.after(days=0.2)
    first, second = [r for r in hot.published(LEAD_SCORED.name) if b'"cause":"time"' in r.value]
    assert first == second


async def test_a_change_has_another_id_under_another_policy_and_for_another_lead(hot: Any) -> None:
    await (await ask(hot, "ann", "bob")).after(days=0.5)
    ids = {change.change_id for change in told(hot)}
    hot.publish_policy("acme", HOT, 3)
    hot.states.dues[0] = {f"acme/{ANN}": NOW, f"acme/{BOB}": NOW}
    await Watch(hot).timers.fire()
    assert len(ids | {change.change_id for change in told(hot)}) == 4


async def test_accounts_change_by_time_alone_too(hot: Any) -> None:
    watch = await ask(hot, "ann", attributes={"account": "domain:a.example", "domain": "a.example", "level": "head"})
    for record in hot.published(ACCOUNT_SIGNALS.name):
        hot.log.add(record.topic, record.key, record.value)
    await watch.scorer.handle([hot.log.slice(ACCOUNT_SIGNALS.name)])
    await watch.after(days=100)
    records = [AccountScored.model_validate_json(r.value) for r in hot.published(ACCOUNT_SCORED.name)]
    assert records[0].cause == "input"
    changes = [record for record in records if record.cause == "time"]
    assert changes
    assert [record.band for record in changes] == sorted({record.band for record in changes})
    assert changes[0].band > records[0].band
    assert all(record.change_id and record.as_of == record.version.as_of for record in changes)


# --- whatever happens on the way -------------------------------------------------------------------------------------------


async def test_a_later_touch_wins_over_what_time_alone_had_made_of_it(hot: Any) -> None:
    """Even one that was received before the moment of the change, and read after it was told."""
    watch = await ask(hot, "ann")
    await watch.after(days=0.5)
    (fell,) = told(hot)
    hot.touch("ann", fell.as_of - NOW - 10, type="contact_requested")
    await watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 1)])
    again = hot.scores()[ANN]
    assert (again.grade, again.cause) == ("D1", "input")
    assert again.version > fell.version
    assert again.as_of < fell.as_of
    await watch.after(days=1.5)
    _, fell_again = told(hot)
    assert fell_again.as_of == last_moment_of(hot, ANN, "D1", again.as_of) + 1
    assert fell_again.version > again.version


async def test_a_touch_that_comes_before_anybody_looked_says_it_all(hot: Any) -> None:
    watch = await ask(hot, "ann")
    hot.clock.advance(days=10)
    hot.touch("ann", 10 * DAY, type="contact_requested")
    await watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 1)])
    await watch.timers.fire()
    assert told(hot) == []


async def test_time_goes_no_further_than_what_was_read(hot: Any) -> None:
    """A touch that holds the grade may be among those that wait."""
    watch = await ask(hot, "ann")
    watch.read_until = NOW + DAY
    await watch.after(days=200)
    assert [change.grade for change in told(hot)] == ["D2"]
    watch.read_until = 0
    await watch.after(days=1)
    assert len(told(hot)) == 1
    watch.read_until = None
    await watch.timers.fire()
    assert [change.grade for change in told(hot)] == ["D2", "D3", "D4"]


FAULTS = {
    "before the states are read": lambda bench: setattr(bench.states, "fail_load", True),
    "before it is published": lambda bench: setattr(bench.publisher, "fail_next", True),
    "after it is published": lambda bench: setattr(bench.publisher, "fail_after", True),
    "before it is noted": lambda bench: setattr(bench.states, "fail_before", True),
    "after it is noted": lambda bench: setattr(bench.states, "fail_after", True),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_crash_loses_no_change_and_what_is_told_twice_is_the_same(hot: Any, fault: str) -> None:
    watch = await ask(hot, "ann")
    FAULTS[fault](hot)
    with pytest.raises(Exception, match="failed"):
        await watch.after(days=200)
    await Watch(hot).timers.fire()
    by_id = {change.change_id: change for change in told(hot)}
    assert [change.grade for change in by_id.values()] == ["D2", "D3", "D4"]
    assert all(change == by_id[change.change_id] for change in told(hot))


class Overtaken(FakeStates):
    """Another worker writes between our read and our write."""

    async def save(self, changes: Sequence[Change]) -> Any:
        self.applied[0][TOUCHPOINTS.name] += 1
        return await super().save(changes)


async def test_a_zombie_tells_nothing_that_harms_and_stops_after_one_try(hot: Any) -> None:
    await ask(hot, "ann")
    dues, real, zombie = dict(hot.states.dues[0]), hot.states, Overtaken()
    zombie.states, zombie.applied, zombie.dues = hot.states.states, hot.states.applied, hot.states.dues
    hot.states = zombie
    hot.clock.advance(days=0.5)
    watch = Watch(hot)
    async with asyncio.timeout(5):
        await watch.timers.fire()
        await watch.timers.fire()
    assert [change.version.position for change in told(hot)] == [1]
    assert hot.states.dues[0] == dues  # whoever owns the partition tells it
    hot.states = real
    await Watch(hot).timers.fire()
    assert len({change.change_id for change in told(hot)}) == 1
    assert hot.states.dues[0][f"acme/{ANN}"] > dues[f"acme/{ANN}"]


async def test_a_woken_zombie_does_not_note_what_is_due_by_a_policy_of_before(hot: Any) -> None:
    """It finds the states of the worker that has gone on, and would take them for its own."""
    zombie = await ask(hot, "ann")
    old, hot.policies = hot.policies, Policies()
    hot.publish_policy("acme", HOT, 3)
    owner = Watch(hot)
    hot.touch("ann", 1, type="contact_requested")
    await owner.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 1)])
    assert zombie.scorer._policies is old
    dues = dict(hot.states.dues[0])
    await zombie.after(days=200)
    assert told(hot) == []
    assert hot.states.dues[0] == dues
    await owner.timers.fire()
    assert {change.policy.sequence for change in told(hot)} == {3}


async def test_a_store_that_lost_its_tail_stops_the_worker_before_time_speaks_of_what_is_left(hot: Any) -> None:
    """Nothing else may come to the partition for days; what is told of the states of before would be wrong until then."""
    watch = await ask(hot, "ann")
    kept = deepcopy((hot.states.applied, hot.states.states, hot.states.dues))
    hot.touch("ann", 1, type="contact_requested")
    await watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 1)])
    hot.states.applied, hot.states.states, hot.states.dues = kept
    with pytest.raises(StatesLostError):
        await watch.after(days=200)
    assert told(hot) == []


async def test_what_a_woken_zombie_publishes_late_carries_a_lower_version(hot: Any) -> None:
    watch = await ask(hot, "ann")
    zombie = Watch(hot)
    late, zombie.scorer._publisher = FakePublisher(), FakePublisher()
    zombie.scorer._publisher = late
    dues = dict(hot.states.dues[0])
    await zombie.after(days=0.5)
    hot.states.dues[0] = dues
    hot.touch("ann", DAY // 2, type="contact_requested")
    await watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 1)])
    (stale,) = [LeadScored.model_validate_json(r.value) for r in late.records if r.topic == LEAD_SCORED.name]
    assert stale.version < hot.scores()[ANN].version


async def test_a_partition_that_went_to_another_worker_is_left_alone(hot: Any) -> None:
    watch = await ask(hot, "ann")
    watch.owns = False
    assert await watch.after(days=200) == LOOK_MS
    watch.owns = True

    async def lost_meanwhile() -> None:
        watch.owns = False

    watch.scorer.quiet = lost_meanwhile  # type: ignore[method-assign]
    await watch.timers.fire()
    assert told(hot) == []


async def test_a_lead_that_was_merged_away_is_told_no_more(hot: Any) -> None:
    watch = await ask(hot, "ann", "bob")
    dues = dict(hot.states.dues[0])
    for lead in (ANN, BOB):
        hot.link(lead, "bob", ANN, 1)
    await watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 2)])
    hot.feed_back()
    await watch.scorer.handle([hot.log.slice(SCORE_TRANSFERS.name)])
    assert f"acme/{BOB}" not in hot.states.dues[0]
    hot.states.dues[0] |= {f"acme/{BOB}": dues[f"acme/{BOB}"]}  # as a worker would leave it that had read it before
    await watch.after(days=200)
    assert {change.lead_id for change in told(hot)} == {ANN}
    assert hot.states.dues[0] == {}


async def test_a_clock_that_goes_back_neither_loses_nor_repeats_a_change(hot: Any) -> None:
    watch = await ask(hot, "ann")
    await watch.after(days=1)
    await watch.after(days=-0.9)
    for _ in range(40):
        await watch.after(days=0.25)
    assert [change.grade for change in told(hot)] == ["D2", "D3", "D4"]


async def test_a_subject_without_a_state_is_due_no_more(hot: Any) -> None:
    """The states of a partition were dropped, and what was due of them was told by a worker that had read it before."""
    watch = await ask(hot, "ann")
    hot.states.states[0].clear()
    await watch.after(days=1)
    assert told(hot) == []
    assert hot.states.dues[0] == {}
    await hot.states.reset(0)
    assert await watch.timers.fire() == LOOK_MS


async def test_nothing_is_dropped_because_a_policy_is_not_read_yet(hot: Any) -> None:
    """What is due without a policy is left to the re-scoring that the policy brings: the note of its last one goes with it."""
    await ask(hot, "ann")
    applied = dict.fromkeys(INPUTS, 0) | hot.states.applied[0]
    await hot.states.save([Change(0, applied, applied, rescoring={"done/acme": "2", "done/other": "7"})])
    hot.policies = type(hot.policies)()
    await Watch(hot).after(days=1)
    assert told(hot) == []
    assert hot.states.noted[0] == {"done/other": "7"}
    assert hot.states.dues[0] == {}


# --- at what cost ----------------------------------------------------------------------------------------------------------


class Counting(FakeStates):
    loaded = 0

    async def load(self, wanted: Mapping[int, Sequence[str]]) -> Any:
        self.loaded += sum(map(len, wanted.values()))
        return await super().load(wanted)


async def test_idle_leads_cost_nothing(hot: Any) -> None:
    hot.states = Counting()
    watch = await ask(hot, *(f"idle-{number}" for number in range(300)))
    hot.touch("ann", -DAY // 3, type="contact_requested")
    await watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 300)])
    hot.states.loaded = 0
    for _ in range(20):
        await watch.after(days=0.01)
    assert [change.lead_id for change in told(hot)] == [ANN]
    assert hot.states.loaded <= 2


async def test_new_events_come_first(hot: Any) -> None:
    watch = await ask(hot, "ann")
    going_on = asyncio.Event()

    class Slow(FakePublisher):
        async def publish(self, records: Any) -> None:
            await going_on.wait()
            await super().publish(records)

    hot.clock.advance(days=0.5)
    hot.touch("bob", 9, type="contact_requested")
    hot.publisher = watch.scorer._publisher = Slow()
    handling = asyncio.create_task(watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, 1)]))
    await asyncio.sleep(0)
    firing = asyncio.create_task(watch.timers.fire())
    await asyncio.wait({firing, handling}, timeout=0.05)
    assert not firing.done()
    going_on.set()
    await asyncio.gather(handling, firing)
    said = [LeadScored.model_validate_json(record.value) for record in hot.published(LEAD_SCORED.name)]
    assert [(score.lead_id, score.cause) for score in said][:2] == [(BOB, "input"), (ANN, "time")]


async def test_where_all_leads_are_due_at_once_a_new_event_waits_for_one_slice_of_them(hot: Any) -> None:
    """As a rule's date makes them."""
    everybody = 8 * MOST
    watch = await ask(hot, *(f"person-{number}" for number in range(everybody)))

    class Slow(FakePublisher):
        async def publish(self, records: Any) -> None:
            await asyncio.sleep(0)  # in which an event may come
            await super().publish(records)

    hot.publisher = watch.scorer._publisher = Slow()
    hot.clock.advance(days=0.5)
    firing = asyncio.create_task(watch.timers.fire())
    for number in range(everybody, everybody + 4):
        await asyncio.sleep(0)
        before = len(told(hot))
        hot.touch(f"new-{number}", 0, type="contact_requested")
        await watch.scorer.handle([hot.log.slice(TOUCHPOINTS.name, number)])
        assert lead_id(f"new-{number}") in hot.scores()
        assert len(told(hot)) - before == MOST
        assert not firing.done()
    await firing
    assert len(told(hot)) == everybody + 4, "the new ones, too, have cooled by now"


async def test_how_late_changes_are_is_known_and_that_nobody_looks_as_well(hot: Any) -> None:
    watch = await ask(hot, "ann")
    await watch.timers.fire()
    assert watch.timers.late_seconds() == 0
    moment = last_moment_of(hot, ANN, "D1") + 1
    watch.read_until = 0
    hot.clock.advance(milliseconds=moment - NOW + 30_000)
    await watch.timers.fire()
    assert watch.timers.late_seconds() >= 30
    watch.read_until = None
    await watch.timers.fire()
    assert watch.timers.late_seconds() == 0
    hot.clock.advance(seconds=90)
    assert watch.timers.late_seconds() == 90


async def test_visits_and_what_they_say_are_counted(hot: Any) -> None:
    watch = await ask(hot, "ann")
    before = metrics.VISITS.labels("time")._value.get(), metrics.SCORES.labels("scored")._value.get()
    await watch.after(days=200)
    after = metrics.VISITS.labels("time")._value.get(), metrics.SCORES.labels("scored")._value.get()
    assert (after[0] - before[0], after[1] - before[1]) == (1, 3)
