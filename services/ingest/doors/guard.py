"""What stands before everything: bounds on headers, bytes, time and number of calls at once.

uvicorn and Starlette have none of these. Bodies are read here, so that nobody behind can forget a bound, and senders' calls
are answered without a detour through routing and middleware, which would cost as much as the work itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter
from typing import NamedTuple

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest import metrics
from services.ingest.answers import Answer, failure
from services.ingest.doors.reader import Body, FullError, GoneError, Reader, Sieve, SlowError
from services.ingest.request import Request

log = structlog.get_logger(__name__)

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32_768
# Snowplow's trackers send again for ever what is answered with any other 4xx: nothing there may be.
_SNOWPLOW = "/com.snowplowanalytics.snowplow/"
_INSTEAD = {404: 400, 405: 400, 408: 503, 413: 400, 431: 400}


Endpoint = Callable[[Request], Awaitable[Answer]]
Headers = list[tuple[bytes, bytes]]


class Door(NamedTuple):
    """What answers at a path, how large a body may be there (bytes as sent), and what part of it is wanted, if not all."""

    endpoint: Endpoint
    body_bytes: int
    sieve: Callable[[Headers], Sieve | None] | None = None


class Guard:
    """Leads calls to the doors, whatever their method; every other path is for `rest`."""

    def __init__(self, doors: Mapping[str, Door], rest: ASGIApp, *, read_seconds: float, concurrent: int) -> None:
        """doors: by path, or by a prefix that ends in `/`;  rest: it bounds what it reads itself"""
        self._doors, self._rest = doors, rest
        self._prefixes = tuple(path for path in doors if path.endswith("/") and len(path) > 1)
        self._reader, self._concurrent = Reader(read_seconds), concurrent
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        path = scope["path"]
        door = self._door(path)
        if refused := self._refused_unread(scope["headers"], counted=door is not None):
            await _send(scope, send, refused, close=True)
        elif door is not None:
            self._in_flight += 1
            try:
                await self._answer(door, scope, receive, send)
            finally:
                self._in_flight -= 1
        elif _is_snowplow(path):
            await _send(scope, send, failure(400, "not_found", f"{scope['method']} {path}: Not Found"), close=True)
        else:
            await self._rest(scope, receive, send)

    def _door(self, path: str) -> Door | None:
        if door := self._doors.get(path):
            return door
        return next((self._doors[prefix] for prefix in self._prefixes if path.startswith(prefix)), None)

    def in_flight(self) -> int:
        """Calls being read or worked on."""
        return self._in_flight

    def _refused_unread(self, headers: Headers, *, counted: bool) -> Answer | None:
        if counted and self._in_flight >= self._concurrent:
            metrics.SHED.labels("concurrency").inc()
            return failure(503, "busy", "too many calls at once: send again later")
        if len(headers) > MOST_HEADERS or sum([len(name) + len(value) for name, value in headers]) > MOST_HEADER_BYTES:
            metrics.SHED.labels("headers").inc()
            return failure(
                431, "headers_too_large", f"up to {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together"
            )
        return None

    async def _answer(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        sieve = door.sieve(scope["headers"]) if door.sieve else None
        body = await self._body(scope, receive, send, door.body_bytes, sieve)
        if body is None:
            return
        request = Request(
            scope["method"], scope["path"], scope["query_string"], scope["headers"], body.bytes, body.too_large
        )
        began = perf_counter()
        try:
            answer = await door.endpoint(request)
        except Exception as error:
            log.exception("unhandled", path=scope["path"], exc_info=error)
            answer = failure(500, "internal_error", "this is a fault of ours; the log of the service says more")
        metrics.REQUESTS.labels(str(answer.status)).inc()
        metrics.REQUEST_SECONDS.observe(perf_counter() - began)
        await _send(scope, send, answer, close=body.unread)

    async def _body(
        self, scope: Scope, receive: Receive, send: Send, most: int, sieve: Sieve | None = None
    ) -> Body | None:
        """None where the call is answered already, or nobody is there any more."""
        try:
            return await self._reader.read(scope["headers"], receive, most, sieve)
        except GoneError:
            metrics.SHED.labels("hung_up").inc()
        except SlowError:
            # Not 408: some SDKs take it for final and drop what they had.
            metrics.SHED.labels("slow").inc()
            await _send(scope, send, failure(503, "slow_body", "the body came too slowly"), close=True)
        except FullError:
            metrics.SHED.labels("memory").inc()
            await _send(
                scope, send, failure(503, "busy", "too many large bodies at once: send again later"), close=True
            )
        return None


def _is_snowplow(path: str) -> bool:
    return path == "/i" or path.startswith(_SNOWPLOW)


async def _send(scope: Scope, send: Send, answer: Answer, *, close: bool = False) -> None:
    status = answer.status
    if status in _INSTEAD and _is_snowplow(scope["path"]):
        status = _INSTEAD[status]
    headers = [
        (b"content-type", answer.media),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})
