"""Whatever happens, in any order, again, and with deaths in between: the router on the real Postgres keeps its promises.

Scores, merges, reps who accept and decline, clocks that run out, hours, absences, reps who are away, pools that are edited, records
that come late or again, a router that dies at any step, a relay that dies between publishing and deleting. Handoff is its real
domain, the topics are lists. After every step P3 and P7 are read from the tables, and judged by a second, simpler account of who
could take a lead (`Town.barred`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.handoff.domain.ending import fire
from services.handoff.domain.rep import NotTheHolderError, OfferNotOpenError, accept, decline
from services.handoff.domain.routed import route, withdraw
from services.handoff.domain.terms import Promises
from services.router import handler as router_handler
from services.router.domain.lead import CLOSED
from services.router.store import availability, trail
from services.router.store import leads as lead_rows
from services.router.store import pools as pool_rows
from services.router.store.availability import Said
from shared.availability.people import Away
from shared.kit import outbox
from shared.kit.database import Pool, open_pool, tenant_transaction
from shared.schemas import ids
from shared.schemas.routing import LeadRouted, LeadWithdrawn
from tests.integration.router.conftest import CRITERION, World

pytestmark = pytest.mark.servers

TOKYO = ZoneInfo("Asia/Tokyo")
BEGIN = int(datetime(2026, 11, 20, 8, 30, tzinfo=TOKYO).timestamp() * 1000)  # a Friday, half an hour before they open
HOUR = 3_600_000
EFFECTS = ("reroute", "return_to_is", "recycle", "nurture", "disqualify", "to_owner")
REPS = ("sato", "tanaka", "mori", "ito")
LEADS = [f"l{n}" for n in range(1, 6)]
POOLS = ("field", "inside")
ENDED = ("declined", "expired")
TOPICS = ("scored", "routed", "events")

QUALIFICATION = {
    "kind": "qualification",
    "gate": {"mql": ["A1", "B1"], "inside_sales_check": ["A3"]},
    "bant": dict.fromkeys(("budget", "authority", "need", "timeline"), CRITERION),
}
ROUTING = {
    "kind": "routing",
    "rules": [
        {"id": "field", "legs": ["fs"], "when": {}, "pool": "field"},
        {"id": "inside", "when": {}, "pool": "inside"},
    ],
    "decline_reasons": [
        {"code": effect, "kind": "decline", "label": {"en": effect}, "effect": effect, "credit_back": n % 2 == 0}
        for n, effect in enumerate(EFFECTS)
    ],
}
SLA = {"kind": "sla", "default": {"id": "score", "accept": 1800, "first_touch": 7200}}
CALENDARS = [
    {
        "id": "tokyo",
        "zone": "Asia/Tokyo",
        "blocks": [{"open": "09:00", "close": "12:00"}, {"open": "13:00", "close": "18:00"}],
    }
]


class DeathError(RuntimeError):
    """The router dies here."""


DEATHS = [
    (lead_rows, "lock", "after"),
    (pool_rows, "read_desk", "after"),
    (lead_rows, "write", "after"),
    (pool_rows, "write", "before"),
    (trail, "write", "after"),
    (outbox, "enqueue", "after"),
    (router_handler, "count", "before"),  # committed, and nobody knows
]


@dataclass(frozen=True)
class AtWork:
    """What the services read of each topic, in which order, how much of it again, and who of them dies of it."""

    order: tuple[str, ...] = TOPICS
    again: int = 0
    most: int = 100
    death: Any = None
    relay: str = "lives"


lead_ids = st.sampled_from(LEADS)
reps = st.sampled_from(REPS)
scores = st.lists(
    st.tuples(
        lead_ids, st.sampled_from(["A1", "A1", "B1", "A3", "D4"]), st.booleans(), st.sampled_from([False] * 9 + [True])
    ),
    min_size=2,
    max_size=8,
)
deaths = st.one_of(st.none(), st.none(), st.sampled_from(DEATHS))
services = st.builds(
    AtWork,
    st.permutations(TOPICS),
    st.sampled_from([0, 0, 0, 3, 30]),
    st.sampled_from([100, 3, 1]),
    deaths,
    st.sampled_from(["lives", "lives", "dies", "is late"]),
)
then = st.one_of(st.none(), services, services)


@dataclass
class Hours:
    """A rep as the policy has them, in the words of this test."""

    capacity: int = 2
    per_day: int | None = None
    active: bool = True
    office: bool = False
    absent: tuple[datetime, datetime] | None = None
    away: tuple[int, int | None] | None = None  # said at run time

    def body(self, rep_id: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": rep_id,
            "name": rep_id,
            "capacity": self.capacity,
            "per_day": self.per_day,
            "active": self.active,
        }
        if self.office:
            body["calendar"] = "tokyo"
        if self.absent:
            body["absences"] = [
                dict(zip(("start", "end"), (f"{at:%Y-%m-%dT%H:%M}" for at in self.absent), strict=True))
            ]
        return body

    def at_work(self, now: int) -> bool:
        at = datetime.fromtimestamp(now / 1000, TOKYO).replace(tzinfo=None)
        open_now = not self.office or (at.weekday() < 5 and at.hour in (9, 10, 11, 13, 14, 15, 16, 17))
        absent = self.absent is not None and self.absent[0] <= at < self.absent[1]
        away = self.away is not None and self.away[0] <= now and (self.away[1] is None or now < self.away[1])
        return open_now and not absent and not away


@dataclass
class Run:
    """Leads of a pool, one after the other, that the same members could take, of the same weights.

    after: what each was owed after the latest;  put: the furthest that one of them was off when it began
    moved: what may have changed the balances since: edits, and leads given back
    """

    members: frozenset[tuple[str, int]] = frozenset()
    after: dict[str, Fraction] = field(default_factory=dict)
    put: Fraction = Fraction(0)
    moved: tuple[int, int] = (0, 0)


class Town(RuleBasedStateMachine):
    """A team, its leads, and everything that happens to them."""

    def __init__(self, loop: asyncio.Runner, pools: tuple[Pool, Pool]) -> None:
        super().__init__()
        self._loop, self._pools = loop, pools

    def run(self, doing: Any) -> Any:
        return self._loop.run(doing)

    @initialize(
        capacity=st.sampled_from([2, 2, 100]), office=st.booleans(), per_day=st.sampled_from([None, 1, 3]), first=scores
    )
    def begin(self, capacity, office, per_day, first):
        self.world = World(f"t-{uuid4().hex[:10]}", *self._pools)
        self.world.clock.advance(milliseconds=BEGIN - self.world.clock.now())
        self.reps = {rep: Hours(capacity) for rep in REPS}
        self.reps["sato"].office = self.reps["mori"].office = office
        self.reps["tanaka"].per_day = per_day
        self.members = {"field": {"sato": 2, "tanaka": 1, "mori": 1}, "inside": {"ito": 1, "mori": 1}}
        self.run(self.world.apply(QUALIFICATION, ROUTING, SLA))
        self.publish_team()
        self.topics: dict[str, list[Any]] = {topic: [] for topic in TOPICS}
        self.read = dict.fromkeys(self.topics, 0)
        self.opportunities: dict[str, Any] = {}
        self.said: dict[tuple[str, int], bytes] = {}
        self.runs = {pool: Run() for pool in POOLS}
        self.seen, self.new = (
            0,
            list[dict[str, Any]](),
        )  # the latest row of the outbox, and what came since the last look
        self.swept = False  # nothing has happened since the sweep
        self.most = dict.fromkeys(REPS, 0)  # the largest capacity that a rep ever had
        self.campaigns = 0
        self.leads_are_scored(first)
        self.services_work(AtWork())

    @property
    def now(self) -> int:
        return self.world.clock.now()

    # What happens in the world

    @rule(scores=scores, then=then)
    def leads_are_scored(self, scores, then=None):
        for lead, grade, raised, merged in scores:
            self.world.clock.advance(milliseconds=1)
            more = {"merged_into": "somebody-else"} if merged else {}
            self.topics["scored"].append(self.world.score(lead, grade, hand_raise="demo" if raised else None, **more))
        self.go_on(then)

    @rule(leads=st.integers(4, 16), grade=st.sampled_from(["A1", "A1", "A3"]), then=then)
    def a_campaign_ends(self, leads, grade, then=None):
        """Many who were never heard of come at once."""
        self.campaigns += 1
        self.leads_are_scored([(f"c{self.campaigns}-{n:02}", grade, False, False) for n in range(leads)])
        self.go_on(then)

    @rule(
        answers=st.lists(st.tuples(lead_ids, st.sampled_from(["accept", *EFFECTS])), min_size=1, max_size=4), then=then
    )
    def reps_answer(self, answers, then=None):
        for lead, answer in answers:
            if answer == "accept":
                self.say(lead, lambda known, rep: accept(known, rep, self.now))
            else:
                reason = self.playbook.decline(answer)
                self.say(lead, lambda known, rep, why=reason: decline(known, rep, why, self.now, note_given=False))
        self.go_on(then)

    @rule(hours=st.sampled_from([0.01, 0.6, 3, 11, 24, 61]), then=then)
    def time_passes(self, hours, then=None):
        """The clocks of handoff that run out meanwhile are breached."""
        self.world.clock.advance(seconds=hours * 3600)
        for known in list(self.opportunities.values()):
            self.take(fire(known, self.now))
        self.go_on(then)

    @rule(rep=reps, hours=st.sampled_from([None, 2, 30]), then=then)
    def goes_away(self, rep, hours, then=None):
        until = None if hours is None else self.now + hours * HOUR
        self.reps[rep].away = (self.now, until)
        self.run(self.say_away(rep, Said(Away(self.now, until), None, rep, self.now)))
        self.go_on(then)

    @rule(rep=reps, then=then)
    def comes_back(self, rep, then=None):
        self.reps[rep].away = None
        self.run(self.say_away(rep, None))
        self.go_on(then)

    @rule(
        rep=reps,
        capacity=st.sampled_from([0, 1, 2, 3, 100]),
        active=st.booleans(),
        office=st.booleans(),
        days=st.sampled_from([None, 1, 3]),
        then=then,
    )
    def a_rep_is_edited(self, rep, capacity, active, office, days, then=None):
        today = datetime.fromtimestamp(self.now / 1000, TOKYO).replace(
            tzinfo=None, hour=0, minute=0, second=0, microsecond=0
        )
        absent = (today, today + timedelta(days=days)) if days else None
        known = self.reps[rep]
        self.reps[rep] = Hours(capacity, known.per_day, active or capacity > 2, office, absent, known.away)
        self.publish_team()
        self.go_on(then)

    @rule(pool=st.sampled_from(POOLS), members=st.dictionaries(reps, st.integers(1, 3), min_size=1), then=then)
    def a_pool_is_edited(self, pool, members, then=None):
        self.members[pool] = members
        self.publish_team()
        self.go_on(then)

    def publish_team(self) -> None:
        self.run(
            self.world.apply(
                {
                    "kind": "teams",
                    "calendars": CALENDARS,
                    "reps": [hours.body(rep) for rep, hours in self.reps.items()],
                    "pools": [
                        {"id": pool, "members": [{"rep": rep, "weight": weight} for rep, weight in members.items()]}
                        for pool, members in self.members.items()
                    ],
                }
            )
        )

    async def say_away(self, rep: str, said: Said | None) -> None:
        async with tenant_transaction(self.world.pool, self.world.tenant) as connection:
            await availability.take_back(connection, self.world.tenant, rep)
            if said:
                await availability.write(connection, self.world.tenant, rep, said)

    def say(self, lead: str, what: Any) -> None:
        """The rep who was asked for the lead says something, perhaps too late."""
        for known in [o for o in self.opportunities.values() if o.lead_id == lead and o.current()]:
            with suppress(NotTheHolderError, OfferNotOpenError):
                self.take(what(known, known.current().rep_id))

    # What the services read, and how they die

    @rule(at_work=services)
    def services_work(self, at_work):
        for topic in at_work.order:
            self.read[topic] = max(0, self.read[topic] - at_work.again)
            self.deliver(topic, at_work.most, at_work.death)
        if at_work.relay != "is late":
            self.relay(dies=at_work.relay == "dies")

    def go_on(self, at_work: AtWork | None) -> None:
        if at_work:
            self.swept = False
            self.services_work(at_work)

    def deliver(self, topic: str, most: int, death: Any) -> None:
        start = self.read[topic]
        batch = self.topics[topic][start : start + most]
        lived = True
        if topic == "routed":
            for record in batch:
                self.hand_over(record)
        elif batch:
            lived = self.survives(death, lambda: self.world.router().handle(batch))
        self.read[topic] += len(batch) if lived else 0

    @rule(death=deaths, then=then)
    def sweep(self, death, then=None):
        if self.survives(death, lambda: self.world.sweep(most=3).sweep()):
            self.swept = True
        self.go_on(then)

    def survives(self, death: Any, work: Any) -> bool:
        """Whether the router has got through its work; a death that its work does not come to kills nobody."""
        if death is None:
            self.run(work())
            return True
        module, step, when = death
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, step, _dying(getattr(module, step), when))
            try:
                self.run(work())
            except DeathError:
                return False
        return True

    def relay(self, *, dies: bool) -> None:
        """What the outbox holds is published; a relay that dies before it deletes does so again later."""
        for record in self.run(self.outbox()):
            if record["record"] == "lead-routed":
                self.topics["routed"].append(LeadRouted.model_validate(record))
            elif record["record"] == "lead-withdrawn":
                self.topics["routed"].append(LeadWithdrawn.model_validate(record))
        if not dies:
            self.run(self.sql("DELETE FROM router.outbox WHERE tenant = $1 RETURNING id", worker=True))

    async def outbox(self) -> list[dict[str, Any]]:
        """What the outbox holds, in order; assignments that are in it for the first time are kept for `look`."""
        records = []
        for row in await self.sql("SELECT id, value FROM router.outbox WHERE tenant = $1 ORDER BY id", worker=True):
            record = orjson.loads(row["value"])
            records.append(record)
            if record["record"] == "lead-routed":
                known = self.said.setdefault((record["lead_id"], record["assignment"]), row["value"])
                assert known == row["value"], "one assignment was said in two ways"
                self.new += [record] if row["id"] > self.seen else []
            self.seen = max(self.seen, row["id"])
        return records

    def hand_over(self, record: LeadRouted | LeadWithdrawn) -> None:
        known = self.opportunities.get(ids.opportunity_id(self.world.tenant, record.lead_id, record.cycle))
        if isinstance(record, LeadRouted):
            self.take(route(known, record, Promises(self.playbook.sla), self.now))
        elif known:
            self.take(withdraw(known, record, self.now))

    def take(self, change: Any) -> None:
        self.opportunities[change.opportunity.opportunity_id] = change.opportunity
        self.topics["events"] += change.events

    @precondition(lambda self: self.said)
    @rule()
    def all_is_read(self):
        """When nothing is under way any more, router and handoff know the same one owner of each lead."""
        for _ in range(50):
            self.relay(dies=False)
            if all(self.read[topic] >= len(log) for topic, log in self.topics.items()):
                break
            for topic in self.topics:
                self.deliver(topic, 100, None)
        else:
            pytest.fail("the services never come to an end of what they tell each other")
        self.sweep(None)
        self.relay(dies=False)
        if self.read["routed"] < len(self.topics["routed"]):
            self.all_is_read()  # the sweep gave away what was waiting
            return
        for lead in self.run(self.leads()):
            offers = [o.current() for o in self.opportunities.values() if o.lead_id == lead["lead_id"] and o.current()]
            assert len(offers) <= 1, "two offers of one lead"
            assert (offers[0].rep_id if offers else None) == lead["owner_rep"]
            if offers:
                assert (offers[0].assignment, offers[0].state == "accepted") == (
                    lead["held_assignment"],
                    lead["accepted"],
                )
            known = self.opportunities.get(ids.opportunity_id(self.world.tenant, lead["lead_id"], lead["cycle"]))
            gave_back = {offer.rep_id for offer in known.offers if offer.state in ENDED} if known else set()
            assert set(lead["excluded"]) <= gave_back, "nobody is passed over who did not give the lead back"

    def teardown(self):
        if getattr(self, "said", None):
            self.all_is_read()
            self.promises_hold()

    # What always holds

    @invariant()
    def promises_hold(self):
        if not hasattr(self, "world"):
            return
        found = self.run(self.look())
        self.every_lead_has_one_owner_or_a_reason(found)
        self.what_waits_has_a_trigger(found)
        self.every_assignment_is_ended_or_in_force(found)
        self.nobody_is_given_more_than_they_can_take(found)
        self.shares_are_kept(found)
        if self.swept:
            self.nobody_waits_while_somebody_is_free(found)
        self.swept = False

    def every_lead_has_one_owner_or_a_reason(self, found: Found) -> None:
        for lead in found.leads:
            assert (lead["owner_rep"] is None) != (lead["waiting_reason"] is None)
            assert lead["waiting_reason"] not in ("unscored", "rerouting")
            assert lead["owner_rep"] is not None or not lead["accepted"]

    def what_waits_has_a_trigger(self, found: Found) -> None:
        for lead in found.waiting():
            reason = lead["waiting_reason"]
            if reason in CLOSED:
                assert lead["closed_at"] is not None, "no signal would count as newer"
            elif reason == "merged":
                assert lead["merged_into"] is not None
            elif reason == "below_gate":
                assert lead["decided_under"] > 0, "no newer gate would look at it"
            else:
                assert lead["tried_at"] is not None, "the sweep would never look at it"
                assert lead["waiting_since"] is not None, "the sweep would never look at it"
                if lead["decided_under"] == self.playbook.sequence:
                    barred = {rep: self.barred(rep, lead, found) for rep in self.members[lead["pool_id"]]}
                    passing = {rep for rep, why in barred.items() if why <= {"full", "capped", "not at work"}}
                    assert set(lead["waiting_for"]) == passing, "it waits for others than those who may come free"

    def every_assignment_is_ended_or_in_force(self, found: Found) -> None:
        in_force = {
            (row["lead_id"], row["assignment"], row["rep_id"]) for row in found.assignments if row["ended"] is None
        }
        held = {
            (lead["lead_id"], lead["held_assignment"], lead["owner_rep"]) for lead in found.leads if lead["owner_rep"]
        }
        assert in_force == held
        assert max(Counter(lead for lead, _, _ in in_force).values(), default=0) <= 1, "two owners"

    def nobody_is_given_more_than_they_can_take(self, found: Found) -> None:
        offered = Counter(lead["owner_rep"] for lead in found.leads if lead["owner_rep"] and not lead["accepted"])
        for rep, hours in self.reps.items():
            self.most[rep] = max(self.most[rep], hours.capacity)
            assert offered[rep] <= self.most[rep]

    def shares_are_kept(self, found: Found) -> None:
        """Balances move by what was given, by edits and by what was given back, and by nothing else; and while the same members
        can take the leads, nobody is a lead further from the share than they were (P7)."""
        for pool in POOLS:
            run, moved = self.runs[pool], (found.sequences.get(pool, 0), found.given_back[pool])
            stored = {row["rep_id"]: Fraction(row["due"]) for row in found.balances if row["pool_id"] == pool}
            assert sum(stored.values()) == 0
            if run.moved == moved:
                for record in found.new:
                    if record["pool_id"] == pool:
                        run = self.follow(run, found.traces[record["decision_id"]])
                assert run.after in ({}, stored)
            self.runs[pool] = run if run.moved == moved else Run(moved=moved)

    def follow(self, run: Run, trace: dict[str, Any]) -> Run:
        """The run after one more lead."""
        before = {one["rep_id"]: Fraction(one["due"]) for one in trace["candidates"]}
        assert run.after in ({}, before), "a balance moved by itself"
        took = [one for one in trace["candidates"] if not one["excluded"]]
        members = frozenset((one["rep_id"], one["weight"]) for one in took)
        share = {rep: Fraction(weight, sum(weight for _, weight in members)) for rep, weight in members}
        off = max(abs(before[rep]) for rep in share)
        put = run.put if members == run.members else off
        after = {rep: due + share.get(rep, 0) - (rep == trace["chosen"]) for rep, due in before.items()}
        assert max(abs(after[rep]) for rep in share) < 1 + put, "somebody is a lead further from the share"
        return replace(run, members=members, after=after, put=put)

    def nobody_waits_while_somebody_is_free(self, found: Found) -> None:
        for lead in found.waiting():
            if lead["waiting_reason"].startswith("parked:"):
                free = [rep for rep in self.members[lead["pool_id"]] if not self.barred(rep, lead, found)]
                assert not free, f"{lead['lead_id']} waits ({lead['waiting_reason']}) while {free} could take it"
            if lead["waiting_reason"] == "below_gate":
                assert lead["decided_under"] >= self.playbook.gate_sequence

    # How the tables are read, and who could take a lead by them

    def barred(self, rep: str, lead: Any, found: Found) -> set[str]:
        """All that keeps a rep from a lead, by a simple account."""
        hours, why = self.reps[rep], set()
        midnight = datetime.fromtimestamp(self.now / 1000, TOKYO).replace(hour=0, minute=0, second=0, microsecond=0)
        today = [
            row
            for row in found.assignments
            if row["rep_id"] == rep and row["at"] >= midnight.timestamp() * 1000 and not row["given_back"]
        ]
        if not hours.active:
            why.add("inactive")
        if rep in lead["excluded"]:
            why.add("had it")
        if not hours.at_work(self.now):
            why.add("not at work")
        if sum(other["owner_rep"] == rep for other in found.leads) >= hours.capacity:
            why.add("full")
        if hours.per_day is not None and len(today) >= hours.per_day:
            why.add("capped")
        return why

    @property
    def playbook(self):
        playbook = self.world.policies.following(self.world.tenant).playbook
        assert playbook is not None
        return playbook

    async def sql(self, query: str, *more: Any, worker: bool = False) -> list[Any]:
        if worker:
            return await self.world.workers.fetch(query, self.world.tenant, *more)
        async with tenant_transaction(self.world.pool, self.world.tenant) as connection:
            return await connection.fetch(query, self.world.tenant, *more)

    async def leads(self) -> list[Any]:
        return await self.sql("SELECT * FROM router.leads WHERE tenant = $1")

    async def look(self) -> Found:
        tenant = self.world.tenant
        await self.outbox()
        new, self.new = self.new, []
        async with tenant_transaction(self.world.pool, tenant) as connection:
            leads = await connection.fetch("SELECT * FROM router.leads WHERE tenant = $1", tenant)
            assignments = await connection.fetch("SELECT * FROM router.assignments WHERE tenant = $1", tenant)
            balances = await connection.fetch("SELECT * FROM router.pool_members WHERE tenant = $1", tenant)
            pools = await connection.fetch("SELECT * FROM router.pools WHERE tenant = $1", tenant)
            traces = await connection.fetch(
                "SELECT decision_id, trace FROM router.decisions WHERE tenant = $1 AND decision_id = ANY($2::text[])",
                tenant,
                [record["decision_id"] for record in new],
            )
        return Found(
            leads,
            assignments,
            balances,
            {row["pool_id"]: row["policy_sequence"] for row in pools},
            Counter(row["pool_id"] for row in assignments if row["given_back"]),
            new,
            {row["decision_id"]: row["trace"] for row in traces},
        )


@dataclass(frozen=True)
class Found:
    """The tables of a tenant, and the assignments that were said since they were last looked at."""

    leads: list[Any]
    assignments: list[Any]
    balances: list[Any]
    sequences: dict[str, int]
    given_back: Counter[str]
    new: list[Any]
    traces: dict[str, Any]

    def waiting(self) -> list[Any]:
        return [lead for lead in self.leads if lead["waiting_reason"] is not None]


def _dying(real: Any, when: str) -> Any:
    if not asyncio.iscoroutinefunction(real):

        def dies(*_arguments: Any) -> None:
            raise DeathError

        return dies

    async def dies_within(*arguments: Any, **named: Any) -> None:
        if when == "after":
            await real(*arguments, **named)
        raise DeathError

    return dies_within


@pytest.mark.timeout(600)
def test_whatever_happens_a_lead_has_one_owner_or_a_live_reason_and_shares_are_kept(database_url):
    async def opened() -> tuple[Pool, Pool]:
        return (
            await open_pool(database_url, "baton_app", application="test", size=2),
            await open_pool(database_url, "baton_worker", application="test", size=2),
        )

    with asyncio.Runner() as loop:
        pools = loop.run(opened())
        try:
            run_state_machine_as_test(
                lambda: Town(loop, pools), settings=settings(settings.get_profile("quick"), stateful_step_count=40)
            )
        finally:
            for pool in pools:
                loop.run(pool.close())
