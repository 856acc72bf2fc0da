"""From the bytes of a call to drafts of touches, and to what is refused."""

from __future__ import annotations

import json
import re
import traceback
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
import structlog

from services.ingest import metrics
from services.ingest.domain.automated import scanner_clicks
from services.ingest.domain.envelope import Envelope, read_event
from services.ingest.domain.parse import check
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import Draft, Sender, draft
from shared.kit.kafka import Outgoing
from shared.schemas.base import record_key
from shared.schemas.topics import INGEST_REJECTED

log = structlog.get_logger(__name__)

_PERCENT = re.compile(r"%[0-9A-F]{2}")
MOST_RAW = 65_536  # bytes of what was refused that are kept


@dataclass(slots=True)
class Read:
    """What a body held: drafts of what may become touches, what was refused by index, and the records that keep it.

    skew: by how many ms the sender's clock was behind ours when it sent the body; None where it does not say
    """

    drafts: list[Draft] = field(default_factory=list)
    refused: dict[int, Refused] = field(default_factory=dict)
    records: list[Outgoing] = field(default_factory=list)
    skew: int | None = None


def read_body(
    envelope: Envelope, sender: Sender, received_at: int, *, suspect: bool, hide: Sequence[bytes] = ()
) -> Read:
    """Every event of a body as a draft or a refusal; one bad event never costs another.

    hide: credentials that may stand in the body
    """
    read = Read()

    def keep(refused: Refused, index: int) -> None:
        metrics.REJECTED.labels(refused.code).inc()
        read.refused[index] = refused
        raw = _as_bytes(envelope.items[index])
        read.records.append(
            rejected_record(
                sender, refused, index, raw, received_at, protocol=envelope.protocol, call=envelope.call, hide=hide
            )
        )

    # Translators know one event at a time; those of senders that report clicks look for scanners themselves.
    scanned = scanner_clicks(envelope.items) if envelope.translate is None and len(envelope.items) > 1 else frozenset()
    for index, item in enumerate(envelope.items):
        try:
            if suspect:
                check(item)
            event = read_event(envelope, index)
            if event.sent_at is not None:
                read.skew = received_at - event.sent_at
            read.drafts.append(draft(event, sender, received_at, scanned=index in scanned))
        except Refused as refused:
            keep(refused, index)
        except Exception as error:  # a fault of ours in one event: its neighbours are not lost for it
            # Without its text, which may quote what somebody typed.
            log.error("event_not_read", source=sender.source_id, error=type(error).__name__, where=_where(error))
            keep(Refused("unreadable", "this event could not be read, which is a fault of ours; it is kept"), index)
    return read


def _where(error: BaseException) -> str:
    """File and line that raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"


def _as_bytes(item: Any) -> bytes:
    try:
        return orjson.dumps(item)
    except (orjson.JSONEncodeError, TypeError):  # too deep, or half a surrogate pair
        pass
    try:
        return repr(item)[:MOST_RAW].encode("utf-8", "backslashreplace")
    except RecursionError:  # a thousand brackets in each other: nobody's event
        return b""


@lru_cache(maxsize=1024)
def _spellings(credential: bytes) -> tuple[bytes, ...]:
    """A credential as bodies write it: as it is, in JSON, form-encoded, in XML; the longest first, since it may hold others."""
    text = credential.decode("utf-8", "surrogateescape")
    encoded = {quote(credential), quote(credential, safe=""), quote_plus(credential)}
    found = {
        credential,
        json.dumps(text)[1:-1].encode(),
        json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "surrogateescape"),
        json.dumps(text)[1:-1].replace("/", "\\/").encode(),
        escape(text).encode("utf-8", "surrogateescape"),
        escape(text, quote=False).encode("utf-8", "surrogateescape"),
        *(spelling.encode() for spelling in encoded),
        *(_PERCENT.sub(lambda code: code[0].lower(), spelling).encode() for spelling in encoded),
    }
    return tuple(sorted(found - {b""}, key=lambda spelling: (-len(spelling), spelling)))


def rejected_record(
    sender: Sender,
    refused: Refused,
    index: int | None,
    raw: bytes,
    received_at: int,
    *,
    protocol: str,
    call: str | None = None,
    hide: Sequence[bytes] = (),
) -> Outgoing:
    """RejectedEvent; `index` is None where a whole body is refused.

    Of `raw` the first 64 KiB are kept, without the credentials in `hide`.
    """
    for credential in hide:
        for written in _spellings(credential):
            raw = raw.replace(written, b"***")
    wire = {
        "record": "rejected",
        "tenant": sender.tenant,
        "source_id": sender.source_id,
        "code": refused.code,
        "message": refused.message,
        "index": index,
        "protocol": protocol,
        "call": call,
        "received_at": received_at,
        "raw": b64encode(raw[:MOST_RAW]).decode(),
    }
    return Outgoing(INGEST_REJECTED.name, record_key(sender.tenant, sender.source_id), orjson.dumps(wire))
