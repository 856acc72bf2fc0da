"""What stands before everything: bounds on headers, bytes, time and number of calls at once.

uvicorn and Starlette have none of these. Bodies are read here, so that nobody behind can forget a bound, and senders' calls
are answered without a detour through routing and middleware, which would cost as much as the work itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest import metrics
from services.ingest.answers import Answer, failure
from services.ingest.request import Request

log = structlog.get_logger(__name__)

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32_768


Endpoint = Callable[[Request], Awaitable[Answer]]


class Door(NamedTuple):
    """What answers at a path, and how large a body may be there (bytes as sent)."""

    endpoint: Endpoint
    body_bytes: int


class GoneError(Exception):
    """The sender hung up."""


class Guard:
    """Leads calls to the doors, whatever their method; every other path is for `rest`."""

    def __init__(self, doors: Mapping[str, Door], rest: ASGIApp, *, read_seconds: float, concurrent: int) -> None:
        """doors: by path, or by a prefix that ends in `/`"""
        self._doors, self._rest = doors, rest
        self._prefixes = tuple(path for path in doors if path.endswith("/") and len(path) > 1)
        self._seconds, self._concurrent = read_seconds, concurrent
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self._door(scope["path"]) if scope["type"] == "http" else None
        if door is None:
            await self._rest(scope, receive, send)
            return
        if refused := self._refused_unread(scope["headers"]):
            await _send(send, refused, close=True)
            return
        self._in_flight += 1
        try:
            await self._answer(door, scope, receive, send)
        finally:
            self._in_flight -= 1

    def _door(self, path: str) -> Door | None:
        if door := self._doors.get(path):
            return door
        return next((self._doors[prefix] for prefix in self._prefixes if path.startswith(prefix)), None)

    def in_flight(self) -> int:
        """Calls being read or worked on."""
        return self._in_flight

    def _refused_unread(self, headers: list[tuple[bytes, bytes]]) -> Answer | None:
        if self._in_flight >= self._concurrent:
            metrics.SHED.labels("concurrency").inc()
            return failure(503, "busy", "too many calls at once: send again later")
        if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
            metrics.SHED.labels("headers").inc()
            return failure(
                431, "headers_too_large", f"up to {MOST_HEADERS} headers of {MOST_HEADER_BYTES} bytes together"
            )
        return None

    async def _answer(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                body, too_large = await _read(scope["headers"], receive, door.body_bytes)
        except GoneError:
            metrics.SHED.labels("hung_up").inc()
        except TimeoutError:
            # Not 408: some SDKs take it for final and drop what they had.
            metrics.SHED.labels("slow").inc()
            slow = failure(503, "slow_body", f"the body took longer than {self._seconds:g} s")
            await _send(send, slow, close=True)
        else:
            try:
                answer = await door.endpoint(
                    Request(scope["method"], scope["path"], scope["query_string"], scope["headers"], body, too_large)
                )
            except Exception as error:
                log.exception("unhandled", path=scope["path"], exc_info=error)
                answer = failure(500, "internal_error", "this is a fault of ours; the log of the service says more")
            await _send(send, answer, bodiless=scope["method"] == "HEAD")


async def _read(headers: list[tuple[bytes, bytes]], receive: Receive, most: int) -> tuple[bytes, bool]:
    """The body and whether it is too large. What is left of it is thrown away by uvicorn as it comes, so that a sender that
    reads no answer before it has sent everything gets it too."""
    if _announced(headers) > most and any(name == b"expect" for name, _ in headers):
        return b"", True
    parts: list[bytes] = []
    size = 0
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            return b"".join([*parts, part])[:most], True
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts), False


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else 0
    return 0


async def _send(send: Send, answer: Answer, *, close: bool = False, bodiless: bool = False) -> None:
    headers = [
        (b"content-type", answer.media),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodiless else answer.body})
