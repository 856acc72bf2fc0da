"""Dead letters: what is in them and why, and putting them back.

What was put back is remembered as the committed offset of a consumer group per topic, so that doing it twice does it once. The
group is committed after the acknowledgement: an interruption in between puts letters back once more, which readers bear.
"""

from __future__ import annotations

import re
import zlib
from base64 import b85decode, b85encode
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from baton.errors import OperatorError
from shared.kit.clock import iso
from shared.kit.kafka import KafkaPublisher, Outgoing
from shared.schemas.topics import DEAD_LETTERED, dead_letters

GROUP = "baton-dlq-replay"
SUFFIX = "-dlq"
MOST_METADATA = 4000  # bytes; a broker takes 4096 (offset.metadata.max.bytes)
TOPICS = tuple(dead_letters(topic).name for topic in DEAD_LETTERED)
PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter. source: topic/partition/offset of the record;  at: when it was rejected, ms;  replayed: put back before"""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None = field(repr=False)
    reason: str
    detail: str
    source: str
    group: str
    at: int
    replayed: bool

    @property
    def id(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Kept(Protocol):
    """What lies in a topic until it is put back."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def replayed(self) -> bool: ...
    @property
    def id(self) -> str: ...


@asynccontextmanager
async def reader(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        yield consumer
    except KafkaError as error:
        raise OperatorError(f"Kafka at {bootstrap} does not do that ({type(error).__name__}: {error})") from error
    finally:
        await consumer.stop()


async def letters(bootstrap: str, topics: tuple[str, ...] = TOPICS) -> list[Letter]:
    """All letters of `topics`, the oldest first. Raises OperatorError when Kafka cannot be read."""
    async with reader(bootstrap) as consumer:
        return [letter async for letter in _read(consumer, topics)]


async def replay(
    bootstrap: str, topics: tuple[str, ...], wanted: Callable[[Letter], bool], *, again: bool = False
) -> list[Letter]:
    """Put letters back, as they were, on the topic they came from under their own key; which ones.

    Raises OperatorError, having put nothing back, when they are so many and so scattered that they could not be remembered.
    """
    publisher = KafkaPublisher(bootstrap)
    async with reader(bootstrap) as consumer:
        found = [letter async for letter in _read(consumer, topics)]
        chosen = [letter for letter in found if wanted(letter) and (again or not letter.replayed)]
        if not chosen:
            return []
        done = remembered(found, chosen)
        await publisher.start()
        try:
            await publisher.publish([Outgoing(x.topic.removesuffix(SUFFIX), x.key, x.value, _mark(x)) for x in chosen])
        finally:
            await publisher.stop()
        await consumer.commit({TopicPartition(*place): value for place, value in done.items()})
    return chosen


def _mark(letter: Letter) -> tuple[tuple[str, bytes], ...]:
    return (("baton-replayed-from", letter.id.encode()),)


def remembered(found: Sequence[Kept], chosen: Sequence[Kept]) -> dict[tuple[str, int], tuple[int, str]]:
    """What to commit once `chosen` are put back, by topic and partition: the offset below which all are done, and as metadata the
    ones done above it. Raises OperatorError where the broker would not take it."""
    done = {letter.id for letter in chosen} | {letter.id for letter in found if letter.replayed}
    offsets: dict[tuple[str, int], tuple[int, str]] = {}
    for place in {(letter.topic, letter.partition) for letter in chosen}:
        here = sorted((x for x in found if (x.topic, x.partition) == place), key=lambda x: x.offset)
        first = next((x.offset for x in here if x.id not in done), here[-1].offset + 1)
        above = [x.offset for x in here if x.offset > first and x.id in done]
        offsets[place] = (first, packed(first, above))
        if len(offsets[place][1]) > MOST_METADATA:
            raise OperatorError(
                f"too many letters of partition {place[1]} of {place[0]} are passed over: "
                "put back all of the topic, or one by one with --letter"
            )
    return offsets


def packed(first: int, offsets: list[int]) -> str:
    """Offsets, none below `first`, as one bit each, compressed."""
    if not offsets:
        return ""
    bits = bytearray((max(offsets) - first) // 8 + 1)
    for offset in offsets:
        bits[(offset - first) // 8] |= 1 << (offset - first) % 8
    return b85encode(zlib.compress(bytes(bits))).decode()


def unpacked(first: int, text: str) -> set[int]:
    """The offsets that `packed` took."""
    if not text:
        return set()
    bits = zlib.decompress(b85decode(text))
    return {first + place for place in range(8 * len(bits)) if bits[place // 8] >> place % 8 & 1}


async def _read(consumer: AIOKafkaConsumer, topics: tuple[str, ...]) -> AsyncIterator[Letter]:
    found = [_letter(record, replayed) async for record, replayed in records(consumer, topics)]
    for letter in sorted(found, key=lambda letter: (letter.at, letter.id)):
        yield letter


async def records(consumer: AIOKafkaConsumer, topics: tuple[str, ...]) -> AsyncIterator[tuple[Any, bool]]:
    """All records of `topics`, in the order of their partitions, and whether each was put back before."""
    partitions = [TopicPartition(name, p) for name in topics for p in sorted(await _partitions(consumer, name))]
    if not partitions:
        return
    consumer.assign(partitions)
    done = {partition: await _done(consumer, partition) for partition in partitions}
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
        for partition, polled in (await consumer.getmany(timeout_ms=200)).items():
            below, above = done[partition]
            for record in polled:
                yield record, record.offset < below or record.offset in above


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    await consumer._client.set_topics([topic])
    return consumer.partitions_for_topic(topic) or set()


async def _done(consumer: AIOKafkaConsumer, partition: TopicPartition) -> tuple[int, set[int]]:
    """Below which offset all letters were put back, and which above it."""
    fetched: dict[TopicPartition, Any] = await consumer._coordinator.fetch_committed_offsets([partition])
    committed = fetched.get(partition)
    if committed is None or committed.offset < 0:
        return 0, set()
    return committed.offset, unpacked(committed.offset, committed.metadata)


def _letter(record: Any, replayed: bool) -> Letter:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    return Letter(
        record.topic,
        record.partition,
        record.offset,
        record.key or b"",
        record.value,
        headers.get("baton-reason", "unknown"),
        headers.get("baton-detail", ""),
        headers.get("baton-source", "unknown"),
        headers.get("baton-group", "unknown"),
        int(headers.get("baton-at", record.timestamp)),
        replayed,
    )


def summary(found: list[Letter]) -> str:
    """Counts by topic and reason."""
    if not found:
        return "There are no dead letters."
    counts = Counter((letter.topic, letter.reason, letter.replayed) for letter in found)
    lines = [f"{'letters':>8}  {'topic':<24} reason"]
    for (topic, reason, replayed), count in sorted(counts.items()):
        lines.append(f"{count:>8}  {topic:<24} {reason}{' (put back)' if replayed else ''}")
    return "\n".join(lines)


def told(letter: Letter, *, reveal: bool) -> str:
    """One letter in full; what is personal only if asked for."""
    lines = [
        f"letter    {letter.id}",
        f"reason    {letter.reason}: {letter.detail if reveal else PERSONAL.sub('[hidden]', letter.detail)}",
        f"source    {letter.source}, refused by {letter.group} at {iso(letter.at)}",
        f"key       {letter.key.decode(errors='replace')}",
        f"put back  {'yes' if letter.replayed else 'no'}",
        "body",
        body(letter.value, reveal=reveal),
    ]
    return "\n".join(lines)


def body(value: bytes | None, *, reveal: bool) -> str:
    """The record's body, indented where it is JSON. Without `reveal` nothing of a person: what cannot be read is not shown."""
    if value is None:
        return "(none: a deletion)"
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        return (
            value.decode(errors="backslashreplace")
            if reveal
            else f"({len(value)} bytes that are not JSON; --reveal shows them)"
        )
    return orjson.dumps(parsed if reveal else _hide(parsed), option=orjson.OPT_INDENT_2).decode()


def _hide(value: Any) -> Any:
    """The same without what is personal: the `person` object, memories and raw bodies, and whatever looks like an address."""
    if isinstance(value, dict):
        return {
            name: "[hidden]" if name in ("person", "memory", "raw") and part else _hide(part)
            for name, part in value.items()
        }
    if isinstance(value, list):
        return [_hide(part) for part in value]
    return PERSONAL.sub("[hidden]", value) if isinstance(value, str) else value
