"""From the bytes of a call to drafts of touches, and to what is refused."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from services.ingest import metrics
from services.ingest.domain.envelope import Envelope, read_event
from services.ingest.domain.parse import check
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import Draft, Sender, draft
from shared.kit.kafka import Outgoing
from shared.schemas.base import record_key
from shared.schemas.topics import INGEST_REJECTED

log = structlog.get_logger(__name__)

MOST_RAW = 65_536  # bytes of what was refused that are kept


@dataclass(slots=True)
class Read:
    """What a body held: drafts of what may become touches, what was refused by index, and the records that keep it."""

    drafts: list[Draft] = field(default_factory=list)
    refused: dict[int, Refused] = field(default_factory=dict)
    records: list[Outgoing] = field(default_factory=list)


def read_body(envelope: Envelope, sender: Sender, received_at: int, *, suspect: bool) -> Read:
    """Every event of a body as a draft or a refusal; one bad event never costs another."""
    read = Read()
    for index, item in enumerate(envelope.items):
        try:
            if suspect:
                check(item)
            read.drafts.append(draft(read_event(envelope, index), sender, received_at))
        except Refused as refused:
            _keep(read, refused, item, index, sender, received_at)
        except Exception as error:  # a fault of ours in one event: its neighbours are not lost for it
            log.exception("event_not_read", source=sender.source_id, exc_info=error)
            fault = Refused("unreadable", "this event could not be read, which is a fault of ours; it is kept")
            _keep(read, fault, item, index, sender, received_at)
    return read


def _keep(read: Read, refused: Refused, item: Any, index: int, sender: Sender, received_at: int) -> None:
    metrics.REJECTED.labels(refused.code).inc()
    read.refused[index] = refused
    try:
        raw = orjson.dumps(item)
    except (orjson.JSONEncodeError, TypeError):  # too deep, or half a surrogate pair
        raw = repr(item)[:MOST_RAW].encode("utf-8", "backslashreplace")
    read.records.append(rejected_record(sender, refused, index, raw, received_at))


def rejected_record(sender: Sender, refused: Refused, index: int | None, raw: bytes, received_at: int) -> Outgoing:
    """RejectedEvent; `index` is None where a whole body is refused. Of `raw` the first 64 KiB are kept."""
    wire = {
        "record": "rejected",
        "tenant": sender.tenant,
        "source_id": sender.source_id,
        "code": refused.code,
        "message": refused.message,
        "index": index,
        "received_at": received_at,
        "raw": b64encode(raw[:MOST_RAW]).decode(),
    }
    return Outgoing(INGEST_REJECTED.name, record_key(sender.tenant, sender.source_id), orjson.dumps(wire))
