"""A scorer over fakes, and the records that it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from services.scoring.batch import Slice
from services.scoring.handler import Scorer
from services.scoring.policies import Policies
from shared.kit.clock import FakeClock
from shared.kit.dead_letters import DeadLetters
from shared.kit.kafka import FakePublisher, Message, Outgoing
from shared.schemas.base import record_key
from shared.schemas.ids import lead_id
from shared.schemas.policies import PolicyPublished
from shared.schemas.scores import LeadScored
from shared.schemas.topics import LEAD_SCORED, SCORE_TRANSFERS, TOUCHPOINTS
from shared.schemas.touches import LinkChanged, Touch
from tests.scoring_fakes import FakeStates

NOW = 1_790_000_000_000
POLICY: dict[str, Any] = {
    "kind": "scoring",
    "hand_raises": ["contact_requested"],
    "engagement": {
        "groups": {"web": 30},
        "rules": [
            {
                "id": "page",
                "when": {"touch.type": {"eq": "page_viewed"}},
                "points": 2,
                "half_life_days": 14,
                "limit": 3,
                "group": "web",
            }
        ],
    },
    "fit": {"rules": []},
}


@dataclass
class Log:
    """The input topics of one partition, and the slices of them."""

    topics: dict[str, list[tuple[bytes, bytes | None]]] = field(default_factory=dict)

    def add(self, topic: str, key: bytes, value: bytes | None) -> None:
        self.topics.setdefault(topic, []).append((key, value))

    def slice(self, topic: str, first: int = 0, end: int | None = None) -> Slice:
        end = len(self.topics[topic]) if end is None else end
        return Slice(topic, 0, [Record(offset, *self.topics[topic][offset]) for offset in range(first, end)])

    def all(self) -> list[Slice]:
        return [self.slice(topic) for topic in self.topics]


@dataclass
class Record:
    offset: int
    key: bytes
    value: bytes | None
    timestamp: int = NOW
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Bench:
    """A scorer and everything around it; `restart` gives a new one over the same stores, as a new process would be."""

    states: FakeStates = field(default_factory=FakeStates)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    letters: FakePublisher = field(default_factory=FakePublisher)
    policies: Policies = field(default_factory=Policies)
    log: Log = field(default_factory=Log)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))

    def __post_init__(self) -> None:
        self.publish_policy("acme", POLICY)

    def publish_policy(self, tenant: str, body: dict[str, Any], sequence: int = 1) -> None:
        record = PolicyPublished(tenant=tenant, kind="scoring", sequence=sequence, hash="h", body=body, activated_at=1)
        self.policies.apply(Message("policies", 0, 0, record.key(), record.model_dump_json().encode()))

    def restart(self) -> Scorer:
        dead_letters = DeadLetters(self.letters, self.clock, group="scoring", most=100)
        return Scorer(self.states, self.publisher, self.policies, dead_letters, self.clock, cached_leads=100)

    def touch(self, identity: str, number: int, **more: Any) -> None:
        record = Touch.model_validate(
            {
                "tenant": "acme",
                "lead_id": lead_id(identity),
                "identity_id": identity,
                "identity_kind": "email",
                "event_id": f"event-{number}",
                "source_id": "site",
                "type": "page_viewed",
                "at": NOW + number,
                "received_at": NOW + number,
                **more,
            }
        )
        self.log.add(TOUCHPOINTS.name, record.key(), record.model_dump_json(exclude_none=True).encode())

    def link(self, lead: str, identity: str, owner: str, sequence: int, kind: Any = "email") -> None:
        record = LinkChanged(
            tenant="acme", lead_id=lead, identity_id=identity, identity_kind=kind, owner=owner, sequence=sequence,
            received_at=NOW,
        )  # fmt: skip
        self.log.add(TOUCHPOINTS.name, record.key(), record.model_dump_json().encode())

    def feed_back(self) -> None:
        """Put the transfers published onto their topic, once."""
        for record in self.published(SCORE_TRANSFERS.name):
            self.log.add(record.topic, record.key, record.value)

    def published(self, topic: str) -> list[Outgoing]:
        return [record for record in self.publisher.records if record.topic == topic]

    def scores(self) -> dict[str, LeadScored]:
        """The last score published of each lead."""
        read = [LeadScored.model_validate_json(record.value or b"") for record in self.published(LEAD_SCORED.name)]
        return {score.lead_id: score for score in read}

    def junk(self, lead: str, value: bytes | None = None) -> None:
        self.log.add(
            TOUCHPOINTS.name, record_key("acme", lead), orjson.dumps({"record": "?"}) if value is None else value
        )


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def new_bench() -> Callable[[], Bench]:
    return Bench
