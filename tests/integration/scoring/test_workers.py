"""The whole service over real Kafka and Redis: workers come, go and are killed, and the scores are those of a recomputation."""

from __future__ import annotations

import asyncio
import signal
from itertools import count
from random import Random

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.scoring.domain.codec import decode_state
from services.scoring.domain.state import LeadState
from services.scoring.states import RedisStates
from services.scoring.subjects import lead_key
from services.scoring.wire import INPUTS
from shared.kit.kafka import EMBEDDED_PARTITIONS, Outgoing
from shared.kit.partitioner import by_murmur2
from shared.schemas import ids
from shared.schemas.base import Record, record_key
from shared.schemas.handoff import HandoffEvent
from shared.schemas.topics import HANDOFF_EVENTS
from shared.schemas.touches import LinkChanged
from tests.integration.scoring.town import NOW, Town, history, recomputed, touch

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


async def test_killed_stopped_and_robbed_workers_end_with_the_recomputed_scores(town: Town) -> None:
    """Traps 1 to 6: two workers on a new group, one killed, one stopped, all states lost, records sent twice."""
    rng = Random(7)
    records = history(town.tenant, 2_000, 120, rng)
    expected = recomputed(records)
    sent = records + rng.sample(records, 200)  # duplicates, late and out of order
    first, second = await asyncio.gather(town.hire(), town.hire())
    await town.send(sent[:700])
    await town.until(lambda: len(town.scores) > 20)
    await town.until(first.is_ready)
    await town.until(second.is_ready)

    await first.end(signal.SIGKILL)
    await town.send(sent[700:1_200])
    for partition in range(8):
        keys = [f"{town.group}:{{s:{partition}}}:{what}" for what in ("applied", "states")]
        await town.redis.delete(*keys)
    await town.send(sent[1_200:1_700])
    await town.until(lambda: second.crashes > 0)
    await town.hire()
    await town.until(second.is_ready)
    assert await second.end(signal.SIGTERM) == 0
    await town.send(sent[1_700:])
    assert len(expected) > 60
    await town.agree(expected)


async def test_no_score_from_before_a_loss_of_redis_outlives_it(town: Town) -> None:
    """A version counts records of all topics, and these are read again in any order: whichever comes first, what was last said of
    one of these two leads before the loss has a higher version than what is said of it when it is read again."""
    here = [mail for n in range(100) if partition_of(town, ids.lead_id(mail := f"{town.tenant}-mail-{n}")) == 0]
    clicking, selling = here[:2]
    leads, rng = [ids.lead_id(mail) for mail in (clicking, selling)], Random(11)
    clicks = [touch(town.tenant, clicking, "email", leads[0], number, rng) for number in range(200)]
    known = touch(town.tenant, selling, "email", leads[1], 1_000, rng)
    outcomes = [declined(town.tenant, leads[1], number) for number in range(200)]

    worker = await town.hire(SCORING_POLL_RECORDS="20")
    await town.send([known, *clicks[:198]])
    await tell(town, outcomes[:198])
    await town.until(town.has_caught_up)
    await town.send([clicks[198]])  # all is read, and both are told of once more
    await tell(town, [outcomes[198]])
    await town.until(town.has_caught_up)
    assert await worker.end(signal.SIGTERM) == 0
    keys = [key async for key in town.redis.scan_iter(f"{town.group}:*")]
    assert keys
    await town.redis.delete(*keys)
    await town.send([clicks[199]])
    await tell(town, [outcomes[199]])
    await town.hire(SCORING_POLL_RECORDS="20")
    await town.until(town.has_caught_up)
    await town.agree(await in_redis(town, leads))


def partition_of(town: Town, lead: str) -> int:
    return by_murmur2(record_key(town.tenant, lead), range(EMBEDDED_PARTITIONS), ())


def declined(tenant: str, lead: str, number: int) -> HandoffEvent:
    return HandoffEvent(
        tenant=tenant,
        lead_id=lead,
        kind="offer-declined",
        event_id=ids.derived_id(tenant, "declined", number),
        opportunity_id=ids.derived_id(tenant, "opportunity", lead),
        cycle=1,
        assignment=1,
        at=NOW + number,
        reason="junk",
    )


async def tell(town: Town, outcomes: list[HandoffEvent]) -> None:
    await town.publisher.publish(
        [Outgoing(HANDOFF_EVENTS.name, o.key(), o.model_dump_json().encode()) for o in outcomes]
    )


async def in_redis(town: Town, leads: list[str]) -> dict[str, LeadState]:
    subjects = {lead_key(town.tenant, lead): lead for lead in leads}
    loaded = (await RedisStates(town.redis, group=town.group).load({0: list(subjects)}))[0]
    return {subjects[key]: decode_state(raw) for key, raw in loaded.states.items()}


async def test_what_another_partition_tells_is_heard_while_touches_keep_coming(town: Town) -> None:
    """Transfers are not asked for with every fetch, and there is no moment here in which nothing else is read."""
    rng, mail = Random(19), f"{town.tenant}-mail"
    person = ids.lead_id(mail)
    device = next(
        name
        for number in range(100)
        if partition_of(town, ids.lead_id(name := f"{town.tenant}-device-{number}")) != partition_of(town, person)
    )
    before = ids.lead_id(device)
    records: list[Record] = [touch(town.tenant, mail, "email", person, 0, rng)]
    records += [touch(town.tenant, device, "anonymous", before, number, rng) for number in range(1, 6)]
    links = [
        LinkChanged(
            tenant=town.tenant,
            lead_id=lead,
            received_at=NOW,
            identity_id=device,
            identity_kind="anonymous",
            owner=person,
            sequence=1,
        )
        for lead in (before, person)
    ]
    worker = await town.hire()
    await town.send(records)
    await town.until(lambda: person in town.scores)

    async def keep_coming() -> None:
        for number in count(6):
            other = f"{town.tenant}-other-{number % 50}"
            await town.send([touch(town.tenant, other, "email", ids.lead_id(other), number, rng)])

    coming = asyncio.create_task(keep_coming())
    try:
        await town.until(lambda: len(town.scores) > 10)
        await town.send([*links])
        expected = {person: recomputed([*records, *links])[person]}
        await town.until(lambda: not town.differing(expected), seconds=30)
        assert not coming.done()
    finally:
        coming.cancel()
        await asyncio.wait({coming})
    assert worker.crashes == 0


async def test_workers_share_the_partitions_of_both_topics_alike(town: Town) -> None:
    """Three workers for eight partitions, where a plain round robin would part the topics; a worker that is given them so stops."""
    await asyncio.gather(*(town.hire(SCORING_INSTANCE_ID=f"scoring-{n}") for n in range(3)))
    for worker in town.workers:
        await town.until(worker.is_ready)
    records = history(town.tenant, 200, 40, Random(3))
    expected = recomputed(records)
    await town.send(records)
    await town.agree(expected)
    assert [worker.crashes for worker in town.workers] == [0, 0, 0]


async def test_a_worker_that_is_told_to_stop_has_committed_what_it_did(town: Town) -> None:
    worker = await town.hire()
    records = history(town.tenant, 100, 20, Random(5))
    expected = recomputed(records)
    await town.send(records)
    await town.agree(expected)
    assert await worker.end(signal.SIGTERM) == 0
    admin = AIOKafkaAdminClient(bootstrap_servers=town.kafka)
    await admin.start()
    committed = await admin.list_consumer_group_offsets(town.group)
    await admin.close()
    for partition in range(8):
        applied = await town.redis.hgetall(f"{town.group}:{{s:{partition}}}:applied")
        for topic in INPUTS:
            if int(applied.get(topic.encode(), 0)):
                assert committed[TopicPartition(topic, partition)].offset == int(applied[topic.encode()])
