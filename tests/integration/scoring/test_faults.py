"""Scoring on servers of its own that are hurt: it does what its README says, and the scores are those of a recomputation."""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path
from random import Random
from time import monotonic

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from baton.stack import Stack
from services.scoring.states import Change, RedisStates
from services.scoring.wire import INPUTS
from shared.kit.kafka import EMBEDDED_PARTITIONS, Outgoing, ensure_topics
from shared.schemas.base import record_key
from shared.schemas.topics import LEAD_SCORED, TOUCHPOINTS
from tests.integration.scoring.town import Town, history, recomputed

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]
SESSION_SECONDS = 6


@pytest.fixture(scope="module")
def kafka_url(own_stack: Stack) -> str:
    return own_stack.addresses().kafka


@pytest.fixture(scope="module")
def redis_url(own_stack: Stack) -> str:
    return own_stack.addresses().redis


async def applied(town: Town) -> int:
    """How many touches are applied, of all partitions."""
    keys = [f"{town.group}:{{s:{partition}}}:applied" for partition in range(EMBEDDED_PARTITIONS)]
    return sum([int(await town.redis.hget(key, TOUCHPOINTS.name) or 0) for key in keys])


async def test_a_zombie_that_wakes_after_its_partitions_went_to_another_does_no_harm(town: Town) -> None:
    records = history(town.tenant, 900, 60, Random(1))
    expected = recomputed(records)
    zombie = await town.hire()
    await town.until(zombie.is_ready)
    await town.send(records[:400])
    await town.until(lambda: len(town.scores) > 20)
    assert zombie.process
    zombie.process.send_signal(signal.SIGSTOP)
    stopped = monotonic()
    heir = await town.hire()
    await town.send(records[400:700])
    await town.until(heir.is_ready)
    await town.until(lambda: monotonic() - stopped > SESSION_SECONDS + 2)
    zombie.process.send_signal(signal.SIGCONT)
    await town.send(records[700:])
    await town.agree(expected)


async def test_another_process_takes_its_share_and_gives_it_back(town: Town) -> None:
    """Scale-out is starting another process; what is under way meanwhile is neither lost nor wrong."""
    records = history(town.tenant, 900, 60, Random(2))
    expected = recomputed(records)
    first = await town.hire()
    await town.until(first.is_ready)
    await town.send(records[:300])
    second = await town.hire()
    await town.send(records[300:600])
    topics = len(INPUTS)

    async def shared() -> bool:
        owned = [await worker.metric("baton_scoring_assigned_partitions") for worker in (first, second)]
        return owned == [EMBEDDED_PARTITIONS * topics / 2] * 2

    await town.until(second.is_ready)
    await town.until(shared)
    await town.send(records[600:])
    assert await second.end(signal.SIGTERM) == 0

    async def all_back() -> bool:
        return await first.metric("baton_scoring_assigned_partitions") == EMBEDDED_PARTITIONS * topics

    await town.until(all_back)
    await town.agree(expected)
    assert first.crashes == 0


async def test_a_redis_that_restarts_is_waited_for(town: Town, own_stack: Stack) -> None:
    """Trap 7: a script that Redis forgot, and connections that broke, are no reason to stop."""
    records = history(town.tenant, 600, 60, Random(3))
    expected = recomputed(records)
    worker = await town.hire()
    await town.until(worker.is_ready)
    await town.send(records[:300])
    await town.until(lambda: len(town.scores) > 10)
    await town.redis.config_set("appendfsync", "always")  # else it may lose what it has just acknowledged
    own_stack.kill("redis")
    await town.send(records[300:])

    async def is_missed() -> bool:
        return await worker.metric("baton_scoring_redis_retries_total") > 0

    await town.until(is_missed)
    own_stack.restart("redis")
    await town.agree(expected)
    assert worker.crashes == 0


async def test_a_walk_over_all_subjects_misses_none_when_redis_restarts(town: Town, own_stack: Stack) -> None:
    """Or a re-scoring would leave some out, and a rebuild would lose them."""
    states = RedisStates(town.redis, group=town.group)
    names = {f"{town.tenant}/lead-{number}" for number in range(3_000)}
    await states.save([Change(0, {}, {TOUCHPOINTS.name: 1}, dict.fromkeys(names, b"s" * 100))])
    cursor, found = 0, set[str]()
    while len(found) < len(names) // 2:
        cursor, some = await states.subjects(0, cursor, 100)
        found |= set(some)
    own_stack.restart("redis")
    while cursor:
        cursor, some = await states.subjects(0, cursor, 100)
        found |= set(some)
    assert found == names


async def test_a_redis_that_lost_its_last_second_is_brought_up_to_date_from_the_log(
    town: Town, own_stack: Stack, tmp_path: Path
) -> None:
    """Trap 5: what the worker had been told was saved is gone; it stops, and the next start rewinds to what is there."""
    records = history(town.tenant, 600, 60, Random(4))
    expected = recomputed(records)
    worker = await town.hire()
    await town.until(worker.is_ready)
    await town.send(records[:300])
    await town.until(lambda: len(town.scores) > 10)
    data = Path(str((await town.redis.config_get("dir"))["dir"]))
    shutil.copytree(data, tmp_path / "earlier")
    before = await applied(town)
    await town.send(records[300:500])
    await town.until(lambda: sum(one.version.position for one in town.scores.values()) > 0)

    async def went_on() -> bool:
        return await applied(town) > before

    await town.until(went_on)
    own_stack.kill("redis")
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "earlier", data)
    own_stack.restart("redis")
    await town.send(records[500:])
    await town.agree(expected)
    assert worker.crashes > 0, "that its states were lost had to be noticed"


async def test_a_record_that_nobody_can_read_goes_to_the_dead_letters_and_stops_nothing(
    town: Town, whole_topic: object
) -> None:
    records = history(town.tenant, 200, 20, Random(5))
    expected = recomputed(records)
    worker = await town.hire()
    await town.send(records[:100])
    poison = [
        Outgoing(TOUCHPOINTS.name, record_key(town.tenant, record.lead_id), b'{"record": "touch", "at": "noon"}')  # type: ignore[attr-defined]
        for record in records[:5]
    ]
    await town.publisher.publish(poison)
    await town.send(records[100:])
    await town.agree(expected)

    async def dead() -> int:
        found = await whole_topic(town.kafka, f"{TOUCHPOINTS.name}-dlq")  # type: ignore[operator]
        return sum((one.key or b"").startswith(f"{town.tenant}/".encode()) for one in found)

    async def all_dead() -> bool:
        return await dead() >= len(poison)

    await town.until(all_dead)
    assert await dead() == len(poison)
    assert worker.crashes == 0


async def test_more_leads_than_fit_into_memory_are_read_again_and_are_right(town: Town) -> None:
    records = history(town.tenant, 900, 200, Random(6))
    expected = recomputed(records)
    worker = await town.hire(SCORING_CACHED_LEADS="3")
    await town.until(worker.is_ready)
    for start in range(0, 900, 100):
        await town.send(records[start : start + 100])
    await town.send(records[900:])
    await town.agree(expected)
    assert await worker.metric("baton_scoring_cached_leads") <= 3 * EMBEDDED_PARTITIONS


async def test_a_log_that_starts_too_young_is_refused_until_the_loss_is_accepted(town: Town) -> None:
    records = history(town.tenant, 100, 20, Random(7))
    await town.send(records)
    admin = AIOKafkaAdminClient(bootstrap_servers=town.kafka)
    await admin.start()
    try:
        partitions = [TopicPartition(TOUCHPOINTS.name, number) for number in range(EMBEDDED_PARTITIONS)]
        await admin.delete_records({partition: RecordsToDelete(before_offset=-1) for partition in partitions})
    finally:
        await admin.close()
    refusing = await town.hire()
    await town.until(lambda: refusing.crashes > 1)
    assert "SCORING_ACCEPT_LOSS" in refusing.log.read_text()
    await refusing.end(signal.SIGKILL)
    assert not town.scores
    accepting = await town.hire(SCORING_ACCEPT_LOSS="true")
    await town.until(accepting.is_ready)
    later = history(town.tenant, 100, 20, Random(8))
    await town.send(later)
    await town.agree(recomputed(later))
    assert await accepting.metric("baton_scoring_accepted_loss_records_total") >= len(records)


async def test_states_ahead_of_a_log_that_was_made_anew_are_dropped_with_an_alarm(town: Town) -> None:
    """Last of all: the topics of these servers are deleted."""
    records = history(town.tenant, 300, 30, Random(9))
    worker = await town.hire(SCORING_ACCEPT_LOSS="true")  # of what the test before this one has deleted
    await town.until(worker.is_ready)
    await town.send(records)
    await town.agree(recomputed(records))
    assert await worker.end(signal.SIGTERM) == 0
    admin = AIOKafkaAdminClient(bootstrap_servers=town.kafka)
    await admin.start()
    try:
        await admin.delete_topics([*INPUTS, LEAD_SCORED.name])
        await town.publisher.stop()
        await town.reader.stop()
        deadline = monotonic() + 30
        while set(INPUTS) & set(await admin.list_topics()):
            assert monotonic() < deadline, "the topics are still there"
            await asyncio.sleep(0.2)
    finally:
        await admin.close()
    await ensure_topics(town.kafka)
    town.scores.clear()
    await town.open()
    again = await town.hire()
    await town.until(again.is_ready)
    assert await again.metric("baton_scoring_resets_total") > 0
    few = history(town.tenant, 40, 10, Random(10))
    await town.send(few)
    await town.agree(recomputed(few))
