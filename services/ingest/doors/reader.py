"""Reads bodies within bounds: of bytes, of time, and of how slowly they may come."""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

from starlette.types import Receive

GRACE_SECONDS = 2.0  # for which a body may come as slowly as it likes
LEAST_PER_SECOND = 1024  # bytes, on average, from then on
MOST_READING = 128 * 1_048_576  # bytes of all bodies that are being read at the same time
MOST_SIFTED = 32 * 1_048_576  # bytes that come of a body of which only some are wanted
SIFTED_SECONDS = 60.0  # a body with attachments may take longer
KEPT = 65_536  # bytes that are read of a body that announces itself as too large: what operators are shown of it


class GoneError(Exception):
    """The sender hung up."""


class SlowError(Exception):
    """The body came too slowly."""


class FullError(Exception):
    """So many bodies are being read that there is no room for more of this one."""


class Sieve(Protocol):
    """Takes what is not wanted out of a body while it comes."""

    def feed(self, data: bytes) -> int:
        """The number of bytes that are wanted of the body so far."""
        ...

    def close(self) -> bytes:
        """What is left of the body."""
        ...


class Body(NamedTuple):
    """bytes: the body, or its beginning where it is `too_large`;  unread: the sender still waits to be asked for it"""

    bytes: bytes
    too_large: bool = False
    unread: bool = False


class Reader:
    """Reads the bodies of a server. seconds: the most that one may take"""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._reading = 0

    async def read(
        self, headers: list[tuple[bytes, bytes]], receive: Receive, most: int, sieve: Sieve | None = None
    ) -> Body:
        """Raises GoneError, SlowError, FullError.

        What is left of a body that is too large is thrown away by uvicorn as it comes, so that a sender that reads no answer
        before it has sent everything gets it too.
        """
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(began + min(GRACE_SECONDS, self._seconds)) as limit:
                if sieve is None:
                    announced = _announced(headers)
                    if announced > most:
                        if any(name == b"expect" for name, _ in headers):
                            return Body(b"", too_large=True, unread=True)
                        most = min(most, KEPT)
                    part, more = await _part(receive)
                    if not more:
                        return Body(part[:most], len(part) > most)
                    return await self._all(part, receive, most, began, limit)
                return await self._sifted(sieve, receive, most, began, limit)
        except TimeoutError:
            raise SlowError from None

    async def _all(self, part: bytes, receive: Receive, most: int, began: float, limit: asyncio.Timeout) -> Body:
        whole, more = bytearray(part), True
        self._reading += len(part)
        try:
            while more and len(whole) <= most:
                if self._reading > MOST_READING:
                    raise FullError
                limit.reschedule(_deadline(began, len(whole), self._seconds))
                part, more = await _part(receive)
                whole += part
                self._reading += len(part)
        finally:
            self._reading -= len(whole)
        return Body(bytes(whole[:most]), len(whole) > most)

    async def _sifted(self, sieve: Sieve, receive: Receive, most: int, began: float, limit: asyncio.Timeout) -> Body:
        """Its sieve holds what is wanted alone, so that large attachments take no memory."""
        more, size = True, 0
        while more:
            part, more = await _part(receive)
            size += len(part)
            if sieve.feed(part) > most or size > MOST_SIFTED:
                return Body(sieve.close()[:most], too_large=True)
            limit.reschedule(_deadline(began, size, max(self._seconds, SIFTED_SECONDS)))
        return Body(sieve.close())


def _deadline(began: float, size: int, seconds: float) -> float:
    return began + min(seconds, GRACE_SECONDS + size / LEAST_PER_SECOND)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise GoneError
    return message.get("body", b""), message.get("more_body", False)


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else 0
    return 0
