"""Quarantined webhooks verified again, each as of when it came, under the secrets that are now in force."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from pydantic import ValidationError

from services.ingest.domain.refusals import Refused
from services.ingest.hooks import proven_by
from services.ingest.intake import Intake
from services.ingest.quarantine import Seals
from services.ingest.senders import WEBHOOKS
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Registered
from shared.kit.kafka import reader
from shared.kit.partitioner import by_murmur2
from shared.schemas.base import record_key
from shared.schemas.topics import INGEST_QUARANTINE
from shared.schemas.touches import QuarantinedRequest

log = structlog.get_logger(__name__)

MOST = 50  # requests of one step; in between others are served


@dataclass(slots=True)
class Requeued:
    """Requests by what became of them; of the verified ones, their events.

    still_unverified: by code;  unreadable: sealed under another secret, or damaged
    challenges: asked for an answer of their own, and tell nothing
    refused: bodies that hold nothing we can read, by code: they are kept with what is rejected
    """

    requests: int = 0
    verified: int = 0
    still_unverified: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    challenges: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Requeue:
    """Reads the quarantine of one source from its beginning. What was taken before is a duplicate, so it may be done again."""

    def __init__(
        self, bootstrap: str, seals: Seals, intake: Intake, webhooks: Mapping[str, Webhook] = WEBHOOKS
    ) -> None:
        self._bootstrap, self._seals, self._intake, self._webhooks = bootstrap, seals, intake, webhooks

    async def run(self, known: Registered) -> AsyncIterator[Requeued]:
        """The figures so far, after each step; the last ones are those of all. Raises KafkaError, and Refused 503 where nothing
        more can be kept."""
        webhook = self._webhooks.get(known.keys.kind)
        if webhook is None:
            raise Refused("no_webhook", f"a source of kind {known.keys.kind} sends no signed webhooks", 409)
        key = record_key(known.sender.tenant, known.sender.source_id)
        done = Requeued()
        yield done
        async for records in _records(self._bootstrap, key):
            for record in records:
                await self._again(record, known, webhook, done)
            yield done

    async def _again(self, record: ConsumerRecord, known: Registered, webhook: Webhook, done: Requeued) -> None:
        await asyncio.sleep(0)
        done.requests += 1
        try:
            kept = QuarantinedRequest.model_validate_json(record.value or b"")
            request = self._seals.open(kept.tenant, kept.sealed)
        except (ValidationError, ValueError) as error:
            log.error("quarantine_unreadable", offset=record.offset, error=type(error).__name__)
            done.unreadable += 1
            return
        at, sender = kept.received_at, known.sender
        try:
            webhook.verify(request, known.keys, at)
        except Refused as refused:
            done.still_unverified[refused.code] += 1
            return
        done.verified += 1
        self._intake.seen.verified(sender, at, proven_by(webhook, request, known.keys, at))
        hide = [secret.value for secret in known.keys.secrets]
        try:
            if webhook.challenge(request, known.keys):
                done.challenges += 1
                return
            opened = webhook.read(request, known.keys)
        except Refused as refused:
            done.refused[refused.code] += 1
            await self._intake.keep_refused(refused, sender, request.body, at, protocol=webhook.kind, hide=hide)
            return
        outcome = await self._intake.take(opened, sender, at, hide=hide)
        done.accepted += outcome.accepted
        done.duplicate += outcome.duplicate
        done.rejected += outcome.rejected


async def _records(bootstrap: str, key: bytes) -> AsyncIterator[list[Any]]:
    """The records of `key` that are in the quarantine now, oldest first, some at a time."""
    async with reader(bootstrap) as consumer:
        await consumer._client.force_metadata_update()
        numbers = sorted(consumer._client.cluster.partitions_for_topic(INGEST_QUARANTINE.name) or ())
        if not numbers:
            return
        partition = TopicPartition(INGEST_QUARANTINE.name, by_murmur2(key, numbers, ()))
        consumer.assign([partition])
        start = (await consumer.beginning_offsets([partition]))[partition]
        end = (await consumer.end_offsets([partition]))[partition]
        consumer.seek(partition, start)
        while await consumer.position(partition) < end:
            polled = await consumer.getmany(timeout_ms=200, max_records=MOST)
            yield [
                record for records in polled.values() for record in records if record.key == key and record.offset < end
            ]
