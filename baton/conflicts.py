"""Identity conflicts: pairs of leads that an untrusted event named together, and what has become of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from baton import masks
from baton.errors import OperatorError
from baton.home import token_of
from baton.ingest_admin import IngestAdmin
from shared.kit.clock import iso
from shared.kit.kafka import reader
from shared.schemas.topics import IDENTITY_CONFLICTS
from shared.schemas.touches import IdentityConflict

People = Callable[[str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair: its latest conflict, how many there were, who they are as far as is known and may be shown, and whether it waits."""

    latest: IdentityConflict
    times: int
    who: tuple[str, str]
    open: bool

    def as_json(self) -> dict[str, Any]:
        told = self.latest.model_dump(
            include={"tenant", "lead_id", "other_lead_id", "identity_id", "source_id", "event_id"}
        )
        return {**told, "at": iso(self.latest.received_at), "times": self.times, "who": self.who, "open": self.open}


async def read(bootstrap: str, tenant: str) -> list[tuple[IdentityConflict, int]]:
    """The latest conflict of each pair of leads of the last 30 days, and how many there were; the latest first."""
    found: dict[frozenset[str], tuple[IdentityConflict, int]] = {}
    try:
        async with reader(bootstrap) as consumer:
            await consumer._client.set_topics([IDENTITY_CONFLICTS.name])
            numbers = consumer.partitions_for_topic(IDENTITY_CONFLICTS.name) or set()
            partitions = [TopicPartition(IDENTITY_CONFLICTS.name, number) for number in sorted(numbers)]
            if not partitions:
                return []
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        if record.key and record.key.startswith(f"{tenant}/".encode()):
                            with suppress(ValidationError):
                                _join(found, IdentityConflict.model_validate_json(record.value or b""))
    except KafkaError as error:
        raise OperatorError(f"Kafka at {bootstrap} does not answer ({type(error).__name__})") from error
    return sorted(found.values(), key=lambda pair: -pair[0].received_at)


def _join(found: dict[frozenset[str], tuple[IdentityConflict, int]], conflict: IdentityConflict) -> None:
    pair = frozenset((conflict.lead_id, conflict.other_lead_id))
    known, times = found.get(pair, (conflict, 0))
    found[pair] = (max(known, conflict, key=lambda each: each.received_at), times + 1)


def judge(pair: tuple[IdentityConflict, int], ingest: IngestAdmin, people: People, *, reveal: bool) -> Judged:
    """A pair waits while both leads have identities of their own."""
    conflict, times = pair
    leads = (conflict.lead_id, conflict.other_lead_id)
    there = [ingest.find("/identity/show", {"who": f"lead:{lead}"}, tenant=conflict.tenant) for lead in leads]
    first, second = (masks.person(people(lead), reveal=reveal) for lead in leads)
    return Judged(conflict, times, (first, second), all(there))


def people(names: Mapping[str, str], tenant: str) -> People:
    """Who a lead is, as the router knows it; nothing where it does not, or cannot be asked."""
    known: dict[str, dict[str, str]] = {}
    try:
        url, token = names["ROUTER_URL"], token_of(names, tenant)
    except OperatorError:
        return lambda lead: {}

    def ask(lead: str) -> dict[str, str]:
        if lead not in known:
            known[lead] = {}
            with suppress(httpx.HTTPError, ValueError, AttributeError):
                answer = httpx.get(f"{url}/v1/leads/{lead}", headers={"Authorization": f"Bearer {token}"}, timeout=10)
                known[lead] = {} if answer.is_error else (answer.json().get("person") or {})
        return known[lead]

    return ask


def listing(judged: list[Judged]) -> str:
    """Each pair in three lines: when, how often, by which source and whether it waits; then the two leads."""
    lines: list[str] = []
    for one in judged:
        conflict = one.latest
        often = "once" if one.times == 1 else f"{one.times} times, last"
        state = "waits" if one.open else "resolved"
        lines.append(f"{often} {iso(conflict.received_at)}, by {conflict.source_id}: {state}")
        for lead, who in zip((conflict.lead_id, conflict.other_lead_id), one.who, strict=True):
            lines.append(f"    lead:{lead}  {who}".rstrip())
    return "\n".join(lines)
