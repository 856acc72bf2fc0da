"""Rebuilding when the log no longer has all there ever was, on servers of its own: records can be deleted here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from random import Random

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from baton.stack import Stack
from services.scoring.domain.rules import Rules
from services.scoring.rebuild import LossError, Options, rebuild
from shared.kit.kafka import EMBEDDED_PARTITIONS, ensure_topics
from shared.schemas.base import Record
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef
from shared.schemas.topics import TOUCHPOINTS
from tests.integration.scoring.test_rebuild import CHANGED, apply, built, digests, offline, settled
from tests.integration.scoring.town import POLICY, RULES, Town, history

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

PARTITIONS = [TopicPartition(TOUCHPOINTS.name, partition) for partition in range(EMBEDDED_PARTITIONS)]
CONTACT = POLICY | {
    "engagement": POLICY["engagement"] | {"rules": [r for r in POLICY["engagement"]["rules"] if r["id"] == "contact"]}
}
CONTACT_ONLY = Rules(ScoringPolicy.model_validate(CONTACT), PolicyRef(sequence=1, hash="h"))
PAGE = CHANGED | {
    "engagement": CHANGED["engagement"] | {"rules": [r for r in CHANGED["engagement"]["rules"] if r["id"] == "page"]}
}
PAGE_ONLY = Rules(ScoringPolicy.model_validate(PAGE), PolicyRef(sequence=2, hash="h2"))


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    own = {name: value for name, value in os.environ.items() if not name.endswith(("_SERVERS", "_URL"))}
    ports = dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0)
    stack = Stack(
        tmp_path_factory.mktemp("cut"),
        say=lambda line: None,
        ports=ports,
        environ=own | {"DATABASE_URL": "postgresql://is.not.needed/here"},
    )
    with stack:
        asyncio.run(ensure_topics(stack.addresses().kafka))
        yield stack


@pytest.fixture(scope="module")
def kafka_url(own_stack: Stack) -> str:
    return own_stack.addresses().kafka


@pytest.fixture(scope="module")
def redis_url(own_stack: Stack) -> str:
    return own_stack.addresses().redis


async def cut(town: Town) -> None:
    """All touches and links so far leave the log."""
    admin = AIOKafkaAdminClient(bootstrap_servers=town.kafka)
    await admin.start()
    await admin.delete_records({partition: RecordsToDelete(before_offset=-1) for partition in PARTITIONS})
    await admin.close()


async def sent_and_cut(town: Town) -> tuple[list[Record], list[Record]]:
    """Records that have left the log but are remembered, and some that have not."""
    worker = await town.hire(SCORING_ACCEPT_LOSS="true")  # of what the test before this one has deleted
    await town.until(worker.is_ready)
    records = history(town.tenant, 700, 40, Random(21))
    await settled(town, records[:500])
    await cut(town)
    await settled_all(town, records)
    return records[:500], records[500:]


async def settled_all(town: Town, records: list[Record]) -> None:
    await town.send(records[500:])
    expected = digests(offline(records, RULES), RULES)

    async def all_there() -> bool:
        return digests(await built(town, 0), RULES) == expected

    await town.until(all_there)


async def test_what_has_left_the_log_is_carried_over_but_for_what_no_state_has_kept(town: Town) -> None:
    """Registers, attributes and the marks of rules that stay; the changed rule counts what the log still has."""
    gone, left = await sent_and_cut(town)
    await apply(town, CHANGED, 2)

    async def needed() -> bool:
        return await town.workers[0].metric("baton_scoring_replay_needed", tenant=town.tenant) == 2

    await town.until(needed)
    with pytest.raises(LossError) as refused:
        await rebuild(Options(town.kafka, town.redis_url, town.group))
    mine = {loss.kept.rule_id for loss in refused.value.found if loss.tenant == town.tenant}
    assert mine == {"page", "junk"}, "what the states remember of the other rules is carried over"

    report = await rebuild(Options(town.kafka, town.redis_url, town.group, accept_loss=True))
    assert report.carried > 30
    states = await built(town, 1)
    assert digests(states, CONTACT_ONLY) == digests(offline([*gone, *left], RULES), CONTACT_ONLY)
    pages = {lead: found for lead, found in digests(states, PAGE_ONLY).items() if marked(found)}
    kept = offline([*(one for one in gone if one.record == "link"), *left], PAGE_ONLY)  # type: ignore[attr-defined]
    expected = {lead: found for lead, found in digests(kept, PAGE_ONLY).items() if marked(found)}
    assert {lead: marked(found) for lead, found in pages.items()} == {
        lead: marked(found) for lead, found in expected.items()
    }


def marked(found: dict[str, list[object]]) -> dict[str, object]:
    """The marks of each identity that has some (the fourth field of a memory)."""
    return {identity: memory[3] for identity, memory in found.items() if memory[3]}


async def test_who_wants_nothing_carried_over_has_to_accept_that_all_of_it_is_lost(town: Town) -> None:
    gone, left = await sent_and_cut(town)
    with pytest.raises(LossError):
        await rebuild(Options(town.kafka, town.redis_url, town.group, fresh=True))
    report = await rebuild(Options(town.kafka, town.redis_url, town.group, fresh=True, accept_loss=True))
    assert report.carried == 0
    found = digests(await built(town, 1), RULES)
    there = {identity for lead in found.values() for identity in lead}
    # What one lead told another is on a topic of its own, and was not deleted here.
    named = {one.identity_id for one in [*left, *gone] if one in left or one.record == "link"}  # type: ignore[attr-defined]
    assert there <= named
    assert {one.identity_id for one in gone} - named  # type: ignore[attr-defined]
