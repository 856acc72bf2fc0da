"""The tracking calls. Their Content-Type is never looked at: SDKs say form or text and send JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

import structlog
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from services.ingest import metrics
from services.ingest.answers import Answer, failure, success
from services.ingest.domain.envelope import CALLS, open_body
from services.ingest.domain.inflate import inflate
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import Draft, Sender
from services.ingest.guard import Call, Endpoint
from services.ingest.handler import UnavailableError
from services.ingest.links import LinksLostError
from services.ingest.reading import Read, read_body, rejected_record
from services.ingest.senders import Senders, bearer, header_key
from shared.kit.clock import Clock
from shared.kit.kafka import Outgoing

log = structlog.get_logger(__name__)

Handle = Callable[[Sequence[Draft], Sequence[Outgoing]], Awaitable[list[bool]]]


class Tracking:
    """`POST /v1/<call>`. Answers 200 when Kafka has acknowledged all that was accepted, else 503."""

    def __init__(
        self, senders: Senders, handle: Handle, clock: Clock, *, body_bytes: int, complete: Callable[[], bool]
    ) -> None:
        """complete: whether all write keys are known; until then nobody is told that theirs is not"""
        self._senders, self._handle, self._clock, self._most = senders, handle, clock, body_bytes
        self._complete = complete

    def endpoints(self) -> dict[str, Endpoint]:
        """Path -> what answers it."""
        return {f"/v1/{kind}": partial(self.answer, kind) for kind in (*CALLS, "batch")}

    async def answer(self, kind: str, call: Call) -> Answer:
        """What `POST /v1/<kind>` is answered."""
        began = perf_counter()
        answer = await self._answer(kind, call)
        metrics.REQUESTS.labels(str(answer.status)).inc()
        metrics.REQUEST_SECONDS.observe(perf_counter() - began)
        return answer

    async def _answer(self, kind: str, call: Call) -> Answer:
        received_at = self._clock.now()
        sender: Sender | None = None
        try:
            headers = dict(call.headers)
            sender = self._by_header(headers, call.query)
            if call.too_large:
                raise Refused("too_large", f"a body may have {self._most} bytes", 413)
            encodings = [value for name, value in call.headers if name == b"content-encoding"]
            parsed = parse(inflate(call.body, encodings, self._most))
            sender = sender or self._admitted(_body_key(parsed.tree))
            read = read_body(open_body(kind, parsed.tree), sender, received_at, suspect=parsed.suspect)
        except Refused as refused:
            return await self._refuse(refused, sender, call.body, received_at)
        accepted = await self._written(read.drafts, read.records)
        return _answered(kind, read, accepted) if isinstance(accepted, list) else accepted

    async def _written(self, drafts: Sequence[Draft], records: Sequence[Outgoing]) -> list[bool] | Answer:
        """Which drafts were accepted; or the answer where nothing is known to be kept."""
        try:
            return await self._handle(drafts, records)
        except UnavailableError as error:
            return failure(503, "unavailable", f"{error}: send it again later")
        except LinksLostError:
            return failure(503, "rebuilding", "the link registers are being read again: send it again later")

    def _by_header(self, headers: dict[bytes, bytes], query: bytes) -> Sender | None:
        """Whom headers or query admit; None where only the body can tell. Raises Refused for a key that is not known."""
        if key := header_key(headers):
            return self._admitted(key)
        # A bearer token may be an OAuth token beside the body's write key, so an unknown one decides nothing.
        if (token := bearer(headers)) and (sender := self._senders.find(token)):
            return sender
        key = _query_key(query)
        return self._admitted(key) if key else None

    def _admitted(self, key: str | None) -> Sender:
        sender = self._senders.find(key) if key else None
        if sender is None and not self._complete():
            raise Refused("starting", "the write keys are being read: send it again later", 503)
        if sender is None:
            raise Refused("unknown_write_key", "send the write key of a source: X-Write-Key, Basic, or `writeKey`", 401)
        return sender

    async def _refuse(self, refused: Refused, sender: Sender | None, raw: bytes, received_at: int) -> Answer:
        """The answer to a body that is refused as a whole; kept for operators when it is known whose it is."""
        metrics.REJECTED.labels(refused.code).inc()
        if sender:
            written = await self._written([], [rejected_record(sender, refused, None, raw, received_at)])
            if isinstance(written, Answer):
                return written
        return failure(refused.status, refused.code, refused.message)


def _answered(kind: str, read: Read, accepted: list[bool]) -> Answer:
    """A single event that is refused is an error; a batch is a success whatever is in it, or its good events would come again."""
    taken = sum(accepted)
    metrics.ACCEPTED.inc(taken)
    if taken == len(accepted) and not read.refused:
        return success(taken, 0, 0, [])
    repeated = len(accepted) - taken
    metrics.DUPLICATE.inc(repeated)
    metrics.REFUSED.inc(len(read.refused))
    if read.refused and kind != "batch":
        refused = read.refused[0]
        return failure(refused.status, refused.code, refused.message)
    return success(taken, repeated, len(read.refused), _results(read, accepted))


def _results(read: Read, accepted: list[bool]) -> list[dict[str, Any]]:
    """Per event that was not accepted, in the order of the body, what became of it (EventResult)."""
    results: dict[int, dict[str, Any]] = {
        made.position: {"index": made.position, "status": "duplicate", "event_id": made.event_id}
        for made, taken in zip(read.drafts, accepted, strict=True)
        if not taken
    }
    for index, refused in read.refused.items():
        results[index] = {"index": index, "status": "rejected", "code": refused.code, "message": refused.message}
    return [results[index] for index in sorted(results)]


def _query_key(query: bytes) -> str | None:
    if b"writeKey" not in query:
        return None
    values = parse_qs(query.decode("latin-1")).get("writeKey")
    return values[0] if values else None


def _body_key(tree: Any) -> str | None:
    key = tree.get("writeKey") if isinstance(tree, dict) else None
    return key if isinstance(key, str) else None


def install_errors(app: FastAPI) -> None:
    """Every error of `app` as JSON with `code` and `message`."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return _response(failure(error.status_code, code, f"{request.method} {request.url.path}: {error.detail}"))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> Response:
        log.exception("unhandled", path=request.url.path, exc_info=error)
        return _response(failure(500, "internal_error", "this is a fault of ours; the log of the service says more"))


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
