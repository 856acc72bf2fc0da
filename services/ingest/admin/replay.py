"""Events that were refused, read again: with the source's policy as it is now, as of when they were received."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import orjson
from pydantic import BaseModel, Field

from services.ingest.domain.envelope import CALLS
from services.ingest.domain.fields import text
from services.ingest.domain.forms import Surroundings
from services.ingest.domain.forms import envelope as form_envelope
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.forms import fields_of
from services.ingest.intake import Intake
from services.ingest.reading import MOST_RAW, Read, read_body
from services.ingest.request import Request
from services.ingest.senders import TRACKERS, WEBHOOKS
from services.ingest.senders.tracker import Opened
from services.ingest.sources import Registered, Sources
from shared.schemas.base import Millis, Tenant
from shared.schemas.policies.sources import FormSettings

MOST_EVENTS = 500  # of one call


class RefusedEvent(BaseModel):
    """As it stands in `ingest-rejected`, mended or not. id: the caller's own, comes back in the result"""

    id: str = Field(max_length=200)
    tenant: Tenant
    source_id: str
    protocol: str
    call: str | None = None
    index: int | None = None
    received_at: Annotated[Millis, Field(le=253_402_300_799_999)]
    raw: str = Field(repr=False, description="base64")


class Replay(BaseModel):
    events: tuple[RefusedEvent, ...] = Field(min_length=1, max_length=MOST_EVENTS)


class Replayed(BaseModel):
    """What became of one. A body of many events is `accepted` where all of them are accepted or duplicates."""

    id: str
    status: Literal["accepted", "duplicate", "rejected"]
    accepted: int = 0
    duplicate: int = 0
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Replaying:
    """Takes what was refused; ids of events make it safe to do twice. One bad event never costs another."""

    sources: Sources
    intake: Intake

    async def replay(self, event: RefusedEvent) -> Replayed:
        """Raises Refused 503 where nothing is known to be kept."""
        try:
            known, read = self._read(event)
        except Refused as refused:
            return Replayed(id=event.id, status="rejected", code=refused.code, message=refused.message)
        accepted = await self.intake.write(read.drafts, [])
        self.intake.seen.taken(known.sender, event.received_at, Read(read.drafts), accepted)
        taken = sum(accepted)
        result = Replayed(
            id=event.id,
            status="accepted" if taken else "duplicate",
            accepted=taken,
            duplicate=len(accepted) - taken,
        )
        if read.refused:
            first = next(iter(read.refused.values()))
            result = result.model_copy(update={"status": "rejected", "code": first.code, "message": first.message})
        return result

    def _read(self, event: RefusedEvent) -> tuple[Registered, Read]:
        known = self.sources.named(event.source_id, event.tenant)
        if known is None:
            raise Refused("unknown_source", f"tenant {event.tenant} has no source {event.source_id} any more", 404)
        try:
            raw = b64decode(event.raw, validate=True)
        except Base64Error:
            raise Refused("bad_raw", "`raw` is not base64") from None
        opened = reopen(raw, event.protocol, event.call, known, whole=event.index is None)
        return known, read_body(opened.envelope, known.sender, event.received_at, suspect=True)


def reopen(raw: bytes, protocol: str, call: str | None, known: Registered, *, whole: bool) -> Opened:
    """What was refused, opened by the protocol that it came by. Raises Refused.

    whole: it is a body; else one item of a body, which is put into such bodies as the protocol knows until it is found in one
    """
    if len(raw) >= MOST_RAW and not _is_json(raw):
        raise Refused("cut", f"only its first {MOST_RAW} bytes were kept: send the whole of it again, or give a body")
    if whole:
        return _first(_openings(protocol, call, known, [raw]))
    item = parse(raw).tree
    for opened in _openings(protocol, call, known, _bodies(raw)):
        if isinstance(opened, Opened) and opened.envelope.items == [item]:
            return opened
    raise Refused("cannot_replay", f"an item of `{protocol}` cannot be read by itself: have its sender send it again")


def _first(openings: Iterator[Opened | Refused]) -> Opened:
    refused: Refused | None = None
    for opened in openings:
        if isinstance(opened, Opened):
            return opened
        refused = refused or opened
    raise refused or Refused("cannot_replay", "nothing here reads that protocol any more")


def _openings(protocol: str, call: str | None, known: Registered, bodies: list[bytes]) -> Iterator[Opened | Refused]:
    """What comes of each body at each place where the protocol takes bodies."""
    for read, path in _readers(protocol, call or _type(bodies[0]), known):
        for body in bodies:
            for media in (b"application/json", b"application/x-www-form-urlencoded"):
                headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
                try:
                    yield read(Request("POST", path, b"", headers, body))
                except Refused as refused:
                    yield refused


def _readers(protocol: str, call: str | None, known: Registered) -> Iterator[tuple[Callable[[Request], Opened], str]]:
    if protocol == "form":
        yield (lambda request: _form(request, known)), f"/forms/{known.keys.source_id}"
    if webhook := WEBHOOKS.get(protocol):
        yield (lambda request: webhook.read(request, known.keys)), f"/hooks/{known.keys.source_id}"
    for tracker in TRACKERS:
        if tracker.name == protocol:
            for route in sorted(tracker.routes, key=lambda route: not route.batch):
                path = route.path + (call or "" if route.path.endswith("/") else "")
                named = path.rpartition("/")[2]
                # Where a path says what call it is, it has to be that one; places for many say the least.
                if named == call or (named not in CALLS and (call is None or route.path.endswith("/"))):
                    yield tracker.read, path


def _form(request: Request, known: Registered) -> Opened:
    """What surrounded it, such as the page's address, is known no more."""
    fields, suspect = fields_of(request)
    event = (known.form or FormSettings()).event
    return Opened(form_envelope(fields, event, Surroundings()), suspect=suspect, single=True)


def _bodies(item: bytes) -> list[bytes]:
    return [
        item,
        b"[" + item + b"]",
        *(b'{"' + name + b'":[' + item + b"]}" for name in (b"batch", b"events", b"data")),
    ]


def _type(body: bytes) -> str | None:
    """What a message of the Segment API says of itself."""
    try:
        return said if (said := text(orjson.loads(body), "type")) in CALLS else None
    except orjson.JSONDecodeError:
        return None


def _is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True
