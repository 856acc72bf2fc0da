"""Time alone: whatever happens and whenever somebody looks, each change of band is told, at its own moment, and once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import settings

from services.scoring import rescoring
from services.scoring.batch import Slice
from services.scoring.domain.codec import decode_state
from services.scoring.domain.fading import Fading
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import at_moment, stand
from services.scoring.handler import Scorer
from services.scoring.policies import Policies
from services.scoring.rescoring import Rescoring
from services.scoring.timers import Timers
from shared.kit.clock import FakeClock
from shared.kit.dead_letters import DeadLetters
from shared.kit.kafka import FakePublisher, Message
from shared.schemas.policies import PolicyPublished, ScoringPolicy
from shared.schemas.scores import LeadScored, PolicyRef
from shared.schemas.topics import LEAD_SCORED, TOUCHPOINTS
from tests import scoring_reference as reference
from tests.properties.test_scoring_reference import LEAD, TENANT, a_policy, a_touch, links
from tests.scoring_fakes import FakeStates

HOUR, DAY = 3_600_000, 86_400_000
NOW = 1_790_000_000_000
HISTORIES = settings.default.max_examples  # in each block
BASE = 0 if settings.default.derandomize else uuid4().int % 10**9

Json = dict[str, Any]
Bands = tuple[str, str]


@dataclass
class Record:
    offset: int
    value: bytes
    key: bytes = b""
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


def edgy(rng: Random, policy: ScoringPolicy) -> ScoringPolicy:
    """The policy with other bands and caps, so that points fall through the bands and the caps are seldom in the way."""
    top = rng.choice((3, 10, 40, 100, 200))
    bands = sorted((round(rng.uniform(-top / 4, top), 3) for _ in range(3)), reverse=True)
    groups = {name: 1000 if rng.random() < 0.7 else cap for name, cap in policy.engagement.groups.items()}
    engagement = {"bands": bands, "cap": rng.choice((top, 1000)), "groups": groups}
    body = policy.model_dump(mode="json", exclude_none=True)
    body["engagement"] |= engagement
    return ScoringPolicy.model_validate(body)


@dataclass
class World:
    """One lead, one partition, one worker, a clock that is moved by hand."""

    rng: Random
    policy: ScoringPolicy
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    publisher: FakePublisher = field(default_factory=FakePublisher)
    states: FakeStates = field(default_factory=FakeStates)
    policies: Policies = field(default_factory=Policies)
    heard: list[Json] = field(default_factory=list)
    read: int = 0
    sequence: int = 0

    def __post_init__(self) -> None:
        self.publish(self.policy)
        self.start()

    def start(self) -> None:
        """A new process over the same stores."""
        letters = DeadLetters(FakePublisher(), self.clock, group="scoring", most=100)
        self.scorer = Scorer(self.states, self.publisher, self.policies, letters, self.clock)
        self.timers = Timers(self.states, self.scorer, self.owned, self.clock)
        self.rescoring = Rescoring(
            self.states, self.scorer, self.policies, self.owned, self.clock, per_second=1_000_000
        )

    def owned(self, now: int) -> dict[int, int]:
        return {0: now}

    def publish(self, policy: ScoringPolicy) -> None:
        self.policy = policy
        self.sequence += 1
        body = policy.model_dump(mode="json", exclude_none=True)
        record = PolicyPublished(
            tenant=TENANT, kind="scoring", sequence=self.sequence, hash="h", body=body, activated_at=1
        )
        self.policies.apply(Message("policies", 0, 0, record.key(), record.model_dump_json().encode()))

    async def tell(self, records: list[Json]) -> None:
        self.heard += records
        batch = [Record(self.read + number, orjson.dumps(record)) for number, record in enumerate(records)]
        self.read += len(batch)
        await self.scorer.handle([Slice(TOUCHPOINTS.name, 0, batch)])

    def said(self) -> list[LeadScored]:
        return [
            LeadScored.model_validate_json(record.value or b"")
            for record in self.publisher.records
            if record.topic == LEAD_SCORED.name
        ]

    def bands(self, moment: int) -> Bands:
        found = reference.scored(reference.leads(self.heard)[LEAD], self.policy, moment)
        return found["grade"], found["temperature"]

    def moments(self, since: int, until: int) -> list[int]:
        """A coarse scan, and beside it all moments at which something may jump, with the ms before and after."""
        ats = [record["at"] for record in self.heard if "at" in record]
        overlays = self.policy.overlays
        behaviour = [*self.policy.engagement.rules, *(rule for one in overlays for rule in one.behaviour)]
        fits = [*self.policy.fit.rules, *(rule for one in overlays for rule in one.fit)]
        ages = {reference.counts_for(rule) for rule in behaviour} | {7 * DAY}
        ages |= {round(rule.expires_days * DAY) for rule in fits if rule.expires_days}
        edges = {at + age for at in ats for age in ages}
        days = [
            day
            for rule in (*behaviour, *fits)
            for day in (rule.valid_from, rule.valid_until and rule.valid_until + timedelta(days=1))
            if day
        ]
        zone = self.policy.zone_offset_minutes * 60_000
        edges |= {int(datetime.combine(day, time(), UTC).timestamp()) * 1000 - zone for day in days}
        near = {edge + beside for edge in edges for beside in (-1, 0, 1)}
        stride = max(HOUR, (until - since) // 60)
        return sorted({*range(since, until, stride), *(at for at in near if since <= at <= until), until})


def touches(rng: Random, world: World, number: int) -> Iterator[Json]:
    """Some of what was done lately; the last of it is received right now, or was a moment ago."""
    now = world.clock.now() - rng.choice((0, 0, 5_000))
    for extra in range(rng.randint(1, 8)):
        late = rng.choice((0, 0, HOUR, 5 * DAY))
        touch = a_touch(rng, 100 * number + extra, rng.choice(("mail", "mail", "phone")), 1)
        yield touch | {"at": now - late, "received_at": now, "condemns": []}


def check(world: World, since: int, last_look: int, told: list[LeadScored], name: str) -> None:
    """What was told stands for the lead at every moment until somebody looked last, and nothing was told that is no change."""
    changes = [score for score in told if score.cause == "time"]
    assert [score.as_of for score in changes] == sorted({score.as_of for score in changes}), name
    for score in changes:
        assert (score.grade, score.temperature) == world.bands(score.as_of), name
        assert world.bands(score.as_of - 1) != world.bands(score.as_of), name
    if last_look < since:
        return
    for moment in world.moments(since, last_look):
        latest = max((score for score in told if score.as_of <= moment), key=lambda score: score.version)
        assert (latest.grade, latest.temperature) == world.bands(moment), f"{name} at {moment}"


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescoring, "PAGE", 1)


@pytest.mark.parametrize("block", range(4))
async def test_wakings_at_random_tell_every_change_of_band_once_and_no_other(block: int) -> None:
    changed = 0
    for number in range(BASE + block * HISTORIES, BASE + (block + 1) * HISTORIES):
        rng = Random(number)
        world = World(rng, edgy(rng, a_policy(rng)))
        await world.tell(links())
        for chapter in range(rng.randint(1, 3)):
            world.publisher.records.clear()
            await world.tell(list(touches(rng, world, chapter)))
            if chapter and rng.random() < 0.5:
                world.publish(edgy(rng, world.policy))
                while await world.rescoring.step():
                    pass
            first = world.said()[-1]
            last_look = 0
            for _ in range(rng.choice((0, 1, 3, 8))):
                world.clock.advance(milliseconds=rng.choice((1, 700, HOUR, DAY, 20 * DAY, rng.randrange(100 * DAY))))
                if rng.random() < 0.2:
                    world.start()
                await world.timers.fire()
                last_look = world.clock.now()
            told = [score for score in world.said() if score.version >= first.version]
            check(world, first.as_of, last_look, told, f"history {number}, chapter {chapter}")
            changed += sum(score.cause == "time" for score in told)
            world.clock.advance(milliseconds=rng.choice((1, HOUR, 10 * DAY)))
    assert changed > 5


@pytest.mark.parametrize("block", range(2))
async def test_what_fades_is_counted_as_the_score_counts_it(block: int) -> None:
    """The search for changes adds up touches by itself, to be fast."""
    for number in range(BASE + block * HISTORIES, BASE + (block + 1) * HISTORIES):
        rng = Random(number)
        world = World(rng, edgy(rng, a_policy(rng)))
        await world.tell(links())
        await world.tell(list(touches(rng, world, 0)))
        rules = Rules(world.policy, PolicyRef(sequence=1, hash="h"))
        standing = stand(decode_state(world.states.states[0][f"{TENANT}/{LEAD}"]), LEAD, rules)
        begin = NOW
        fading = Fading(standing, begin)
        ends = min([NOW + 900 * DAY, *(at for at in standing.rules.boundaries if at > begin)])
        for _ in range(20):
            moment = rng.randrange(begin, ends)
            assert fading.total(moment) == at_moment(standing, moment).engaged.total or standing.internal, number
