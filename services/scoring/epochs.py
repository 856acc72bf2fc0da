"""Epochs: how often all states were built anew, which building is in force, and who may make the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.scoring.recorded import Recorded
from services.scoring.states import RedisStates, persistently
from shared.kit.kafka import Message, Outgoing
from shared.kit.service import StartAgain
from shared.schemas.scores import EpochBegun, PolicyRef
from shared.schemas.topics import SCORE_EPOCHS

log = structlog.get_logger(__name__)

LEASE_SECONDS = 15.0
RENEWALS = 5  # per lease

# KEYS: lease   ARGV: who, ms. Renews the lease, or gives it back where ms is 0; whether it was still held.
RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class EpochEndedError(StartAgain):
    """The states were built anew: a worker goes over to the new ones by starting again."""


class RebuildUnderWayError(RuntimeError):
    """Another rebuild of the same group is alive."""


class LeaseLostError(RuntimeError):
    """This process was silent for so long that another rebuild may have begun: it must not go on."""


class Epochs:
    """The epoch in force of one group, as the topic says: the highest that was ever begun."""

    def __init__(self, group: str) -> None:
        self._group, self.number = group, 0
        self.begun_at = 0  # ms; 0 for the first one
        self._changed = asyncio.Event()

    def apply(self, message: Message) -> None:
        try:
            begun = EpochBegun.model_validate_json(message.value or b"")
        except ValueError as error:
            log.error("epoch_unreadable", partition=message.partition, offset=message.offset, error=str(error))
            return
        if begun.group == self._group and begun.number > self.number:
            self.number, self.begun_at = begun.number, begun.at
            self._changed.set()

    async def ended(self, number: int) -> None:
        """Wait while the epoch `number` is in force. Raises EpochEndedError when a later one has begun."""
        while self.number <= number:
            self._changed.clear()
            await self._changed.wait()
        raise EpochEndedError(f"epoch {self.number} has begun, this worker is in epoch {number}: it starts again")


def begun(group: str, number: int, at: int, policies: Mapping[str, PolicyRef]) -> list[Outgoing]:
    """The records that bring an epoch into force, one per tenant. policies: of scoring, by tenant;  at: ms"""
    records = [
        EpochBegun(tenant=tenant, epoch=f"{group}.{number}", group=group, number=number, at=at, policy=ref)
        for tenant, ref in sorted(policies.items())
    ]
    return [Outgoing(SCORE_EPOCHS.name, record.key(), record.model_dump_json().encode()) for record in records]


class Buildings:
    """Epochs that were begun to be built, in a hash `<group>:epochs`: which number is next, what a killed rebuild left behind."""

    BUILDING, BUILT = b"building", b"built"
    LAST = b"last"  # number that was given, for ever: one that was dropped refuses every write

    def __init__(self, redis: Redis, group: str) -> None:
        self._redis, self._group = redis, group

    async def next(self, in_force: int) -> int:
        """A number that no rebuild had before, noted as being built. Under the lease."""
        last = int(await persistently(lambda: _done(self._redis.hget(self._key, self.LAST))) or 0)
        number = max(in_force, last) + 1
        noted: Any = {self.LAST: number, str(number): self.BUILDING}
        await persistently(lambda: _done(self._redis.hset(self._key, mapping=noted)))
        return number

    async def built(self, number: int) -> None:
        await persistently(lambda: _done(self._redis.hset(self._key, str(number), self.BUILT)))

    async def numbers(self) -> dict[int, bool]:
        """Of those whose states are still there, whether they were built to the end."""
        found: Mapping[bytes, bytes] = await persistently(lambda: _done(self._redis.hgetall(self._key)))
        return {int(number): how == self.BUILT for number, how in found.items() if number != self.LAST}

    async def drop(self, numbers: Iterable[int], partitions: Sequence[int], by: int) -> None:
        """Free the memory of these epochs, in the background. What is left refuses every write, as `by` has come after them."""
        for number in sorted(numbers):
            await RedisStates(self._redis, group=self._group, epoch=number).drop(partitions, by)
            await Recorded(self._redis, self._group).drop(number)
            await persistently(partial(self._forget, number))

    async def _forget(self, number: int) -> None:
        await _done(self._redis.hdel(self._key, str(number)))

    @property
    def _key(self) -> str:
        return f"{self._group}:epochs"


class Lease:
    """One rebuild of a group at a time. It ends by itself when its holder is gone for LEASE_SECONDS."""

    def __init__(self, redis: Redis, group: str, *, seconds: float = LEASE_SECONDS) -> None:
        self._redis, self._key, self._seconds = redis, f"{group}:rebuild", seconds
        self._who = uuid4().hex
        self._renewed = 0.0
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Lease:
        """Raises RebuildUnderWayError while another holder renews it; that of one who was killed is waited for."""
        before: int | None = None
        while not await self._redis.set(self._key, self._who, nx=True, px=self._ms):
            left = int(await self._redis.pttl(self._key))
            if before is not None and left > before:
                raise RebuildUnderWayError("another rebuild is under way")
            before = left
            await asyncio.sleep(self._seconds / RENEWALS / 2)
        self._renewed = monotonic()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._keeper
        self._keeper.cancel()
        with suppress(RedisError):
            await _done(self._redis.eval(RENEW, 1, self._key, self._who, "0"))

    @classmethod
    async def is_held(cls, redis: Redis, group: str) -> bool:
        return bool(await redis.exists(cls(redis, group)._key))

    def check(self) -> None:
        """Raises LeaseLostError when it may have ended."""
        if monotonic() - self._renewed >= self._seconds:
            raise LeaseLostError("this rebuild was silent for too long, and another one may have begun: start it again")

    async def confirm(self) -> None:
        """Renew it now: it is held for all of its time from here on. Raises LeaseLostError."""
        while True:
            self.check()
            now = monotonic()
            try:
                held = await _done(self._redis.eval(RENEW, 1, self._key, self._who, str(self._ms)))
                break
            except (RedisConnectionError, RedisTimeoutError):
                await asyncio.sleep(self._seconds / RENEWALS / 10)
        self._renewed = now if held else float("-inf")
        self.check()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._seconds / RENEWALS)
            with suppress(RedisError, LeaseLostError):  # `check` tells
                await self.confirm()

    @property
    def _ms(self) -> int:
        return round(self._seconds * 1000)


async def _done(command: Awaitable[Any] | Any) -> Any:
    return await command
