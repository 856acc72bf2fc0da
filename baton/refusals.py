"""Events that ingest refused: which, why, and giving them to it again, mended or as they were.

What was given again is remembered as dead letters that were put back are (`baton.dlq`); forgetting it would do no harm, since
events have ids.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from aiokafka import TopicPartition

from baton import dlq
from baton.errors import OperatorError
from baton.ingest_admin import IngestAdmin
from shared.kit.clock import iso
from shared.schemas.topics import INGEST_REJECTED

TOPIC = INGEST_REJECTED.name
CUT = 65_536  # bytes of an event that ingest keeps
MOST_AT_ONCE = 100  # events of one order, and
MOST_BYTES = 8 * 1_048_576  # bytes of them
# Of an event, what names nobody.
_HARMLESS = frozenset({"type", "event", "timestamp", "originalTimestamp", "sentAt", "messageId"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """One event, or a whole body (`index` None).

    raw: as it was sent; empty where it was not wanted;  replayed: it was given to ingest again, and taken
    """

    partition: int
    offset: int
    tenant: str
    source: str
    code: str
    message: str
    index: int | None
    protocol: str
    call: str | None
    received_at: int
    replayed: bool
    raw: bytes = field(repr=False)
    topic: str = TOPIC

    @property
    def id(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a refusal that was given again: accepted, duplicate, or rejected with its code."""

    refusal: Refusal
    status: str
    code: str | None = None
    message: str | None = None


Wanted = Callable[[Refusal], bool]


async def read(bootstrap: str, wanted: Wanted = lambda refusal: True) -> list[Refusal]:
    """All refusals, the oldest first; of those that are not wanted without what was sent. Raises OperatorError."""
    found: list[Refusal] = []
    async with dlq.reader(bootstrap) as consumer:
        async for record, replayed in dlq.records(consumer, (TOPIC,)):
            refusal = _refusal(record, replayed)
            found.append(refusal if wanted(refusal) else replace(refusal, raw=b""))
    return sorted(found, key=lambda refusal: (refusal.received_at, refusal.id))


def _refusal(record: Any, replayed: bool) -> Refusal:
    try:
        told = orjson.loads(record.value or b"")
        return Refusal(
            record.partition,
            record.offset,
            told["tenant"],
            told["source_id"],
            told["code"],
            told["message"],
            told.get("index"),
            told.get("protocol", "segment"),
            told.get("call"),
            told["received_at"],
            replayed,
            b64decode(told["raw"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        name = (record.key or b"").decode(errors="replace")
        nothing = ("unreadable", "this record is none that ingest writes", None, "unknown", None, record.timestamp)
        return Refusal(record.partition, record.offset, name, "", *nothing, replayed, record.value or b"")


async def replay(
    bootstrap: str,
    ingest: IngestAdmin,
    wanted: Wanted,
    mend: Callable[[bytes], bytes] | None = None,
    *,
    again: bool = False,
) -> list[Result]:
    """Give refusals to ingest again, each mended by `mend`; what became of them. Those that it takes are remembered.

    Raises OperatorError where ingest cannot keep them now: what it took until then is a duplicate the next time.
    """
    found = await read(bootstrap, wanted)
    chosen = [refusal for refusal in found if wanted(refusal) and (again or not refusal.replayed)]
    ready, results = _mended(chosen, mend)
    for part in _parts(ready):
        answers = ingest.post("/replay", {"events": [_event(refusal) for refusal in part]})
        results += [
            Result(refusal, answer["status"], answer["code"], answer["message"])
            for refusal, answer in zip(part, answers, strict=True)
        ]
    if taken := [result.refusal for result in results if result.status != "rejected"]:
        places = dlq.remembered(found, taken)
        async with dlq.reader(bootstrap) as consumer:
            consumer.assign([TopicPartition(*place) for place in places])
            await consumer.commit({TopicPartition(*place): value for place, value in places.items()})
    return results


def _mended(chosen: Sequence[Refusal], mend: Callable[[bytes], bytes] | None) -> tuple[list[Refusal], list[Result]]:
    """Those that could be mended, and what is to be said of the others."""
    ready: list[Refusal] = []
    failed: list[Result] = []
    for refusal in chosen:
        try:
            ready.append(replace(refusal, raw=mend(refusal.raw)) if mend else refusal)
        except OperatorError as error:
            failed.append(Result(refusal, "rejected", "not_mended", str(error)))
    return ready, failed


def _event(refusal: Refusal) -> dict[str, Any]:
    return {
        "id": refusal.id,
        "tenant": refusal.tenant,
        "source_id": refusal.source,
        "protocol": refusal.protocol,
        "call": refusal.call,
        "index": refusal.index,
        "received_at": refusal.received_at,
        "raw": b64encode(refusal.raw).decode(),
    }


def _parts(chosen: Sequence[Refusal]) -> Iterator[list[Refusal]]:
    part: list[Refusal] = []
    size = 0
    for refusal in chosen:
        if part and (len(part) == MOST_AT_ONCE or size + len(refusal.raw) > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(refusal)
        size += len(refusal.raw)
    if part:
        yield part


def mended(raw: bytes, changes: Sequence[str], removals: Sequence[str] = ()) -> bytes:
    """An event with `path=value` set and paths taken out; a path is names and numbers parted by dots, a value JSON, else text.

    Raises OperatorError where the event is no JSON, or has nothing at a path.
    """
    try:
        tree = orjson.loads(raw)
    except orjson.JSONDecodeError:
        cut = len(raw) >= CUT
        how = "was cut after 64 KiB: give the whole of it with --body" if cut else "is no JSON: use --edit or --body"
        raise OperatorError(f"the event {how}") from None
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise OperatorError(f"`{change}` is no path=value")
        holder, name = _place(tree, path)
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = text
        holder[name] = value
    for path in removals:
        holder, name = _place(tree, path)
        try:
            del holder[name]
        except (KeyError, IndexError):
            raise OperatorError(f"there is nothing at `{path}`") from None
    return orjson.dumps(tree)


def _place(tree: Any, path: str) -> tuple[Any, str | int]:
    *names, last = path.split(".")
    for name in names:
        inner = _inner(tree, name, path)
        if inner is None and isinstance(tree, dict):
            inner = tree[name] = {}
        tree = inner
    if isinstance(tree, list):
        if not (last.isdigit() and int(last) < len(tree)):
            raise OperatorError(f"there is nothing at `{path}`: the list has {len(tree)} items, counted from 0")
        return tree, int(last)
    if not isinstance(tree, dict):
        raise OperatorError(f"there is nothing at `{path}`: what stands above it holds no fields")
    return tree, last


def _inner(tree: Any, name: str, path: str) -> Any:
    if isinstance(tree, list) and name.isdigit() and int(name) < len(tree):
        return tree[int(name)]
    if isinstance(tree, dict):
        return tree.get(name)
    raise OperatorError(f"there is nothing at `{path}`")


def summary(found: Sequence[Refusal]) -> str:
    """Counts by source and code."""
    counts = Counter((each.tenant, each.source, each.code, each.replayed) for each in found)
    lines = [f"{'refused':>8}  {'source':<32} code"]
    for (tenant, source, code, replayed), count in sorted(counts.items()):
        lines.append(f"{count:>8}  {f'{tenant}/{source}':<32} {code}{' (taken since)' if replayed else ''}")
    return "\n".join(lines)


def told(refusal: Refusal, *, reveal: bool) -> str:
    """One refusal in full; what is personal only if asked for."""
    place = "the whole body" if refusal.index is None else f"event {refusal.index} of its body"
    lines = [
        f"refused   {refusal.id}",
        f"code      {refusal.code}: {refusal.message}",
        f"source    {refusal.source} of {refusal.tenant}, {place}, sent as {refusal.protocol}"
        + (f" {refusal.call}" if refusal.call else ""),
        f"received  {iso(refusal.received_at)}",
        f"taken     {'yes, given again' if refusal.replayed else 'no'}",
        "event" + (" (its first 64 KiB)" if len(refusal.raw) >= CUT else ""),
        body(refusal.raw, reveal=reveal),
    ]
    return "\n".join(lines)


def body(raw: bytes, *, reveal: bool) -> str:
    """What was sent, indented where it is JSON. Without `reveal` its shape alone: names of fields, and what names nobody."""
    try:
        tree = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return (
            raw.decode(errors="backslashreplace")
            if reveal
            else f"({len(raw)} bytes that are no JSON; --reveal shows them)"
        )
    return orjson.dumps(tree if reveal else _shape(tree), option=orjson.OPT_INDENT_2).decode()


def _shape(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _shape(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_shape(part, name) for part in value]
    if isinstance(value, bool) or value is None or name in _HARMLESS:
        return dlq.PERSONAL.sub("[hidden]", value) if isinstance(value, str) else value
    return "[hidden]"
