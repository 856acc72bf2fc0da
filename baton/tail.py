"""Following what comes of a source: its touches as they are written, and what was refused of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from baton import masks
from baton.errors import OperatorError
from shared.schemas.topics import INGEST_REJECTED, TOUCHPOINTS

Record = dict[str, Any]
AT_ONCE = 10_000
_TOPICS = (TOUCHPOINTS.name, INGEST_REJECTED.name)


class Lines(Console):
    """Raises BrokenPipeError where nobody reads any more (`| head`): Rich would end the process, in the midst of the event loop."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


async def follow(
    bootstrap: str, tenant: str, source: str, *, since: int | None = None, ready: Callable[[], None] = lambda: None
) -> AsyncGenerator[Record, None]:
    """Records of the source as they come, for ever; from the time `since` (ms) on, or from now. What was there at the
    beginning comes in order of time (AT_ONCE records at a time, where there are more).

    ready: called once everything from now on will be seen. Raises OperatorError when Kafka cannot be read.
    """
    key, named = f"{tenant}/".encode(), orjson.dumps({"source_id": source})[1:-1]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="latest")
    try:
        await consumer.start()
        behind = await _begin(consumer, since)
        ready()
        kept: list[Record] = []
        while True:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    # Most records are of others: they are not worth a parser.
                    if record.key and record.key.startswith(key) and record.value and named in record.value:
                        told = orjson.loads(record.value)
                        if told.get("source_id") == source and told.get("record") in ("touch", "rejected"):
                            kept.append(told)
            behind = {place: end for place, end in behind.items() if await consumer.position(place) < end}
            if not behind or len(kept) >= AT_ONCE:
                for told in sorted(kept, key=lambda each: int(each["received_at"])):
                    yield told
                kept = []
    except KafkaError as error:
        raise OperatorError(f"Kafka at {bootstrap} does not answer ({type(error).__name__})") from error
    finally:
        await consumer.stop()


async def _begin(consumer: AIOKafkaConsumer, since: int | None) -> dict[TopicPartition, int]:
    """Where there is something to read already: up to which offset."""
    await consumer._client.set_topics(_TOPICS)
    partitions = [
        TopicPartition(name, number) for name in _TOPICS for number in sorted(consumer.partitions_for_topic(name) or ())
    ]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    starts = {} if since is None else await consumer.offsets_for_times(dict.fromkeys(partitions, since))
    for partition in partitions:
        found = starts.get(partition)
        consumer.seek(partition, found.offset if found else ends[partition])
    return {partition: ends[partition] for partition, found in starts.items() if found}


def line(record: Record, *, reveal: bool) -> Text:
    """One record in one line."""
    at = datetime.fromtimestamp(record["received_at"] / 1000, UTC).astimezone()
    if record["record"] == "rejected":
        place = "" if record.get("index") is None else f" at {record['index']}"
        text = f"{at:%H:%M:%S}  REJECTED {record['code']}: {record['message']} ({record.get('protocol', 'segment')}{place})"
        return Text(_printable(text), "red")
    parts = [f"{at:%H:%M:%S}", f"{record['type']:<22}", f"{_wide(_who(record, reveal=reveal), 28)}"]
    for name in ("channel", "campaign", "event"):
        if record.get(name) and record[name] != record["type"]:
            parts.append(str(record[name]))
    parts += [name for name in ("automated", "is_test") if record.get(name)]
    return Text(_printable("  ".join(parts)))


def _wide(text: str, cells: int) -> str:
    """Filled up to that many cells: a Japanese character takes two."""
    return text + " " * (cells - cell_len(text))


def _printable(text: str) -> str:
    """What strangers sent must not move the cursor."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _who(record: Record, *, reveal: bool) -> str:
    fields = (record.get("person") or {}).get("fields") or {}
    return masks.person(fields, reveal=reveal) or f"{record['identity_kind']} of {record['lead_id'][:8]}"


def as_json(record: Record, *, reveal: bool) -> str:
    """The record, its personal part masked unless asked for."""
    if not reveal:
        fields = (record.get("person") or {}).get("fields") or {}
        record = {name: value for name, value in record.items() if name not in ("person", "raw")}
        if fields.get("email"):
            record["person"] = {"email": masks.email(fields["email"])}
    return orjson.dumps(record).decode()
