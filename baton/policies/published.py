"""What of all tenants is in force, from the topic: Postgres shows a tenant its own alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from shared.kit.compacted import CompactedTopic
from shared.kit.kafka import Message
from shared.kit.service import cancel
from shared.schemas.policies import SourcesPolicy, TeamsPolicy
from shared.schemas.policies.book import PolicyBook
from shared.schemas.topics import POLICIES

PATIENCE_SECONDS = 30.0


async def published(bootstrap: str) -> tuple[dict[str, SourcesPolicy], dict[str, TeamsPolicy]]:
    """Sources and teams, by tenant. Raises KafkaError, and TimeoutError where the topic cannot be read to its end."""
    book = PolicyBook({"sources": SourcesPolicy, "teams": TeamsPolicy})

    def take(message: Message) -> None:
        with suppress(ValueError):  # what no service can read is in force nowhere
            book.apply(message.value or b"")

    topic = CompactedTopic(bootstrap, POLICIES, take)
    reading = asyncio.create_task(topic.run())
    caught_up = asyncio.create_task(topic.caught_up.wait())
    try:
        await asyncio.wait({reading, caught_up}, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            reading.result()
        if not caught_up.done():
            raise TimeoutError(f"the topic {POLICIES.name} could not be read within {PATIENCE_SECONDS:g} s")
    finally:
        await cancel({reading, caught_up})
    sources = {tenant: one[0] for tenant in book.tenants() if (one := book.find(tenant, SourcesPolicy))}
    teams = {tenant: two[0] for tenant in book.tenants() if (two := book.find(tenant, TeamsPolicy))}
    return sources, teams
