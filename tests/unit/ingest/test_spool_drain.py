"""What happens to calls while Kafka or Redis is away, and to what they left in the spool once these are back."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from services.ingest.domain.identifiers import Identities, Identity
from services.ingest.domain.touch import Draft
from services.ingest.handler import UnavailableError
from services.ingest.links import LinksLostError
from services.ingest.spool import Spool, SpoolError, opening
from services.ingest.spool import drain as draining
from services.ingest.spool.file import SpoolFile
from services.ingest.spool.standin import StandIn
from shared.kit.clock import FakeClock
from shared.kit.kafka import Outgoing

RECORD = Outgoing("ingest-rejected", b"hinode/web", b"{}")


def draft(name: str, *, size: int = 10) -> Draft:
    user = Identity(name, "user", name)
    return Draft(0, "hinode", "web", True, name, Identities((user,)), b"x" * size, 3600)


class Topic:
    """Kafka and Redis in one: keeps events once, or is away in one way or another."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.records: list[Outgoing] = []
        self.away: BaseException | None = None
        self.fails: Callable[[Sequence[Draft]], BaseException | None] = lambda drafts: None
        self.hangs: asyncio.Event | None = None
        self.calls: list[int] = []

    async def handle(self, drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        self.calls.append(len(drafts))
        if self.hangs:
            await self.hangs.wait()
        if error := self.away or self.fails(drafts):
            raise error
        new = []
        for one in drafts:
            new.append(one.event_id not in self.events)
            if new[-1]:
                self.events.append(one.event_id)
        self.records += others
        return new


class World:
    def __init__(self, directory: Path) -> None:
        self.directory, self.topic = directory, Topic()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, *, most_bytes: int = 16_777_216, patience: float = 0.05) -> None:
        self.spool = Spool(self.directory, most_bytes, FakeClock())
        self.spool.open()
        self.stand_in = StandIn(self.topic.handle, self.spool, patience=patience)

    def drain(self) -> None:
        self.tasks.append(asyncio.create_task(self.stand_in.drain()))

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.stand_in.close()
        await self.spool.close()

    async def send(self, *names: str, size: int = 10) -> list[bool]:
        return await self.stand_in([draft(name, size=size) for name in names], [])

    async def until(self, holds: Callable[[], Any], seconds: float = 20) -> None:
        end = monotonic() + seconds
        while not holds():
            assert monotonic() < end, f"not in time: {self.topic.events[-5:]}, {self.spool.figures}"
            await asyncio.sleep(0.005)

    async def drained(self) -> None:
        await self.until(lambda: self.spool.figures.rows == 0)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(draining, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(draining, "LONGEST_PAUSE", 0.01)
    made = World(tmp_path)
    made.start()
    yield made
    await made.stop()


def fails(*_: object) -> Any:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
    raise error


AWAY = [UnavailableError("kafka is away"), LinksLostError("hinode")]


@pytest.mark.parametrize("away", AWAY)
async def test_what_cannot_be_written_is_kept_and_written_once_when_they_are_back(
    world: World, away: Exception
) -> None:
    assert await world.send("a") == [True]
    world.topic.away = away
    assert await world.stand_in([draft("b"), draft("c")], [RECORD]) == [True, True]
    assert await world.send("c") == [False], "a retry of what is in the spool"
    world.drain()
    world.topic.away = None
    await world.drained()
    assert world.topic.events == ["a", "b", "c"]
    assert world.topic.records == [RECORD]
    assert await world.send("c") == [False]
    assert await world.send("d") == [True]
    assert world.spool.figures.rows == 0


async def test_while_they_are_known_to_be_away_nobody_waits_for_them(world: World) -> None:
    world.topic.hangs = asyncio.Event()
    await world.send("a")
    for number in range(20):
        await world.send(f"b{number}")
    assert world.topic.calls == [1], "all but the first went to the spool at once"


async def test_what_is_written_after_all_though_it_was_given_up_on_is_not_written_twice(world: World) -> None:
    world.topic.hangs = asyncio.Event()
    assert await world.send("a") == [True]
    world.topic.hangs.set()
    await world.until(lambda: world.topic.events == ["a"])
    world.topic.hangs = None
    world.drain()
    await world.drained()
    assert world.topic.events == ["a"]


async def test_calls_go_straight_again_once_something_was_drained(world: World) -> None:
    world.topic.away = AWAY[0]
    await world.send("a")
    world.drain()
    world.topic.away = None
    await world.drained()
    await world.until(lambda: not world.stand_in.away)
    await world.send("b")
    assert world.topic.events == ["a", "b"]


async def test_records_alone_tell_nothing_of_redis(world: World) -> None:
    away: list[bool] = []

    def fails(drafts: Sequence[Draft]) -> BaseException | None:
        if not drafts:
            return None
        away.append(world.stand_in.away)
        return AWAY[1]

    world.topic.fails = fails
    await world.send("a")
    await world.stand_in([], [RECORD])
    world.drain()
    await world.until(lambda: world.topic.records == [RECORD])
    tries = len(away)
    await world.until(lambda: len(away) > tries)
    assert away[1:] == [True] * (len(away) - 1), "at no moment were calls sent straight again"


async def test_a_backlog_is_written_in_its_order_and_in_batches(world: World) -> None:
    world.topic.away = AWAY[0]
    names = [f"e{number}" for number in range(1200)]
    for start in range(0, 1200, 100):
        await world.send(*names[start : start + 100])
    world.topic.away = None
    world.topic.calls.clear()
    world.drain()
    await world.drained()
    assert world.topic.events == names
    assert max(world.topic.calls) == 500


async def test_a_process_that_dies_at_any_moment_of_draining_only_repeats(world: World) -> None:
    world.topic.away = AWAY[0]
    names = [f"e{number}" for number in range(30)]
    await world.send(*names)
    world.topic.away = None
    kept = await world.spool.oldest(10)
    await world.topic.handle([one.what for one in kept if isinstance(one.what, Draft)], [])  # and then it dies
    await world.stop()
    world.start()
    world.drain()
    await world.drained()
    assert world.topic.events == names


async def test_one_that_kafka_will_never_take_is_set_aside_and_holds_up_nobody(world: World) -> None:
    def too_large(drafts: Sequence[Draft]) -> BaseException | None:
        if any(one.event_id == "large" for one in drafts):
            error = UnavailableError("kafka is away")
            error.__cause__ = MessageSizeTooLargeError("too large")
            return error
        return None

    world.topic.away = AWAY[0]
    await world.send(*(f"a{number}" for number in range(20)), "large", *(f"b{number}" for number in range(20)))
    world.topic.away, world.topic.fails = None, too_large
    world.drain()
    await world.drained()
    assert len(world.topic.events) == 40
    assert world.spool.figures.aside == 1
    await world.until(lambda: not world.stand_in.away)
    assert await world.send("c") == [True]
    assert "c" in world.topic.events


async def test_one_that_meets_a_fault_of_ours_is_set_aside_after_some_tries_and_holds_up_nobody(world: World) -> None:
    world.topic.away = AWAY[0]
    await world.send(*(f"a{number}" for number in range(9)), "odd", "b")
    world.topic.away = None
    alone: list[str] = []

    def fails(drafts: Sequence[Draft]) -> BaseException | None:
        if all(one.event_id != "odd" for one in drafts):
            return None
        alone.extend(one.event_id for one in drafts if len(drafts) == 1)
        return KeyError("odd")

    world.topic.fails = fails
    world.drain()
    await world.drained()
    assert alone == ["odd"] * draining.MOST_TRIES
    assert draining.MOST_TRIES > 1
    assert len(world.topic.events) == 10
    assert world.spool.figures.aside == 1


async def test_a_partition_that_is_away_holds_up_nobody_else_and_loses_nothing(world: World) -> None:
    world.topic.away = AWAY[0]
    names = [f"{'dark' if number % 7 == 0 else 'fine'}{number}" for number in range(60)]
    await world.send(*names)
    world.topic.away = None
    dark = UnavailableError("kafka is away")
    dark.__cause__ = KafkaError("no leader")
    world.topic.fails = lambda drafts: dark if any(one.event_id.startswith("dark") for one in drafts) else None
    world.drain()
    await world.until(lambda: len(world.topic.events) == sum(name.startswith("fine") for name in names))
    assert world.spool.figures.aside == 0
    world.topic.fails = lambda drafts: None
    await world.drained()
    assert sorted(world.topic.events) == sorted(names)


async def test_a_spool_that_is_full_is_told_and_takes_again_after_it_was_drained(world: World) -> None:
    await world.stop()
    world.start(most_bytes=500_000)
    world.topic.away = AWAY[0]
    told: list[str] = []
    refused = None
    while refused is None:
        try:
            name = f"e{len(told)}"
            await world.send(name, size=20_000)
            told.append(name)
        except UnavailableError as error:
            refused = str(error)
    assert "full" in refused
    assert not world.spool.has_room()
    world.topic.away = None
    world.drain()
    await world.drained()
    assert world.topic.events == told
    assert await world.send("after") == [True]
    assert world.spool.has_room()


async def test_with_nothing_in_the_spool_a_call_finds_out_that_they_are_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> list[bool]:
        raise SpoolError("io", "no disk")

    keep = world.spool.keep
    monkeypatch.setattr(world.spool, "keep", refuse)
    world.topic.away = AWAY[0]
    with pytest.raises(UnavailableError, match="no disk"):
        await world.send("a")
    world.topic.away = None
    while not world.topic.events:
        try:
            await world.send("a")
        except UnavailableError:
            await asyncio.sleep(0.01)
    assert not world.stand_in.away
    monkeypatch.setattr(world.spool, "keep", keep)


async def test_a_disk_too_full_for_deleting_loses_nothing_writes_nothing_again_and_again_and_ends_empty(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    world.topic.away = AWAY[0]
    names = [f"e{number}" for number in range(1100)]
    await world.send(*names)
    world.spool.remember(b"hinode/sources", b"policy")
    monkeypatch.setattr(SpoolFile, "delete", full)
    world.topic.away = None
    world.topic.calls.clear()
    world.drain()
    await world.drained()
    assert world.topic.events == names
    assert sum(world.topic.calls) == len(names)
    monkeypatch.undo()
    await world.stop()
    world.start()
    assert world.spool.policies() == [(b"hinode/sources", b"policy")]
    assert world.spool.figures.rows == 0


async def test_what_an_earlier_life_kept_is_written_as_soon_as_the_disk_can_be_read_though_nobody_calls(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.topic.away = AWAY[0]
    await world.send("a", "b")
    await world.stop()
    world.topic.away = None
    with monkeypatch.context() as broken:
        broken.setattr(opening, "connect", fails)
        world.start()
        world.drain()
        assert not world.spool.has_room()
    await world.drained()
    await world.until(lambda: world.topic.events == ["a", "b"])


@pytest.mark.parametrize("place", ["figures", "begin_anew"])
async def test_a_disk_that_fails_while_it_is_emptied_does_not_end_the_draining(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    world.topic.away = AWAY[0]
    await world.send("a")
    world.topic.away = None
    asked = []

    def no_files(_: Path) -> Any:
        asked.append("files")
        raise OSError(errno.EIO, "Input/output error")

    def no_size(_: SpoolFile) -> Any:
        asked.append("size")
        fails()

    with monkeypatch.context() as broken:
        if place == "begin_anew":
            broken.setattr(SpoolFile, "delete", fails)
            broken.setattr(opening, "files", no_files)
        else:
            broken.setattr(SpoolFile, "used", no_size)
        world.drain()
        await world.until(lambda: len(asked) > 1 and world.topic.events)
    await world.drained()
    assert not world.tasks[-1].done()
    assert world.topic.events == ["a"]


async def test_closing_gives_up_on_what_is_still_under_way(world: World) -> None:
    world.topic.hangs = asyncio.Event()
    assert await world.send("a") == [True]
    attempts = [task for task in asyncio.all_tasks() if "handle" in repr(task.get_coro())]
    assert len(attempts) == 1
    await world.stand_in.close()
    assert attempts[0].cancelled()
    assert world.spool.figures.rows == 1


async def test_a_call_with_nothing_in_it_asks_nobody(world: World) -> None:
    assert await world.stand_in([], []) == []
    assert world.topic.calls == []
