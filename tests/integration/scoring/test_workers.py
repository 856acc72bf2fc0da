"""The whole service over real Kafka and Redis: workers come, go and are killed, and the scores are those of a recomputation."""

from __future__ import annotations

import asyncio
import signal
from random import Random

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.scoring.wire import INPUTS
from tests.integration.scoring.town import Town, history, recomputed, roll_call

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]


async def test_killed_stopped_and_robbed_workers_end_with_the_recomputed_scores(town: Town) -> None:
    """Traps 1 to 6: two workers on a new group, one killed, one stopped, all states lost, records sent twice."""
    rng = Random(7)
    records = history(town.tenant, 2_000, 120, rng)
    called = roll_call(town.tenant, records, rng)
    expected = recomputed(records + called)
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
    # A lead of which nothing more is heard after a loss may keep a score of a higher version from before it (README): all are heard
    # of once more, when as much is read as had ever been.
    await town.until(town.has_caught_up)
    await town.send(called)
    assert len(expected) > 60
    await town.agree(expected)


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
