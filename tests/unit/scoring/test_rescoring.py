"""A new policy reaches all leads and accounts, whatever happens meanwhile, and only those that it governs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import pytest

from services.scoring import metrics, rescoring
from services.scoring.domain import ledger
from services.scoring.domain.codec import FIRST, VERSION, decode_state
from services.scoring.domain.ledger import MOST_MARKS, rule_key
from services.scoring.domain.memory import Memory
from services.scoring.handler import Scorer
from services.scoring.policies import Policies
from services.scoring.progress import read
from services.scoring.rescoring import Rescoring
from services.scoring.seek import Plan
from services.scoring.states import Change
from services.scoring.wire import INPUTS, Touch
from shared.kit.kafka import FakePublisher
from shared.schemas.ids import lead_id
from shared.schemas.scores import AccountScored, LeadScored
from shared.schemas.topics import ACCOUNT_SCORED, ACCOUNT_SIGNALS, LEAD_SCORED, TOUCHPOINTS
from tests.scoring_fakes import FakeStates

DAY = 86_400_000
NOW = 1_790_000_000_000
PEOPLE = [f"person-{number}" for number in range(25)]
LEADS = {lead_id(person) for person in PEOPLE}
NOTHING_LOST = Plan({}, reset=False, lost={}, added={})
POLICY: dict[str, Any] = {
    "kind": "scoring",
    "hand_raises": [],
    "engagement": {
        "groups": {"web": 60},
        "rules": [
            {
                "id": "page",
                "when": {"touch.type": {"eq": "page_viewed"}},
                "points": 40,
                "half_life_days": 10,
                "limit": 3,
                "group": "web",
            }
        ],
    },
    "fit": {"rules": []},
}


def points(value: float) -> dict[str, Any]:
    body = deepcopy(POLICY)
    body["engagement"]["rules"][0]["points"] = value
    return body


class Office:
    """A worker of a bench, that owns partition 0 and re-scores it."""

    def __init__(self, bench: Any, scorer: Scorer | None = None, *, per_second: float = 1e9) -> None:
        self.bench, self.owns, self.read_until = bench, True, 10**15
        self.scorer = scorer or bench.restart()
        self.rescoring = Rescoring(
            bench.states, self.scorer, bench.policies, self._owned, bench.clock, per_second=per_second
        )

    def _owned(self, now: int) -> Mapping[int, int]:
        return {0: min(now, self.read_until)} if self.owns else {}

    async def all(self, most: int = 100) -> int:
        """Until nothing is left to re-score; how many steps it took."""
        for steps in range(most):
            if not await self.rescoring.step():
                return steps
        raise AssertionError(f"re-scoring did not end within {most} steps")


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "PAGE", 4)


@pytest.fixture
async def town(bench: Any) -> Any:
    """25 leads that were scored by policy 2, a day ago, and re-scored by nothing yet."""
    bench.publish_policy("acme", POLICY, 2)
    for number, person in enumerate(PEOPLE):
        bench.touch(person, number)
    await bench.restart().handle(bench.log.all())
    bench.publisher.records.clear()
    bench.clock.advance(days=1)
    return bench


def said(bench: Any) -> list[LeadScored]:
    return [LeadScored.model_validate_json(record.value) for record in bench.published(LEAD_SCORED.name)]


def noted(bench: Any) -> Any:
    return read(bench.states.noted.get(0, {}))


def lost(end: int, *, behind: bool = True) -> Plan:
    return Plan({}, reset=False, lost={}, added={}, behind=behind, end=end)


# --- what it says ----------------------------------------------------------------------------------------------------------


async def test_a_new_policy_reaches_leads_that_nothing_happens_to(town: Any) -> None:
    await Office(town).all()
    town.publisher.records.clear()
    town.publish_policy("acme", points(10), 3)
    await Office(town).all()
    assert {score.lead_id for score in said(town)} == LEADS
    assert len(said(town)) == len(LEADS)
    assert {(score.cause, score.policy.sequence, score.change_id) for score in said(town)} == {("policy", 3, None)}
    assert noted(town) == read({"done/acme": "3"})


async def test_they_are_worth_what_they_are_worth_now_not_when_they_last_did_something(town: Any) -> None:
    """Or every idle lead would be as hot as on its last day, until time has taken it down again."""
    town.clock.advance(days=29)
    town.publish_policy("acme", points(44), 3)
    await Office(town).all()
    assert {score.as_of for score in said(town)} == {town.clock.now()}
    assert {score.engagement.total for score in said(town)} == {5_500}
    assert {score.grade for score in said(town)} == {"D4"}


async def test_in_a_partition_with_more_to_read_they_are_worth_what_they_were_when_it_was_read(town: Any) -> None:
    office = Office(town)
    office.read_until = NOW + 5_000
    await office.all()
    assert {score.as_of for score in said(town)} == {NOW + 5_000}


async def test_what_time_will_change_under_the_new_policy_is_due(town: Any) -> None:
    """Forty points are a matter of days; one is the lowest band already, and worth another look when it is worth nothing."""
    for sequence, value, first, last in ((3, 1, 69, 70), (4, 40, 4, 5)):
        town.publish_policy("acme", points(value), sequence)
        await Office(town).all()
        due = town.states.dues[0]
        assert due.keys() == {f"acme/{lead}" for lead in LEADS}
        assert all(first * DAY < at - NOW < last * DAY + 100 for at in due.values())


async def test_accounts_are_re_scored_too(town: Any) -> None:
    town.touch("ann", 30, attributes={"account": "domain:a.example", "domain": "a.example"})
    scorer = town.restart()
    await scorer.handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE))])
    for record in town.published(ACCOUNT_SIGNALS.name):
        town.log.add(record.topic, record.key, record.value)
    await scorer.handle([town.log.slice(ACCOUNT_SIGNALS.name)])
    town.publisher.records.clear()
    await Office(town).all()
    (account,) = [AccountScored.model_validate_json(r.value) for r in town.published(ACCOUNT_SCORED.name)]
    assert (account.account, account.cause, account.as_of) == ("domain:a.example", "policy", town.clock.now())


async def test_only_tenants_whose_policy_changed_are_re_scored(town: Any) -> None:
    town.publish_policy("beta", POLICY, 1)
    for number in range(9):
        town.touch(f"else-{number}", number, tenant="beta")
    await town.restart().handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE))])
    await Office(town).all()
    town.publisher.records.clear()
    town.publish_policy("beta", points(7), 2)
    await Office(town).all()
    assert {(score.tenant, score.lead_id) for score in said(town)} == {("beta", lead_id(f"else-{n}")) for n in range(9)}
    assert noted(town) == read({"done/acme": "2", "done/beta": "2"})


async def test_several_tenants_are_re_scored_in_one_walk(town: Any) -> None:
    town.publish_policy("beta", POLICY, 1)
    town.touch("else", 1, tenant="beta")
    await town.restart().handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE))])
    town.publisher.records.clear()
    steps = await Office(town).all()
    assert {score.tenant for score in said(town)} == {"acme", "beta"}
    assert len(said(town)) == len(PEOPLE) + 1
    assert steps <= 8


# --- when, and when not ----------------------------------------------------------------------------------------------------


async def test_without_any_note_everything_is_re_scored_once(town: Any) -> None:
    """The first start of a version that re-scores, and a new epoch of the states."""
    await Office(town).all()
    assert len(said(town)) == len(LEADS)
    assert await Office(town).all() == 0
    assert len(said(town)) == len(LEADS)


async def test_leads_that_come_to_an_empty_partition_are_not_said_twice(bench: Any) -> None:
    office = Office(bench)
    await office.rescoring.begin(0, {}, NOTHING_LOST)
    bench.touch("ann", 1)
    await office.scorer.handle(bench.log.all())
    assert await office.all() == 0
    assert [score.cause for score in said(bench)] == ["input"]


async def test_a_partition_with_states_is_begun_without_a_note(town: Any) -> None:
    office = Office(town)
    await office.rescoring.begin(0, town.states.applied[0], NOTHING_LOST)
    await office.all()
    assert len(said(town)) == len(LEADS)


async def test_a_worker_that_scored_by_the_policy_before_re_scores_when_it_has_read_the_new_one(town: Any) -> None:
    """It took the partition over from one that had read it: what it said meanwhile, readers took for old."""
    old = Policies()
    current, town.policies = town.policies, old
    town.publish_policy("acme", POLICY, 2)
    town.policies = current
    town.publish_policy("acme", points(10), 3)
    await Office(town).all()
    town.publisher.records.clear()

    town.policies = old
    slow = Office(town)
    await slow.rescoring.begin(0, town.states.applied[0], NOTHING_LOST)
    town.touch(PEOPLE[0], 99)
    await slow.scorer.handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE))])
    town.publish_policy("acme", points(10), 3)
    await slow.all()
    last = {score.lead_id: score for score in sorted(said(town), key=lambda score: score.version)}
    assert last[lead_id(PEOPLE[0])].policy.sequence == 3
    assert last[lead_id(PEOPLE[0])].engagement.parts[0].times == 2


async def test_a_note_of_the_last_owner_that_comes_in_between_does_not_stand_either(town: Any) -> None:
    """It had read policy 3, and finished re-scoring by it while the next owner, that has yet to read it, began."""

    class Finishing(FakeStates):
        async def save(self, changes: Sequence[Change]) -> Any:
            if "done/acme" not in self.noted.get(0, {}):
                last = dict(self.applied[0]) | {TOUCHPOINTS.name: self.applied[0][TOUCHPOINTS.name] + 1}
                await super().save([Change(0, self.applied[0], last, rescoring={"done/acme": "3", "done/beta": None})])
            return await super().save(changes)

    states = Finishing()
    states.applied, states.noted = town.states.applied, {0: {"done/beta": "1"}}
    town.states = states
    await Office(town).rescoring.begin(0, dict(states.applied[0]), NOTHING_LOST)
    assert noted(town).done == {}


async def test_a_lead_that_is_new_in_a_batch_decided_by_the_policy_before_is_re_scored_too(
    town: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "PAGE", 100)
    office = Office(town)
    await office.all()
    town.publisher.records.clear()
    saving, go_on = asyncio.Event(), asyncio.Event()
    save = town.states.save

    async def slowly(changes: Sequence[Change]) -> Any:
        saving.set()
        await go_on.wait()
        return await save(changes)

    town.states.save = slowly
    town.touch("bob", 9)
    handling = asyncio.create_task(office.scorer.handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE))]))
    await saving.wait()
    town.publish_policy("acme", points(10), 3)
    passing = asyncio.create_task(office.all())
    await asyncio.wait({passing}, timeout=0.02)
    go_on.set()
    await asyncio.gather(handling, passing)
    await office.all()
    last = {score.lead_id: score for score in sorted(said(town), key=lambda score: score.version)}
    assert last[lead_id("bob")].policy.sequence == 3


async def test_nothing_is_re_scored_before_anything_of_the_partition_is_read(town: Any) -> None:
    office = Office(town)
    office.read_until = 0
    assert await office.all() == 0
    assert said(town) == []
    office.read_until = 10**15
    await office.all()
    assert len(said(town)) == len(LEADS)


async def test_a_partition_that_went_to_another_worker_is_left_at_once(town: Any) -> None:
    office = Office(town)
    await office.rescoring.step()
    begun = len(said(town))
    assert 0 < begun < len(LEADS)
    office.owns = False
    assert await office.all() == 0

    async def lost_meanwhile() -> None:
        office.owns = False

    office.owns = True
    office.scorer.quiet = lost_meanwhile  # type: ignore[method-assign]
    assert not await office.rescoring.step()
    assert len(said(town)) == begun


async def test_the_next_owner_goes_on_where_the_last_one_stopped(town: Any) -> None:
    first = Office(town)
    for _ in range(3):
        await first.rescoring.step()
    half = {score.lead_id for score in said(town)}
    assert 0 < len(half) < len(LEADS)
    town.publisher.records.clear()
    await Office(town).all()
    assert {score.lead_id for score in said(town)} == LEADS - half
    assert noted(town) == read({"done/acme": "2"})


async def test_a_policy_that_changes_in_mid_pass_is_followed_by_a_pass_of_its_own(town: Any) -> None:
    office = Office(town)
    await office.rescoring.step()
    town.publish_policy("acme", points(10), 3)
    await office.all()
    last = {score.lead_id: score for score in sorted(said(town), key=lambda score: score.version)}
    assert {(lead, score.policy.sequence) for lead, score in last.items()} == {(lead, 3) for lead in LEADS}
    assert noted(town) == read({"done/acme": "3"})


async def test_a_first_policy_of_a_tenant_in_mid_pass_is_re_scored_after_it(town: Any) -> None:
    office = Office(town)
    await office.rescoring.step()
    town.publish_policy("beta", POLICY, 1)
    await office.all()
    assert len(said(town)) == len(LEADS)
    assert noted(town) == read({"done/acme": "2", "done/beta": "1"})


async def test_what_came_due_without_a_policy_is_said_once_there_is_one(town: Any) -> None:
    await Office(town).all()
    town.publisher.records.clear()
    policies, town.policies = town.policies, Policies()
    due = dict(town.states.dues[0])
    await town.restart().visit(0, due, "time", max(due.values()))
    assert said(town) == []
    town.policies = policies
    await Office(town).all()
    assert {score.lead_id for score in said(town)} == LEADS


# --- whatever happens on the way -------------------------------------------------------------------------------------------


FAULTS = {
    "before the states are read": lambda bench: setattr(bench.states, "fail_load", True),
    "before it is published": lambda bench: setattr(bench.publisher, "fail_next", True),
    "after it is published": lambda bench: setattr(bench.publisher, "fail_after", True),
    "before it is noted": lambda bench: setattr(bench.states, "fail_before", True),
    "after it is noted": lambda bench: setattr(bench.states, "fail_after", True),
}


@pytest.mark.parametrize("page", [0, 1, 6])
@pytest.mark.parametrize("fault", FAULTS)
async def test_after_a_crash_on_any_page_all_are_re_scored(town: Any, fault: str, page: int) -> None:
    office = Office(town)
    for _ in range(page):
        await office.rescoring.step()
    FAULTS[fault](town)
    with pytest.raises(Exception, match="failed"):
        await office.rescoring.step()
    await Office(town).all()
    assert {score.lead_id for score in said(town)} == LEADS
    assert len(said(town)) <= len(LEADS) + 4
    assert noted(town) == read({"done/acme": "2"})
    assert set(town.states.dues[0]) == {f"acme/{lead}" for lead in LEADS}


class Overtaken(FakeStates):
    """Another worker writes between our read and our write."""

    async def save(self, changes: Sequence[Change]) -> Any:
        self.applied[0][TOUCHPOINTS.name] += 1
        return await super().save(changes)


async def test_a_zombie_notes_nothing(town: Any) -> None:
    zombie = Overtaken()
    zombie.states, zombie.applied, zombie.dues = town.states.states, town.states.applied, town.states.dues
    real, town.states = town.states, zombie
    assert not await Office(town).rescoring.step()
    assert zombie.noted.get(0, {}) == {}
    town.states = real
    await Office(town).all()
    assert {score.lead_id for score in said(town)} == LEADS


async def test_a_touch_during_the_pass_wins_and_loses_nothing(town: Any) -> None:
    office = Office(town)
    town.publish_policy("acme", points(10), 3)
    for number, person in enumerate(PEOPLE[::3]):
        await office.rescoring.step()
        town.touch(person, DAY + number)
        await office.scorer.handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE) + number)])
    await office.all()
    last = {score.lead_id: score for score in sorted(said(town), key=lambda score: score.version)}
    times = {lead: score.engagement.parts[0].times for lead, score in last.items()}
    assert times == {lead_id(person): 2 if number % 3 == 0 else 1 for number, person in enumerate(PEOPLE)}
    assert {score.policy.sequence for score in last.values()} == {3}


async def test_states_of_an_older_encoding_are_written_anew(town: Any) -> None:
    import msgspec

    key = f"acme/{lead_id(PEOPLE[3])}"
    state = decode_state(town.states.states[0][key])
    memories = {}
    for identity, memory in state.memories.items():
        fields = [getattr(memory, name) for name in memory.__struct_fields__][:11]
        fields[3] = {
            rule: {bucket: [(at, "event-3") for at, _ in ledger.read(marks)] for bucket, marks in slots.items()}
            for rule, slots in memory.marks.items()
        }
        memories[identity] = fields
    town.states.states[0][key] = FIRST + msgspec.msgpack.encode([memories, state.registers])
    before = decode_state(town.states.states[0][key])
    assert before.memories
    await Office(town).all()
    assert all(raw[:1] == VERSION for raw in town.states.states[0].values())
    assert decode_state(town.states.states[0][key]) == before


# --- how fast, and what is seen of it --------------------------------------------------------------------------------------


async def test_new_events_come_first(town: Any) -> None:
    going_on = asyncio.Event()

    class Slow(FakePublisher):
        async def publish(self, records: Any) -> None:
            await going_on.wait()
            await super().publish(records)

    town.publisher = Slow()
    office = Office(town)
    town.touch("bob", 9)
    handling = asyncio.create_task(office.scorer.handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE))]))
    await asyncio.sleep(0)
    stepping = asyncio.create_task(office.rescoring.step())
    await asyncio.wait({stepping, handling}, timeout=0.05)
    assert not stepping.done()
    going_on.set()
    await asyncio.gather(handling, stepping)
    assert [score.cause for score in said(town)][:2] == ["input", "policy"]


async def test_a_page_costs_what_it_re_scores_and_little_for_what_it_passes(town: Any) -> None:
    town.publish_policy("beta", POLICY, 1)
    town.touch("else", 1, tenant="beta")
    await town.restart().handle([town.log.slice(TOUCHPOINTS.name, len(PEOPLE))])
    await Office(town).all()
    office = Office(town)
    town.publish_policy("acme", points(9), 3)
    assert 4 <= await office.rescoring.step() <= 8.2
    await office.all()
    town.publish_policy("beta", points(9), 2)
    cost = await office.rescoring.step()
    assert 0 < cost < 2


async def test_progress_is_in_the_metrics_while_there_is_any(town: Any) -> None:
    def shown() -> dict[str, float]:
        gauges = (metrics.RESCORE_DONE, metrics.RESCORE_LEFT, metrics.RESCORE_SECONDS)
        return {s.name: s.value for gauge in gauges for s in gauge.collect()[0].samples}

    office = Office(town)
    await office.rescoring.step()
    town.clock.advance(seconds=30)
    await office.rescoring.step()
    progress = shown()
    assert progress["baton_scoring_rescore_done_subjects"] + progress["baton_scoring_rescore_left_subjects"] == 25
    assert progress["baton_scoring_rescore_done_subjects"] >= 8
    assert progress["baton_scoring_rescore_seconds"] == 30
    office.owns = False
    await office.rescoring.step()
    assert shown() == {}
    office.owns = True
    ended = metrics.RESCORES._value.get()
    await office.all()
    assert shown() == {}
    assert metrics.RESCORES._value.get() == ended + 1


async def test_how_far_it_is_is_noted_by_tenant(town: Any) -> None:
    await Office(town).rescoring.step()
    under_way = noted(town).under_way
    assert under_way.targets == {"acme": 2}
    assert under_way.said == {"acme": len(said(town))}
    assert (under_way.total, under_way.began_at) == (25, town.clock.now())


def test_marks_of_rules_that_no_policy_reads_any_more_are_bounded_and_make_room() -> None:
    """Each change of a condition leaves the marks of the one before behind."""
    memory = Memory(received_at=NOW)
    for version in range(30):
        key = rule_key({"touch.path": {"prefix": f"/{version}"}}, 5, "1d", 90 * DAY, 0)
        for day in range(30):
            at = NOW + version * DAY - day * DAY
            memory.remember(
                Touch(
                    tenant="acme", lead_id="l", identity_id="i", identity_kind="email", event_id=f"{version}-{day}",
                    source_id="site", type="page_viewed", at=at, received_at=NOW + version * DAY,
                ),
                [(key, at // DAY + place) for place in range(3)],
                {},
                raises_hand=False,
            )  # fmt: skip
        memory.tidy()
        kept = sum(ledger.count(marks) for buckets in memory.marks.values() for marks in buckets.values())
        assert kept < MOST_MARKS + 5, "whole buckets"
        assert len(memory.marks[key]) == 32, "the rule that is read now has all its marks"


# --- after a loss of the store ---------------------------------------------------------------------------------------------


async def test_after_a_loss_all_are_told_once_more_when_as_much_is_read_as_ever_was(town: Any) -> None:
    await Office(town).all()
    known, town.states = town.states, FakeStates()
    town.publisher.records.clear()
    office = Office(town)
    await office.rescoring.begin(0, {}, lost(len(PEOPLE)))
    await office.scorer.handle([town.log.slice(TOUCHPOINTS.name, 0, 20)])
    town.publisher.records.clear()
    assert await office.all() == 0, "some of them would be told by a version below that of before the loss"
    await office.scorer.handle([town.log.slice(TOUCHPOINTS.name, 20)])
    town.publisher.records.clear()
    await office.all()
    assert {score.lead_id for score in said(town)} == LEADS
    assert {(score.cause, score.version.position) for score in said(town)} == {
        ("policy", sum(known.applied[0].values()))
    }
    assert noted(town) == read({"done/acme": "2", "run": "run-1"})
    assert await office.all() == 0


async def test_a_store_that_was_started_anew_may_have_lost_what_was_never_committed(town: Any) -> None:
    applied = dict(town.states.applied[0])
    await Office(town).rescoring.begin(0, applied, lost(len(PEOPLE), behind=False))
    await Office(town).all()
    town.publisher.records.clear()
    for started, end, told in ((1, 26, 0), (2, 25, 0), (2, 26, 0), (3, 26, 25)):
        town.states.started = started
        office = Office(town)
        await office.rescoring.begin(0, applied, lost(end, behind=False))
        town.states.applied[0][TOUCHPOINTS.name] = 26
        await office.all()
        town.states.applied[0] = dict(applied)
        assert len(said(town)) == told, f"run {started}, {end} records"


async def test_reset_forgets_what_was_re_scored(town: Any) -> None:
    await Office(town).all()
    await town.states.reset(0)
    assert town.states.noted == {}


async def test_beginning_names_every_topic_so_that_the_fence_holds(bench: Any) -> None:
    await Office(bench).rescoring.begin(0, {}, NOTHING_LOST)
    assert bench.states.applied[0] == dict.fromkeys(INPUTS, 0)
