"""The tracking calls over HTTP. Their Content-Type is never looked at: SDKs say form or text and send JSON."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

import orjson
import structlog
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.ingest import metrics
from services.ingest.domain.envelope import CALLS, Envelope, open_body, read_event
from services.ingest.domain.inflate import inflate
from services.ingest.domain.parse import check, parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import Draft, Sender, draft
from services.ingest.guard import RETRY_AFTER, Body
from services.ingest.handler import UnavailableError
from services.ingest.links import LinksLostError
from services.ingest.senders import Senders, header_key
from shared.kit.clock import Clock
from shared.kit.kafka import Outgoing
from shared.schemas.base import record_key
from shared.schemas.topics import INGEST_REJECTED

log = structlog.get_logger(__name__)

Handle = Callable[[list[Draft], list[Outgoing]], Awaitable[list[bool]]]

MOST_RAW = 65_536  # bytes of what was refused that are kept


@dataclass(slots=True)
class Read:
    """What a body held: drafts of what may become touches, and what was refused, by index."""

    drafts: list[Draft] = field(default_factory=list)
    refused: dict[int, Refused] = field(default_factory=dict)
    repeated: dict[int, str] = field(default_factory=dict)  # index of an event whose id stood earlier in the body
    records: list[Outgoing] = field(default_factory=list)


class Tracking:
    """`POST /v1/<call>`. Answers 200 when Kafka has acknowledged all that was accepted, else 503."""

    def __init__(self, senders: Senders, handle: Handle, clock: Clock, *, body_bytes: int) -> None:
        self._senders, self._handle, self._clock, self._most = senders, handle, clock, body_bytes

    async def answer(self, request: Request, call: str) -> Response:
        began = perf_counter()
        response = await self._answer(request, call)
        metrics.REQUESTS.labels(str(response.status_code)).inc()
        metrics.REQUEST_SECONDS.observe(perf_counter() - began)
        return response

    async def _answer(self, request: Request, call: str) -> Response:
        body: Body = request.scope["state"]["body"]
        received_at = self._clock.now()
        sender: Sender | None = None
        try:
            key = header_key(dict(request.scope["headers"])) or _query_key(request.scope["query_string"])
            if key:
                sender = self._admitted(key)
            if body.too_large:
                raise Refused("too_large", f"a body may have {self._most} bytes", 413)
            plain = inflate(body.data, request.headers.getlist("content-encoding"), self._most)
            parsed = parse(plain)
            if sender is None:
                sender = self._admitted(_body_key(parsed.tree))
            read = read_body(open_body(call, parsed.tree), sender, received_at, suspect=parsed.suspect)
        except Refused as refused:
            return await self._refuse(refused, sender, body.data, received_at)
        try:
            accepted = await self._handle(read.drafts, read.records)
        except UnavailableError as error:
            return failure(503, "unavailable", f"{error}: send it again later")
        except LinksLostError:
            return failure(503, "rebuilding", "the link registers are being read again: send it again later")
        return _success(call, read, accepted)

    def _admitted(self, key: str | None) -> Sender:
        sender = self._senders.find(key) if key else None
        if sender is None:
            raise Refused("unknown_write_key", "send the write key of a source: X-Write-Key, Basic, or `writeKey`", 401)
        return sender

    async def _refuse(self, refused: Refused, sender: Sender | None, raw: bytes, received_at: int) -> Response:
        """The answer to a body that is refused as a whole; kept for operators when it is known whose it is."""
        metrics.REJECTED.labels(refused.code).inc()
        if sender:
            try:
                await self._handle([], [rejected_record(sender, refused, None, raw, received_at)])
            except UnavailableError as error:
                return failure(503, "unavailable", f"{error}: send it again later")
        return failure(refused.status, refused.code, refused.message)


def read_body(envelope: Envelope, sender: Sender, received_at: int, *, suspect: bool) -> Read:
    """Every event of a body as a draft or a refusal; one bad event never costs another."""
    read = Read()
    seen: set[str] = set()
    for index in range(len(envelope.items)):
        try:
            if suspect:
                check(envelope.items[index])
            made = draft(read_event(envelope, index), sender, received_at)
        except Refused as refused:
            _keep(read, refused, envelope.items[index], index, sender, received_at)
            continue
        except Exception as error:  # a fault of ours in one event: its neighbours are not lost for it
            log.exception("event_not_read", source=sender.source_id, exc_info=error)
            fault = Refused("unreadable", "this event could not be read, which is a fault of ours; it is kept")
            _keep(read, fault, envelope.items[index], index, sender, received_at)
            continue
        if made.event_id in seen:
            read.repeated[index] = made.event_id
        else:
            seen.add(made.event_id)
            read.drafts.append(made)
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


def _success(call: str, read: Read, accepted: list[bool]) -> Response:
    taken = sum(accepted)
    repeated = len(accepted) - taken + len(read.repeated)
    metrics.EVENTS.labels("accepted").inc(taken)
    metrics.EVENTS.labels("duplicate").inc(repeated)
    metrics.EVENTS.labels("rejected").inc(len(read.refused))
    if read.refused and call != "batch":
        refused = read.refused[0]
        return failure(refused.status, refused.code, refused.message)
    answer: dict[str, Any] = {
        "success": True,
        "accepted": taken,
        "duplicate": repeated,
        "rejected": len(read.refused),
    }
    if repeated or read.refused:
        answer["results"] = _results(read, accepted)
    return _json(200, answer)


def _results(read: Read, accepted: list[bool]) -> list[dict[str, Any]]:
    """Per event that was not accepted, in the order of the body, what became of it (EventResult)."""
    results: dict[int, dict[str, Any]] = {
        made.index: {"index": made.index, "status": "duplicate", "event_id": made.event_id}
        for made, taken in zip(read.drafts, accepted, strict=True)
        if not taken
    }
    for index, event_id in read.repeated.items():
        results[index] = {"index": index, "status": "duplicate", "event_id": event_id}
    for index, refused in read.refused.items():
        results[index] = {"index": index, "status": "rejected", "code": refused.code, "message": refused.message}
    return [results[index] for index in sorted(results)]


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status_code=status, headers=headers, media_type="application/json")


def failure(status: int, code: str, message: str) -> Response:
    """An answer that is not a success. SDKs want `code` and `message` as text, or they send again what can never succeed."""
    headers = {"Retry-After": str(RETRY_AFTER)} if status == 503 else None
    if status == 401:
        headers = {"WWW-Authenticate": 'Basic realm="write key"'}
    return _json(status, {"code": code, "message": message}, headers)


def _query_key(query: bytes) -> str | None:
    if b"writeKey" not in query:
        return None
    values = parse_qs(query.decode("latin-1")).get("writeKey")
    return values[0] if values else None


def _body_key(tree: Any) -> str | None:
    key = tree.get("writeKey") if isinstance(tree, dict) else None
    return key if isinstance(key, str) else None


def install(app: FastAPI, tracking: Tracking) -> None:
    """The calls as routes of `app`, and every error of it as JSON with `code` and `message`."""
    for call in (*CALLS, "batch"):
        app.add_route(f"/v1/{call}", _endpoint(tracking, call), methods=["POST"])

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return failure(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}")

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> Response:
        log.exception("unhandled", path=request.url.path, exc_info=error)
        return failure(500, "internal_error", "this is a fault of ours; the log of the service says more")


def _endpoint(tracking: Tracking, call: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await tracking.answer(request, call)

    return endpoint
