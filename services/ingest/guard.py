"""What stands before the tracking calls: bounds on headers, bytes, time and number of requests at once.

uvicorn and Starlette have none of these. The body is read here, so that nobody behind can forget a bound.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.ingest import metrics

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32_768
DRAINED = (
    16 * 1_048_576
)  # of a body that is too large so much is read and thrown away, so that its sender sees the answer
RETRY_AFTER = 2  # seconds
GUARDED = "/v1/"


@dataclass(frozen=True, slots=True)
class Body:
    """A request's bytes, or the first of them where there are more than are allowed."""

    data: bytes
    too_large: bool = False


class TooSlowError(Exception):
    """The sender took longer for its body than it may."""


class GoneError(Exception):
    """The sender hung up."""


class Guard:
    """Passes on calls below `/v1/` with their body in `scope["state"]["body"]`; everything else untouched."""

    def __init__(self, app: ASGIApp, *, body_bytes: int, read_seconds: float, concurrent: int) -> None:
        self._app = app
        self._most, self._seconds, self._concurrent = body_bytes, read_seconds, concurrent
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(GUARDED):
            await self._app(scope, receive, send)
            return
        if self._in_flight >= self._concurrent:
            metrics.SHED.labels("concurrency").inc()
            await _answer(send, 503, "busy", "too many calls at once: send again later", close=True)
            return
        headers = scope["headers"]
        if len(headers) > MOST_HEADERS or sum(len(name) + len(value) for name, value in headers) > MOST_HEADER_BYTES:
            metrics.SHED.labels("headers").inc()
            await _answer(send, 431, "headers_too_large", "too many or too large headers", close=True)
            return
        self._in_flight += 1
        metrics.IN_FLIGHT.set(self._in_flight)
        try:
            await self._guarded(scope, receive, send)
        finally:
            self._in_flight -= 1
            metrics.IN_FLIGHT.set(self._in_flight)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(scope, receive)
        except GoneError:
            metrics.SHED.labels("hung_up").inc()
            return
        except TooSlowError:
            # Not 408: some SDKs take it for final and drop what they had.
            metrics.SHED.labels("slow").inc()
            await _answer(send, 503, "slow_body", f"the body took longer than {self._seconds:g} s", close=True)
            return
        scope.setdefault("state", {})["body"] = body
        await self._app(scope, _nothing_more, send)

    async def _read(self, scope: Scope, receive: Receive) -> Body:
        declared = _content_length(scope)
        message = await self._first(receive)
        if not message.get("more_body"):
            data = message.get("body", b"")
            return Body(data[: self._most], len(data) > self._most)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._stream(message, receive, declared > DRAINED)
        except TimeoutError:
            raise TooSlowError from None

    async def _first(self, receive: Receive) -> Message:
        try:
            async with asyncio.timeout(self._seconds):
                return _present(await receive())
        except TimeoutError:
            raise TooSlowError from None

    async def _stream(self, message: Message, receive: Receive, hopeless: bool) -> Body:
        """hopeless: the sender announced more than would be drained"""
        parts, size = [], 0
        while True:
            part = message.get("body", b"")
            size += len(part)
            if size <= self._most:
                parts.append(part)
            if hopeless or size > self._most + DRAINED or not message.get("more_body"):
                return Body(b"".join(parts), hopeless or size > self._most)
            message = _present(await receive())


def _present(message: Message) -> Message:
    if message["type"] == "http.disconnect":
        raise GoneError
    return message


async def _nothing_more() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else 0
    return 0


async def _answer(send: Send, status: int, code: str, message: str, *, close: bool = False) -> None:
    body = orjson.dumps({"code": code, "message": message})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 503:
        headers.append((b"retry-after", str(RETRY_AFTER).encode()))
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
