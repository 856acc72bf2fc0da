"""Building all states anew from the topics, beside those in force, and switching over at once (ADR 0007)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.scoring.builder import Builder
from services.scoring.domain.rules import Rules
from services.scoring.epochs import Buildings, Epochs, Lease, LeaseLostError, begun
from services.scoring.inputlog import Bounds, InputLog
from services.scoring.pace import Pace
from services.scoring.policies import Policies
from services.scoring.recorded import Partly, Recorded
from services.scoring.states import RedisStates, SupersededError, connect
from services.scoring.survey import Loss, Survey, log_began, losses
from shared.kit.clock import Clock, SystemClock
from shared.kit.compacted import CompactedTopic
from shared.kit.kafka import KafkaPublisher
from shared.kit.service import cancel
from shared.schemas.topics import POLICIES, SCORE_EPOCHS

log = structlog.get_logger(__name__)

CHUNK = 20_000  # records joined at once: a lead's state is read and written once for all of its records in there
CARRIED = 500  # states taken over at once
NEAR = 2_000  # records behind the head, at least
SETTLE_SECONDS = 4.0  # a Redis that writes its log every second may put that off by two more while the disk is busy
DROP_SECONDS = 10.0  # for freeing what was built in vain
SPARE = 0.05  # of the store's memory that a rebuild leaves free
PATIENCE_SECONDS = 30.0  # for the topics of policies and epochs, each


class LossError(RuntimeError):
    """The log begins too late for what the policies count, and nobody has accepted that."""

    def __init__(self, found: Sequence[Loss], survey: Survey) -> None:
        super().__init__("the log begins too late")
        self.found, self.survey = found, survey


class RoomError(RuntimeError):
    """The store has no room for a second set of states: going on would stop the workers, too."""

    def __init__(self, needed: int, room: int) -> None:
        super().__init__(f"{needed} bytes are needed, {room} are left")
        self.needed, self.room = needed, room


class NoPolicyError(RuntimeError):
    """No tenant has a scoring policy."""


class UndecidedError(RuntimeError):
    """Kafka took the switch, or it did not: nobody has said."""


class UntidyError(RuntimeError):
    """The new epoch is in force, and the store failed after that."""


@dataclass(frozen=True, slots=True)
class Options:
    """fresh: carry nothing over from the states in force, not even what the log no longer has
    accept_loss: go on though the log begins too late
    per_second:  records read at most;  None: as fast as it goes
    keep_old:    leave the states that were in force in the store
    cached:      leads kept in memory, in all: some 12 KB each
    near:        records behind the head at which the switch is made, which the workers read again, and publish what they say
                 None: 2,000, or as many as take half a second
    """

    bootstrap: str
    redis_url: str
    group: str = "scoring"
    fresh: bool = False
    accept_loss: bool = False
    per_second: float | None = None
    keep_old: bool = False
    cached: int = 60_000
    near: int | None = None


class Progress(NamedTuple):
    """step: what is being done, in a word;  done, total: records read, or subjects carried over; 0 where nothing is counted"""

    step: str
    done: int
    total: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Report:
    """number: the epoch that is in force now;  partly: what its policies count only in part all the same, by tenant"""

    number: int
    records: int
    carried: int
    rejected: int
    subjects: int
    seconds: float
    partly: Mapping[str, Sequence[Partly]]


@dataclass(frozen=True, slots=True)
class Standing:
    """number: the epoch in force;  begun_at: since when, ms; 0 for the first one
    partly:     what its states know only in part, by tenant;  under_way: whether a rebuild is
    left_over:  epochs that are not in force and still take room in the store;  policies: the versions in force, by tenant
    """

    number: int
    begun_at: int
    partly: Mapping[str, Sequence[Partly]]
    under_way: bool
    left_over: Sequence[int]
    policies: Mapping[str, int]


Tell = Callable[[Progress], None]


@dataclass(slots=True)
class World:
    """All that a rebuild speaks with. The followers read on as long as it lasts."""

    redis: Redis
    publisher: KafkaPublisher
    inputs: InputLog
    policies: Policies
    epochs: Epochs
    clock: Clock
    followers: set[asyncio.Task[None]] = field(default_factory=set)

    def check(self) -> None:
        for follower in self.followers:
            if follower.done():
                follower.result()

    def rules(self) -> dict[str, Rules]:
        return {tenant: rules for tenant, (rules, _) in self.policies.all().items()}


async def survey(options: Options) -> tuple[Survey, list[Loss]]:
    """What a rebuild would read, and what it would miss; nothing is changed."""
    async with _world(options) as world:
        states, bounds = await _states(world, options), await world.inputs.bounds()
        return await _survey(world, states, bounds), await _losses(world, options, states, bounds)


async def standing(options: Options) -> Standing:
    """Which states are in force, and what they know only in part; nothing is changed."""
    async with _world(options) as world:
        states = await _states(world, options)
        numbers = await Buildings(world.redis, options.group).numbers()
        return Standing(
            states.epoch,
            world.epochs.begun_at if world.epochs.number == states.epoch else 0,
            await _partly(world, options, states.epoch),
            await Lease.is_held(world.redis, options.group),
            sorted(number for number in numbers if number != states.epoch),
            {tenant: rules.ref.sequence for tenant, rules in world.rules().items()},
        )


async def drop_old(options: Options) -> list[int]:
    """Free what earlier epochs and rebuilds that were killed have left in the store; their numbers."""
    async with _world(options) as world, Lease(world.redis, options.group):
        states = await _states(world, options)
        return await _free(Buildings(world.redis, options.group), states, world.inputs.partitions())


async def rebuild(options: Options, tell: Tell = lambda _: None) -> Report:
    """Build a new epoch and bring it into force.

    Raises RebuildUnderWayError, LossError, RoomError, NoPolicyError; BuildingLostError, MissingRecordsError, LeaseLostError and
    what Kafka and Redis raise: then the states in force are as they were. UndecidedError: they may have been superseded.
    UntidyError: they have been. SupersededError: another rebuild's are in force.
    """
    async with _world(options) as world, Lease(world.redis, options.group) as lease:
        return await _Rebuild(options, world, lease, tell).run()


class _Rebuild:
    def __init__(self, options: Options, world: World, lease: Lease, tell: Tell) -> None:
        self._options, self._world, self._lease, self._tell = options, world, lease, tell
        self._buildings = Buildings(world.redis, options.group)
        self._recorded = Recorded(world.redis, options.group)
        self._partitions = world.inputs.partitions()
        self._noted: dict[str, int] = {}
        self._began = monotonic()
        self._records = self._carried = 0

    async def run(self) -> Report:
        old = await _states(self._world, self._options)
        bounds = await self._may(old)
        number = await self._clear(old)
        states = RedisStates(self._world.redis, group=self._options.group, epoch=number)
        cached = max(1, self._options.cached // len(self._partitions))
        builder = Builder(states, self._world.policies.find, self._partitions, cached=cached)
        try:
            await self._find_room(await old.bytes(self._partitions))
            await self._build(builder, old, number, bounds)
            await self._settle(builder)
            await self._buildings.built(number)
            await self._lease.confirm()
        except BaseException:
            with suppress(RedisError, TimeoutError, LeaseLostError):  # then the next rebuild does it
                async with asyncio.timeout(DROP_SECONDS):
                    await (
                        self._lease.confirm()
                    )  # else the number may be another's: Redis may have lost that it was given
                    await self._buildings.drop([number], self._partitions, old.epoch)
            raise
        await self._switch(states)
        try:
            await self._tidy(states)
            return await self._report(states, builder)
        except RedisError as error:
            raise UntidyError(
                f"epoch {number} is in force, but not all that is left of others could be freed"
            ) from error

    async def _may(self, old: RedisStates) -> Mapping[int, Mapping[str, Bounds]]:
        """The bounds of the log. Raises where a rebuild makes no sense, or what it would lose is not accepted."""
        if not self._world.rules():
            raise NoPolicyError("no tenant has a scoring policy")
        bounds = await self._world.inputs.bounds()
        missing = await _losses(self._world, self._options, old, bounds)
        is_cut = log_began(bounds, self._world.clock.now()) is not None
        if (missing or (self._options.fresh and is_cut)) and not self._options.accept_loss:
            raise LossError(missing, await _survey(self._world, old, bounds))
        return bounds

    async def _switch(self, states: RedisStates) -> None:
        """The record on the topic decides."""
        self._step("switching over", 0, 0)
        refs = {tenant: rules.ref for tenant, rules in self._world.rules().items()}
        records = begun(self._options.group, states.epoch, self._world.clock.now(), refs)
        try:
            await self._world.publisher.publish(records)
        except (KafkaError, asyncio.CancelledError) as error:
            raise UndecidedError(f"epoch {states.epoch} is built; whether it came into force is not known") from error

    async def _tidy(self, states: RedisStates) -> None:
        """Superseding the workers do as well when they start; freeing, the next rebuild. Raises SupersededError."""
        number = states.epoch
        await states.supersede(self._partitions)
        if await states.enter(number) != number:
            raise SupersededError(f"epoch {states.epoch} has taken over")
        if not self._options.keep_old:
            # Not later ones: if this process has slept, another one builds them, or has brought them into force by now.
            earlier = [other for other in await self._buildings.numbers() if other < number]
            await self._buildings.drop(earlier, self._partitions, number)

    async def _report(self, states: RedisStates, builder: Builder) -> Report:
        return Report(
            number=states.epoch,
            records=self._records,
            carried=self._carried,
            rejected=builder.rejected,
            subjects=sum((await states.sizes(self._partitions)).values()),
            seconds=monotonic() - self._began,
            partly=await _partly(self._world, self._options, states.epoch),
        )

    async def _clear(self, old: RedisStates) -> int:
        """Finish what a killed rebuild left; the next number."""
        await _free(self._buildings, old, self._partitions)
        await self._buildings.built(old.epoch)
        return await self._buildings.next(old.epoch)

    async def _build(
        self, builder: Builder, old: RedisStates, number: int, bounds: Mapping[int, Mapping[str, Bounds]]
    ) -> None:
        inputs, world = self._world.inputs, self._world
        await self._note(number)
        await builder.begin(
            {partition: {topic: one.start for topic, one in topics.items()} for partition, topics in bounds.items()}
        )
        if log_began(bounds, world.clock.now()) is not None and not self._options.fresh:
            await self._carry(builder, old)
        inputs.begin(bounds)
        total = sum(one.end - one.start for topics in bounds.values() for one in topics.values())
        pace = Pace(self._options.per_second) if self._options.per_second else None
        most = CHUNK if pace is None else max(1, min(CHUNK, round(self._options.per_second or CHUNK)))
        looked_at, ended_at, near = 0.0, monotonic(), NEAR
        while True:
            self._check()
            polled = await inputs.poll(most)
            if polled:
                await builder.build(polled)
                count = sum(len(part.records) for part in polled)
                self._records += count
                if pace:
                    await asyncio.sleep(pace.after(count, monotonic()))
                near = max(NEAR, round(count / (monotonic() - ended_at) / 2))
            ended_at = monotonic()
            if self._records >= total or not polled or monotonic() - looked_at > 1:
                looked_at = monotonic()
                behind = await inputs.behind(builder.applied())
                total = max(total, self._records + behind)
                self._step("reading", self._records, total)
                await self._note(number)
                with suppress(RedisError):  # it may be restarting: whether it lost something, the next write tells
                    await self._find_room(0)
                if behind <= (near if self._options.near is None else self._options.near):
                    return

    async def _find_room(self, needed: int) -> None:
        room, most = await _room(self._world.redis)
        needed = max(needed, round(most * SPARE))
        if room < needed:
            raise RoomError(needed, room)

    async def _carry(self, builder: Builder, old: RedisStates) -> None:
        """Begin with what the states in force remember: the log no longer has all of it."""
        sizes = await old.sizes(self._partitions)
        for partition in sizes:
            cursor = 0
            while True:
                self._check()
                cursor, subjects = await old.subjects(partition, cursor, CARRIED)
                loaded = (await old.load({partition: subjects}))[partition]
                if loaded.states:
                    await builder.carry(partition, loaded.states)
                self._carried += len(loaded.states)
                self._step("carrying over", self._carried, sum(sizes.values()))
                if not cursor:
                    break

    async def _settle(self, builder: Builder) -> None:
        """Nothing that was built may be lost any more: a part of what one lead told another could not be found missing."""
        self._step("settling", 0, 0)
        await asyncio.sleep(SETTLE_SECONDS)
        self._check()
        await builder.verify()

    async def _note(self, number: int) -> None:
        """Since when marks are kept: those of policies that come while we read, only from then on."""
        for tenant, (rules, since) in self._world.policies.all().items():
            if self._noted.get(tenant) != rules.ref.sequence:
                await self._recorded.note(number, tenant, rules, since)
                self._noted[tenant] = rules.ref.sequence

    def _check(self) -> None:
        self._lease.check()
        self._world.check()

    def _step(self, step: str, done: int, total: int) -> None:
        self._tell(Progress(step, done, total, monotonic() - self._began))


async def _states(world: World, options: Options) -> RedisStates:
    """The states in force."""
    states = RedisStates(world.redis, group=options.group)
    await states.enter(world.epochs.number)
    return states


async def _partly(world: World, options: Options, epoch: int) -> dict[str, list[Partly]]:
    found = await Recorded(world.redis, options.group).partly(epoch, world.rules(), world.clock.now())
    return {tenant: some for tenant, some in found.items() if some}


async def _free(buildings: Buildings, states: RedisStates, partitions: Sequence[int]) -> list[int]:
    """Free earlier epochs than the one in force, and later ones that were half built; their numbers.

    A later one that was built to the end stays until a still later one is in force: whoever built it may be about to bring it into
    force.
    """
    await states.supersede(partitions)
    in_force = states.epoch
    numbers = await buildings.numbers()
    useless = sorted(
        number for number, built in numbers.items() if number < in_force or (number > in_force and not built)
    )
    await buildings.drop(useless, partitions, in_force)
    return useless


async def _losses(
    world: World, options: Options, old: RedisStates, bounds: Mapping[int, Mapping[str, Bounds]]
) -> list[Loss]:
    now = world.clock.now()
    since = None if options.fresh else await Recorded(world.redis, options.group).read(old.epoch)
    return losses(world.rules(), log_began(bounds, now), now, since=since)


async def _survey(world: World, old: RedisStates, bounds: Mapping[int, Mapping[str, Bounds]]) -> Survey:
    records: Counter[str] = Counter()
    for topics in bounds.values():
        records.update({topic: one.end - one.start for topic, one in topics.items()})
    partitions = world.inputs.partitions()
    return Survey(
        records=dict(records),
        oldest=min([one.began for topics in bounds.values() for one in topics.values() if one.began], default=None),
        began=log_began(bounds, world.clock.now()),
        subjects=sum((await old.sizes(partitions)).values()),
        bytes=await old.bytes(partitions),
        room=(await _room(world.redis))[0],
    )


async def _room(redis: Redis) -> tuple[int, int]:
    """Bytes that the store may still take, and that it may take in all: what it is allowed, else what its machine has."""
    memory: Mapping[str, Any] = await redis.info("memory")
    most = int(memory.get("maxmemory", 0)) or int(memory.get("total_system_memory", 0)) or 2**63
    return most - int(memory["used_memory"]), most


@asynccontextmanager
async def _world(options: Options) -> AsyncIterator[World]:
    redis = connect(options.redis_url)
    publisher = KafkaPublisher(options.bootstrap)
    policies, epochs = Policies(), Epochs(options.group)
    topics = [
        CompactedTopic(options.bootstrap, POLICIES, policies.apply),
        CompactedTopic(options.bootstrap, SCORE_EPOCHS, epochs.apply),
    ]
    followers: set[asyncio.Task[None]] = set()
    try:
        await redis.ping()  # who is not there at the beginning is not waited for
        await publisher.start()
        async with InputLog(options.bootstrap) as inputs:
            followers |= {asyncio.create_task(topic.run()) for topic in topics}
            world = World(redis, publisher, inputs, policies, epochs, SystemClock(), followers)
            await _caught_up(world, topics)
            yield world
    finally:
        await cancel(followers)
        await publisher.stop()
        await redis.aclose()


async def _caught_up(world: World, topics: Sequence[CompactedTopic]) -> None:
    async def all_read() -> None:
        for topic in topics:
            await topic.catch_up(PATIENCE_SECONDS)

    ready = asyncio.create_task(all_read())
    await asyncio.wait({ready, *world.followers}, return_when=asyncio.FIRST_COMPLETED)
    try:
        world.check()
        await ready
    finally:
        ready.cancel()
