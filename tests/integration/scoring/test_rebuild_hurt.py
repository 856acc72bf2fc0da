"""Rebuilding on servers of its own that are hurt: a Redis that restarts or lost its tail, a log that was cut."""

from __future__ import annotations

import asyncio
import re
import shutil
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
import redis
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from redis.asyncio import Connection, Redis

from baton.stack import Stack
from services.scoring.builder import BuildingLostError
from services.scoring.domain.rules import Rules
from services.scoring.rebuild import LossError, Options, Progress, RoomError, UntidyError, drop_old, rebuild
from shared.kit.kafka import EMBEDDED_PARTITIONS, ensure_topics
from shared.schemas.base import Record
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import EpochBegun, PolicyRef
from shared.schemas.topics import SCORE_EPOCHS, TOUCHPOINTS
from tests.integration.scoring.test_rebuild import (
    CHANGED,
    apply,
    built,
    digests,
    keys,
    offline,
    settled,
    until_said,
    writes,
)
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
def kafka_url(own_stack: Stack) -> str:
    return own_stack.addresses().kafka


@pytest.fixture(scope="module")
def redis_url(own_stack: Stack) -> str:
    return own_stack.addresses().redis


async def roll_back(town: Town, stack: Stack, earlier: Path) -> None:
    """Kill Redis; it comes back as it was when its files were copied."""
    data = Path(str((await town.redis.config_get("dir"))["dir"]))
    stack.kill("redis")
    shutil.rmtree(data)
    shutil.copytree(earlier, data)
    stack.restart("redis")  # in this thread: the server dies with the one that started it
    await reconnect(town)


async def copy(town: Town, to: Path) -> Path:
    shutil.copytree(Path(str((await town.redis.config_get("dir"))["dir"])), to)
    return to


async def test_a_redis_that_restarts_is_waited_for(town: Town, own_stack: Stack) -> None:
    await town.redis.config_set("appendfsync", "always")  # or it may have lost what it had put off writing
    records = history(town.tenant, 400, 40, Random(22))
    await town.send(records)
    building = asyncio.create_task(rebuild(slowly(town)))
    await town.until(half_built(town, building))
    own_stack.kill("redis")
    own_stack.restart("redis")
    assert (await building).number == 1
    await reconnect(town)
    await filled(town, 1, records)


async def test_a_redis_that_lost_some_of_the_building_is_found_out(
    town: Town, own_stack: Stack, tmp_path: Path
) -> None:
    records = history(town.tenant, 400, 40, Random(23))
    await town.send(records)
    building = asyncio.create_task(rebuild(slowly(town)))
    await town.until(half_built(town, building))
    earlier, before = await copy(town, tmp_path / "earlier"), await writes(town, 1)

    async def went_on() -> bool:
        return await writes(town, 1) > before

    await town.until(went_on)
    await roll_back(town, own_stack, earlier)
    with pytest.raises(BuildingLostError):
        await building
    assert (await rebuild(Options(town.kafka, town.redis_url, town.group))).number == 2
    await filled(town, 2, records)


async def reconnect(town: Town) -> None:
    """The connections of the test itself broke, too."""
    await town.redis.connection_pool.disconnect()
    await town.redis.ping()


async def filled(town: Town, epoch: int, records: list[Record]) -> None:
    """A worker reads the few records that the rebuild has left to it, and then the states are those of all records."""
    if not town.workers:
        await town.hire(SCORING_ACCEPT_LOSS="true")
    expected = digests(offline(records, RULES), RULES)

    async def is_filled() -> bool:
        return digests(await built(town, epoch), RULES) == expected

    await town.until(is_filled)


def slowly(town: Town) -> Options:
    """To the very end, so that some of it is always left to read when half of it is built."""
    return Options(town.kafka, town.redis_url, town.group, per_second=150, near=0)


def half_built(town: Town, building: asyncio.Task[Any]) -> Any:
    async def is_half_built() -> bool:
        if building.done():
            building.result()
        return await writes(town, 1) > EMBEDDED_PARTITIONS

    return is_half_built


async def test_a_redis_that_lost_the_switch_is_told_of_it_by_the_topic(
    town: Town, own_stack: Stack, tmp_path: Path
) -> None:
    """The number, the poison and the last of the states are gone; the workers had gone over already, and spoken."""
    records = history(town.tenant, 600, 40, Random(24))
    worker = await town.hire()
    await settled(town, records[:400])
    copied: list[Path] = []

    def tell(progress: Progress) -> None:
        if progress.step == "switching over" and not copied:
            copied.append(tmp_path / "earlier")
            shutil.copytree(Path(data), copied[0])

    data = str((await town.redis.config_get("dir"))["dir"])
    await rebuild(Options(town.kafka, town.redis_url, town.group), tell)
    await town.send(records[400:500])
    await until_said(town, offline(records[:500], RULES), RULES, 2)
    await roll_back(town, own_stack, copied[0])
    assert await town.redis.get(f"{town.group}:epoch") in (None, b"0")
    await town.send(records[500:])
    touched = {record.key().decode().partition("/")[2] for record in records[500:]}
    expected = offline(records, RULES)

    await filled(town, 1, records)
    assert worker.crashes >= 2
    await until_said(town, {lead: state for lead, state in expected.items() if lead in touched}, RULES, 2)
    assert await town.redis.get(f"{town.group}:epoch") == b"1"


class KilledError(Exception):
    """Whoever meets it is as good as dead: nothing that it still tries to clean up reaches the store."""


class Doom:
    """When a process dies: at so many commands that write, before or after they are carried out. None: never."""

    WRITES = re.compile(rb"\r\n(SET|EVAL|EVALSHA|HSET|HDEL|UNLINK)\r\n")

    def __init__(self, at: int | None, *, before: bool) -> None:
        self._left, self._before, self.is_dead = at, before, False

    def connection(self) -> type[Connection]:
        doom = self

        class Doomed(Connection):
            async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
                doom.meet(command)
                await super().send_packed_command(command, check_health)

            async def read_response(self, *arguments: Any, **more: Any) -> Any:
                answer = await super().read_response(*arguments, **more)
                if doom.is_dead:
                    raise KilledError
                return answer

        return Doomed

    def meet(self, command: Any) -> None:
        if self.is_dead:
            raise KilledError
        if self._left is not None and self.WRITES.search(
            command if isinstance(command, bytes) else b"".join(map(bytes, command))
        ):
            self._left -= 1
            self.is_dead = self._left < 0
            if self.is_dead and self._before:
                raise KilledError


async def in_force(town: Town, whole_topic: Any) -> int:
    """The number that the topic says."""
    told = [EpochBegun.model_validate_json(one.value) for one in await whole_topic(town.kafka, SCORE_EPOCHS.name)]
    return max((one.number for one in told if one.group == town.group), default=0)


async def test_a_rebuild_may_be_killed_before_and_after_all_that_it_does(
    town: Town, monkeypatch: pytest.MonkeyPatch, whole_topic: Any
) -> None:
    """Each one begins with what the ones before it have left. A worker goes on; the states in force are all there every time."""
    worker = await town.hire(SCORING_ACCEPT_LOSS="true")
    records = history(town.tenant, 1_200, 40, Random(25))
    await settled(town, records[:400])
    sent = 400
    monkeypatch.setattr("services.scoring.rebuild.SETTLE_SECONDS", 0)
    for at in count():
        doom = Doom(at, before=at % 2 == 0)
        monkeypatch.setattr(
            "services.scoring.rebuild.connect",
            lambda url, doom=doom: Redis.from_url(url, connection_class=doom.connection()),
        )
        try:
            report = await rebuild(Options(town.kafka, town.redis_url, town.group, near=0))
        except KilledError:
            pass
        else:
            break
        await town.redis.delete(f"{town.group}:rebuild")  # as time does
        await town.send(records[sent : sent + 10])
        sent += 10
        await filled(town, await in_force(town, whole_topic), records[:sent])
    assert at > 15
    assert report.number == await in_force(town, whole_topic) > 2, "some were killed after they had told the topic"
    await town.send(records[sent:])
    expected = offline(records, RULES)
    await filled(town, report.number, records)
    touched = {record.key().decode().partition("/")[2] for record in records[sent:]}
    await until_said(town, {lead: expected[lead] for lead in touched if lead in expected}, RULES, 1 + report.number)
    for other in range(report.number):
        assert await keys(town, other) <= {"applied"}, "what the killed ones left is gone"
    assert worker.crashes >= 2


async def test_a_redis_that_is_full_at_the_switch_keeps_nobody_from_going_over(town: Town) -> None:
    records = history(town.tenant, 400, 40, Random(26))
    await town.hire(SCORING_ACCEPT_LOSS="true")
    await settled(town, records[:300])

    def tell(progress: Progress) -> None:
        if progress.step == "switching over":
            limit(town, "1mb")

    with pytest.raises(UntidyError, match="epoch 1 is in force"):
        await rebuild(Options(town.kafka, town.redis_url, town.group), tell)
    limit(town, "0")
    await town.send(records[300:])
    await until_said(town, offline(records, RULES), RULES, 2)
    assert await drop_old(Options(town.kafka, town.redis_url, town.group)) == [0]
    assert await keys(town, 0) == {"applied"}


async def test_a_redis_that_gets_full_while_states_are_built_keeps_those_in_force(town: Town) -> None:
    records = history(town.tenant, 400, 40, Random(27))
    await town.send(records)

    def tell(progress: Progress) -> None:
        if progress.step == "reading":
            limit(town, "1mb")

    with pytest.raises(RoomError):
        await rebuild(slowly(town), tell)
    limit(town, "0")
    assert await keys(town, 1) <= {"applied"}
    await filled(town, 0, records)


def limit(town: Town, memory: str) -> None:
    """What Redis may take; 0: all there is."""
    with closing(redis.Redis.from_url(town.redis_url)) as client:
        client.config_set("maxmemory", memory)


async def test_what_a_later_rebuild_builds_is_not_dropped_by_one_that_slept(town: Town) -> None:
    await town.send(history(town.tenant, 200, 20, Random(28)))
    later = f"{town.group}.2:{{s:0}}:states"

    def tell(progress: Progress) -> None:
        if progress.step == "switching over":
            with closing(redis.Redis.from_url(town.redis_url)) as client:
                client.hset(f"{town.group}:epochs", mapping={"last": 2, "2": "building"})
                client.hset(later, "acme/ann", "state")

    assert (await rebuild(Options(town.kafka, town.redis_url, town.group), tell)).number == 1
    assert await town.redis.hgetall(later) == {b"acme/ann": b"state"}


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


async def test_a_worker_says_which_topic_is_missing_instead_of_waiting_for_ever(town: Town) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=town.kafka)
    await admin.start()
    await admin.delete_topics([SCORE_EPOCHS.name])
    try:
        worker = await town.hire(SCORING_ACCEPT_LOSS="true")

        async def said() -> bool:
            return f"the topic {SCORE_EPOCHS.name} could not be read" in worker.log.read_text()

        await town.until(said)
        await town.until(lambda: worker.crashes)
    finally:
        await admin.close()
        await ensure_topics(town.kafka)
    await town.until(worker.is_ready)
