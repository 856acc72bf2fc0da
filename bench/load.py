"""A load generator that costs little itself: keep-alive connections, requests made beforehand, no HTTP library."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from time import monotonic
from typing import Self, cast
from urllib.parse import urlsplit

IDLE_SECONDS = 2.0  # uvicorn closes what was idle for 5


def request(method: str, url: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of a request."""
    parts = urlsplit(url)
    lines = [f"{method} {parts.path}{'?' * bool(parts.query)}{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    async def call(self, data: bytes) -> bytes:
        """The body of the answer. Raises RuntimeError for every status but 200."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods only

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or self._answer is None:
            return
        _, _, tail = head.lower().partition(b"content-length:")
        length = int(tail.partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._received = rest[length:]
        if head.startswith(b"HTTP/1.1 200"):
            self._answer.set_result(rest[:length])
        else:
            status = head.partition(b"\r\n")[0].decode()
            self._answer.set_exception(RuntimeError(f"{status}: {rest[:300].decode(errors='replace')}"))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed by the server"))

    def close(self) -> None:
        if self._transport:
            self._transport.close()


class Client:
    """As many connections to one server as there are calls at the same time."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[float, Connection]] = []

    async def call(self, data: bytes) -> bytes:
        """The body of the answer. Raises RuntimeError for every status but 200."""
        connection = self._latest() or await self._open()
        body = await connection.call(data)
        self._idle.append((monotonic(), connection))
        return body

    def _latest(self) -> Connection | None:
        """The connection used last, unless it may be about to be closed by the server; then all others may too."""
        if self._idle and monotonic() - self._idle[-1][0] < IDLE_SECONDS:
            return self._idle.pop()[1]
        self._close()
        return None

    def _close(self) -> None:
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _open(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, self._host, self._port)
        return connection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()


async def send(url: str, requests: Sequence[bytes], at_once: int) -> list[bytes]:
    """Send all, so many at once; the answers' bodies in no order. Raises RuntimeError at the first that is not 200."""
    waiting = iter(requests)
    answers: list[bytes] = []

    async def one_by_one(client: Client, waiting: Iterator[bytes]) -> None:
        for item in waiting:
            answers.append(await client.call(item))

    async with AsyncExitStack() as closing:
        clients = [await closing.enter_async_context(Client(url)) for _ in range(at_once)]
        await asyncio.gather(*(one_by_one(client, waiting) for client in clients))
    return answers
