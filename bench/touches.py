"""Touches of the demo tenant as ingest writes them: zipf over people, so that a few are busy and most are not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import orjson

from bench.setup import TENANT
from shared.kit.kafka import KafkaPublisher, Outgoing
from shared.schemas import ids
from shared.schemas.base import record_key
from shared.schemas.topics import TOUCHPOINTS

DAY = 86_400_000
SEED = 20_260_301
CHUNK = 5_000

# What people do, by how often of a hundred; the last two tell who they are.
KINDS = {
    "page_viewed": 45,
    "product_page_viewed": 15,
    "pricing_page_viewed": 6,
    "case_page_viewed": 6,
    "email_opened": 10,
    "email_clicked": 6,
    "whitepaper_downloaded": 4,
    "webinar_registered": 2,
    "catalog_downloaded": 4,
    "demo_requested": 2,
}
FORMS = frozenset({"catalog_downloaded", "demo_requested"})
LEVELS = ("executive", "head", "manager", "supervisor", "staff")
DEPARTMENTS = ("it", "dx", "manufacturing", "quality", "hr")


@dataclass(frozen=True, slots=True)
class Person:
    """A known person: who came by a user id."""

    number: int
    lead_id: str
    identity_id: str


def people(secret: bytes, count: int) -> list[Person]:
    """secret: the master secret that tenants' secrets derive from"""
    tenant_secret = ids.tenant_secret(secret, TENANT)
    found = []
    for number in range(count):
        identity = ids.identity_id(tenant_secret, TENANT, "user", f"user-{number}")
        found.append(Person(number, ids.lead_id(identity), identity))
    return found


class Touches:
    """An endless, repeatable stream of touches: the n-th most busy of `people` is n times as quiet as the first."""

    def __init__(self, people: Sequence[Person], seed: int = SEED) -> None:
        self._people = people
        self._random = random.Random(seed)
        self._weights = list(accumulate(1 / rank for rank in range(1, len(people) + 1)))
        self._kinds = list(KINDS)
        self._kind_weights = list(accumulate(KINDS.values()))
        self._seed, self._number = seed, 0

    def next(self, at: int) -> tuple[Person, Outgoing]:
        """A touch that happened and was received at `at` (ms), as a record of `touchpoints`."""
        person = self._random.choices(self._people, cum_weights=self._weights)[0]
        kind = self._random.choices(self._kinds, cum_weights=self._kind_weights)[0]
        self._number += 1
        touch = {
            "lead_id": person.lead_id,
            "record": "touch",
            "tenant": TENANT,
            "source_id": "website",
            "type": kind,
            "event": kind.replace("_", " ").capitalize(),
            "path": f"/pages/{self._number % 40}",
            "topic": "routing",
            "campaign": f"campaign-{self._number % 12}",
            **(_form(person) if kind in FORMS else {}),
            "identity_id": person.identity_id,
            "identity_kind": "user",
            "event_id": ids.derived_id("event", TENANT, "website", f"bench-{self._seed}-{self._number}"),
            "at": at,
            "received_at": at,
            "clock": "kept",
        }
        return person, Outgoing(TOUCHPOINTS.name, record_key(TENANT, person.lead_id), orjson.dumps(touch))


def _form(person: Person) -> dict[str, object]:
    number = person.number
    domain = f"company{number % 2000}.example"
    return {
        "attributes": {
            "level": LEVELS[number % len(LEVELS)],
            "department": DEPARTMENTS[number // 7 % len(DEPARTMENTS)],
            "employees": 50 + number % 3000,
            "size_band": f"s{2 + number % 5}",
            "company": f"Company {number % 2000}",
            "domain": domain,
            "account": domain,
            "own_domain": True,
        },
        "evidence": {"N1": "stated", "T1": "3m"},
        "person": {
            "scheme": "plain",
            "fields": {"email": f"person{number}@{domain}", "name": f"Person {number}", "title": "部長"},
        },
    }


def history(touches: Touches, count: int, until: int, days: int = 30) -> Iterator[Outgoing]:
    """`count` touches, evenly over the `days` before `until` (ms)."""
    for number in range(count):
        yield touches.next(until - days * DAY * (count - number) // count)[1]


async def preload(bootstrap: str, records: Iterator[Outgoing]) -> int:
    """Write all, in order; how many there were."""
    publisher = KafkaPublisher(bootstrap)
    await publisher.start()
    chunk: list[Outgoing] = []
    written = 0
    for record in records:
        chunk.append(record)
        if len(chunk) == CHUNK:
            await publisher.publish(chunk)
            written, chunk = written + len(chunk), []
    await publisher.publish(chunk)
    await publisher.stop()
    return written + len(chunk)
