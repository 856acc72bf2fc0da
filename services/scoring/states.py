"""Where states are kept, by partition, with the input offsets applied to them. Every write checks what is believed applied."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import BusyLoadingError, NoScriptError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from services.scoring import metrics

log = structlog.get_logger(__name__)
T = TypeVar("T")

Applied = Mapping[str, int]  # topic -> the next offset to apply; a topic of which nothing was applied is absent

SUPERSEDED = (
    b"superseded"  # beside what is applied: the epoch that has taken over, after which nothing is read or written here
)


class SupersededError(RuntimeError):
    """These states were built anew, and the new ones are in force: whoever holds on to the old ones may neither read nor write."""


def space(group: str, epoch: int) -> str:
    """What the keys of an epoch's states begin with."""
    return f"{group}.{epoch}" if epoch else group


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is applied in a partition, and the states asked for that exist, by subject."""

    applied: Applied
    states: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Change:
    """States to write, if `believed` is still what is applied; then `applied` is.

    due:       by subject, when time alone may change it next (ms), or None when it does not
    rescoring: how far re-scoring is, by field (`rescoring.py`); None for one that goes
    """

    partition: int
    believed: Applied
    applied: Applied
    states: Mapping[str, bytes] = field(default_factory=dict)
    due: Mapping[str, int | None] = field(default_factory=dict)
    rescoring: Mapping[str, str | None] = field(default_factory=dict)


class States(Protocol):
    """epoch: how often all states were built anew (`baton scoring rebuild`)

    `load`, `save` and `reset` raise SupersededError once a later epoch was made to supersede this one.
    """

    epoch: int

    async def load(self, wanted: Mapping[int, Sequence[str]]) -> dict[int, Loaded]:
        """What is applied, read before the states, for each partition; one round trip."""
        ...

    async def save(self, changes: Sequence[Change]) -> dict[int, Applied]:
        """Write each partition's change at once, all of it or nothing; one round trip.

        Returns what is really applied for the partitions that were refused, because that is not what was believed.
        """
        ...

    async def due(self, partitions: Sequence[int], until: int, most: int) -> dict[int, list[tuple[str, int]]]:
        """Subjects that time alone may have changed by `until` (ms), and when: `most` of each partition, the earliest first."""
        ...

    async def subjects(self, partition: int, cursor: int, about: int) -> tuple[int, list[str]]:
        """Of all subjects about so many, and the cursor for those that follow; it begins and ends with 0.

        Whatever was there throughout comes by at least once, whatever is written meanwhile, and however often the store restarts.
        """
        ...

    async def rescoring(self, partitions: Sequence[int]) -> dict[int, dict[str, str]]:
        """How far re-scoring is, by field; of each partition."""
        ...

    async def sizes(self, partitions: Sequence[int]) -> dict[int, int]:
        """How many subjects each partition has."""
        ...

    async def run(self, partition: int) -> str:
        """Which start of the store's server this is: another may have lost the last of what the one before had acknowledged."""
        ...

    async def reset(self, partition: int) -> None:
        """Forget the partition: no states, nothing applied, nothing due, nothing re-scored."""
        ...

    async def supersede(self, partitions: Sequence[int]) -> None:
        """From now on these partitions' states of all earlier epochs are refused to whoever still believes in them."""
        ...


# KEYS: states, applied, due, rescoring
# ARGV: number of topics, then topic, believed, applied of each; number of states, then subject and state of each; number of
# moments, then moment and subject of each; number of subjects that are not due any more, then these; then field and value of
# re-scoring, the value empty for a field that goes
SAVE = """
if redis.call('HEXISTS', KEYS[2], 'superseded') == 1 then
  return redis.call('HGETALL', KEYS[2])
end
local topics = tonumber(ARGV[1])
for i = 0, topics - 1 do
  local applied = redis.call('HGET', KEYS[2], ARGV[2 + 3 * i])
  if (applied or '0') ~= ARGV[3 + 3 * i] then
    return redis.call('HGETALL', KEYS[2])
  end
end
for i = 0, topics - 1 do
  redis.call('HSET', KEYS[2], ARGV[2 + 3 * i], ARGV[4 + 3 * i])
end
local function each(command, key, first, last)
  while first <= last do
    local stop = math.min(first + 999, last)
    redis.call(command, key, unpack(ARGV, first, stop))
    first = stop + 1
  end
end
local at = 2 + 3 * topics
local states = at + 2 * tonumber(ARGV[at])
each('HSET', KEYS[1], at + 1, states)
at = states + 1
local due = at + 2 * tonumber(ARGV[at])
each('ZADD', KEYS[3], at + 1, due)
at = due + 1
local never = at + tonumber(ARGV[at])
each('ZREM', KEYS[3], at + 1, never)
for i = never + 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[4], ARGV[i])
  else
    redis.call('HSET', KEYS[4], ARGV[i], ARGV[i + 1])
  end
end
return 1
"""

# KEYS: applied, and what else is to go
RESET = """
if redis.call('HEXISTS', KEYS[1], 'superseded') == 1 then
  return redis.call('HGETALL', KEYS[1])
end
return redis.call('UNLINK', unpack(KEYS))
"""

# KEYS: applied   ARGV: the epoch that has taken over
DROPPED = """
redis.call('DEL', KEYS[1])
return redis.call('HSET', KEYS[1], 'superseded', ARGV[1])
"""

# KEYS: the number of the epoch in force, which never falls   ARGV: one that is told
HIGHEST = """
local known, told = tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1])
if told > known then
  redis.call('SET', KEYS[1], told)
  return told
end
return known
"""

# KEYS: states   ARGV: run of the server that gave the cursor, cursor, count. The names alone: states are large.
# Each run of a server, a replica's too, hashes by a seed of its own: a cursor of another run would pass over what is there.
SUBJECTS = """
local run = tonumber(string.sub(string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'), 1, 5), 16)
local from = tonumber(ARGV[1]) == run and ARGV[2] or '0'
local found = redis.call('HSCAN', KEYS[1], from, 'COUNT', ARGV[3])
local names = {}
for i = 1, #found[2], 2 do
  names[#names + 1] = found[2][i]
end
return {found[1], names, run}
"""
# KEYS: one of the partition's, so that the server that has it answers
RUN = "return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')"
PLACES = 2**43  # what HSCAN's cursors are below; what is above them in ours is the run, and both fit into 63 bits

KEPT = ("states", "due", "rescoring")  # by partition, beside what is applied


class RedisStates:
    """By partition the hashes `<group>:{s:<partition>}:states`, `:applied` and `:rescoring` and the sorted set `:due`: one slot
    of a Redis Cluster.

    A lost connection is waited out: an ambiguous write resolves itself by the fence.

    group: the consumer group, whose offsets these are;  epoch: which building of the states, from 0 on, each in keys of its own
    pause: seconds between tries
    """

    def __init__(self, redis: Redis, *, group: str = "scoring", epoch: int = 0, pause: float = 0.2) -> None:
        self._redis, self._group, self._pause = redis, group, pause
        self.epoch = epoch
        self._sha: str | None = None

    async def enter(self, told: int) -> int:
        """Take the epoch in force: the one told, or a later one that the store (`<group>:epoch`) knows of; its number."""
        key = f"{self._group}:epoch"
        known: Any = await self._persistently(lambda: _answer(self._redis.eval(HIGHEST, 1, key, str(told))))
        self.epoch = int(known)
        return self.epoch

    async def load(self, wanted: Mapping[int, Sequence[str]]) -> dict[int, Loaded]:
        return await self._persistently(lambda: self._load(wanted))

    async def _load(self, wanted: Mapping[int, Sequence[str]]) -> dict[int, Loaded]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition, leads in wanted.items():
                pipe.hgetall(self._key(partition, "applied"))
                if leads:
                    pipe.hmget(self._key(partition, "states"), list(leads))
            answers = iter(await pipe.execute())
        loaded = {}
        for partition, leads in wanted.items():
            applied = _applied(next(answers))
            found = zip(leads, next(answers), strict=True) if leads else ()
            loaded[partition] = Loaded(applied, {lead: state for lead, state in found if state is not None})
        return loaded

    async def save(self, changes: Sequence[Change]) -> dict[int, Applied]:
        return await self._persistently(lambda: self._save(changes))

    async def _save(self, changes: Sequence[Change]) -> dict[int, Applied]:
        refused: dict[int, Applied] = {}
        pending = list(changes)
        while pending:
            sha = self._sha or await self._redis.script_load(SAVE)
            self._sha = sha
            async with self._redis.pipeline(transaction=False) as pipe:
                for change in pending:
                    self._command(pipe, sha, change)
                answers = await pipe.execute(raise_on_error=False)
            again = []
            for change, answer in zip(pending, answers, strict=True):
                if isinstance(answer, NoScriptError):  # Redis was restarted
                    self._sha = None
                    again.append(change)
                elif isinstance(answer, Exception):
                    raise answer
                elif answer != 1:
                    refused[change.partition] = _applied(dict(zip(answer[::2], answer[1::2], strict=True)))
            pending = again
        return refused

    def _command(self, pipe: Pipeline, sha: str, change: Change) -> None:
        fence = [
            part
            for topic, applied in sorted(change.applied.items())
            for part in (topic, str(change.believed.get(topic, 0)), str(applied))
        ]
        states = [part for subject, state in change.states.items() for part in (subject, state)]
        moments = [part for subject, at in change.due.items() if at is not None for part in (at, subject)]
        never = [subject for subject, at in change.due.items() if at is None]
        noted = [part for name, value in change.rescoring.items() for part in (name, value or "")]
        keys = [self._key(change.partition, what) for what in ("states", "applied", "due", "rescoring")]
        counted = (len(change.states), *states, len(moments) // 2, *moments, len(never), *never)
        pipe.evalsha(sha, 4, *keys, len(change.applied), *fence, *counted, *noted)

    async def due(self, partitions: Sequence[int], until: int, most: int) -> dict[int, list[tuple[str, int]]]:
        return await self._persistently(lambda: self._due(partitions, until, most))

    async def _due(self, partitions: Sequence[int], until: int, most: int) -> dict[int, list[tuple[str, int]]]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in partitions:
                pipe.zrangebyscore(self._key(partition, "due"), "-inf", until, start=0, num=most, withscores=True)
            answers = await pipe.execute()
        return {
            partition: [(subject.decode(), int(at)) for subject, at in found]
            for partition, found in zip(partitions, answers, strict=True)
            if found
        }

    async def subjects(self, partition: int, cursor: int, about: int) -> tuple[int, list[str]]:
        key = self._key(partition, "states")
        run, place = divmod(cursor, PLACES)
        answer: Any = await self._persistently(lambda: _answer(self._redis.eval(SUBJECTS, 1, key, run, place, about)))
        following, names, run = answer
        return (run * PLACES + int(following) if int(following) else 0), [name.decode() for name in names]

    async def run(self, partition: int) -> str:
        key = self._key(partition, "rescoring")
        answer: Any = await self._persistently(lambda: _answer(self._redis.eval(RUN, 1, key)))
        return str(answer.decode())

    async def rescoring(self, partitions: Sequence[int]) -> dict[int, dict[str, str]]:
        answers = await self._persistently(lambda: self._each(partitions, "hgetall", "rescoring"))
        return {
            partition: {name.decode(): value.decode() for name, value in found.items()}
            for partition, found in zip(partitions, answers, strict=True)
        }

    async def sizes(self, partitions: Sequence[int]) -> dict[int, int]:
        answers = await self._persistently(lambda: self._each(partitions, "hlen", "states"))
        return dict(zip(partitions, answers, strict=True))

    async def some(self, partition: int, most: int) -> list[str]:
        """Subjects by lot, none twice: all of them where there are no more."""
        key = self._key(partition, "states")
        names: Any = await self._persistently(lambda: _answer(self._redis.hrandfield(key, most)))
        return [name.decode() for name in names]

    async def begun(self, most: int) -> list[int]:
        """The partitions that a worker has ever begun, of so many."""
        answers = await self._persistently(lambda: self._each(range(most), "exists", "applied"))
        return [partition for partition, exists in enumerate(answers) if exists]

    async def bytes(self, partitions: Sequence[int]) -> int:
        """What the states take in the store, about: Redis looks at some of them."""
        answers = await self._persistently(lambda: self._each(partitions, "memory_usage", "states"))
        return sum(answer or 0 for answer in answers)

    async def _each(self, partitions: Sequence[int], command: str, what: str) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in partitions:
                getattr(pipe, command)(self._key(partition, what))
            answers: list[Any] = await pipe.execute()
        return answers

    async def reset(self, partition: int) -> None:
        names = [self._key(partition, what) for what in ("applied", *KEPT)]
        answer: Any = await self._persistently(lambda: _answer(self._redis.eval(RESET, len(names), *names)))
        if isinstance(answer, list):
            _applied(dict(zip(answer[::2], answer[1::2], strict=True)))

    async def supersede(self, partitions: Sequence[int]) -> None:
        await self._persistently(lambda: self._supersede(partitions))

    async def _supersede(self, partitions: Sequence[int]) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for earlier in range(self.epoch):
                for partition in partitions:
                    pipe.hset(self._key(partition, "applied", earlier), SUPERSEDED, self.epoch)
            await pipe.execute()

    async def drop(self, partitions: Sequence[int], by: int) -> None:
        """Free what these states take, in the background (UNLINK). What is left says to whoever comes that epoch `by` took over;
        to a version of this program of before epochs it says that nothing is applied, or that would go on without the states.
        """
        await self._persistently(lambda: self._drop(partitions, by))

    async def _drop(self, partitions: Sequence[int], by: int) -> None:
        async with self._redis.pipeline(transaction=False) as pipe:
            for partition in partitions:
                pipe.eval(DROPPED, 1, self._key(partition, "applied"), by)
                pipe.unlink(*(self._key(partition, what) for what in KEPT))
            await pipe.execute()

    def _key(self, partition: int, what: str, epoch: int | None = None) -> str:
        return f"{space(self._group, self.epoch if epoch is None else epoch)}:{{s:{partition}}}:{what}"

    async def _persistently(self, work: Callable[[], Awaitable[T]]) -> T:
        return await persistently(work, self._pause)


async def persistently(work: Callable[[], Awaitable[T]], pause: float = 0.2) -> T:
    """Repeat `work` until Redis answers."""
    while True:
        try:
            return await work()
        except (RedisConnectionError, RedisTimeoutError, BusyLoadingError, ReadOnlyError) as error:
            metrics.REDIS_RETRIES.inc()
            log.warning("redis_unreachable", error=repr(error))
            await asyncio.sleep(pause)


def _applied(found: Mapping[bytes, bytes]) -> dict[str, int]:
    """Raises SupersededError where the hash says so."""
    if SUPERSEDED in found:
        raise SupersededError(f"epoch {int(found[SUPERSEDED])} has taken over")
    return {topic.decode(): int(offset) for topic, offset in found.items()}


async def _answer(command: Any) -> Any:
    return await command


def connect(url: str) -> Redis:
    """A client whose round trips fail within seconds when Redis is away. Raises ValueError for what is no Redis URL."""
    client: Any = Redis.from_url(url, socket_timeout=10, socket_connect_timeout=3, health_check_interval=30)
    assert isinstance(client, Redis)
    return client
