"""One POST, and what came of it: bounded in time and size, to an address that is looked at when the connection is made."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any, Literal

import httpcore

from services.handoff.outbound.addresses import Allowed, ForbiddenAddressError

Outcome = Literal["delivered", "gone", "throttled", "refused", "timed_out", "unreachable", "forbidden", "unsigned"]

KEPT_OF_ANSWER = 300  # characters, for the log of deliveries
MOST_OF_ANSWER = 16_384  # bytes that are read at all
_OUTCOMES: dict[int, Outcome] = {410: "gone", 429: "throttled", 502: "throttled", 503: "throttled", 504: "throttled"}
Resolve = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try.

    outcome: delivered (2xx), gone (410), throttled (429, 502, 503, 504), refused (every other status, redirects too), timed_out,
             unreachable (no connection, no TLS, no HTTP), forbidden (an address that is not public),
             unsigned (never sent: the secret cannot be read)
    text:    the beginning of an answer that was not a success, or what went wrong;  retry_after: seconds, where it was said
    """

    outcome: Outcome
    status: int | None = None
    text: str | None = None
    retry_after: int | None = None
    took_ms: int = 0


class Poster:
    """Posts to strangers.

    connections: at once;  seconds: that one try may last, all in all;  resolve: addresses of a name
    trust:       whose certificates are believed; the system's and certifi's, where it is left out
    """

    def __init__(
        self,
        allowed: Allowed,
        *,
        connections: int,
        seconds: float = 15,
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        # Resolvers of its own: names that do not resolve would hold the threads that everything else shares.
        self._threads = ThreadPoolExecutor(max_workers=connections, thread_name_prefix="webhook-dns")
        self._seconds = seconds
        backend = GuardedBackend(allowed, resolve or self._addresses)
        # No proxy, no redirects and no cookies: httpcore knows none. A name whose address changes gets a new connection.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=trust, max_connections=connections, keepalive_expiry=5, network_backend=backend
        )

    async def close(self) -> None:
        await self._pool.aclose()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        """Never raises for what the other side does."""
        began = monotonic()
        outcome, status, text, retry_after = await self._post(url, headers, body)
        return Answer(outcome, status, _storable(text), retry_after, round((monotonic() - began) * 1000))

    async def _post(
        self, url: str, headers: dict[str, str], body: bytes
    ) -> tuple[Outcome, int | None, str | None, int | None]:
        try:
            async with asyncio.timeout(self._seconds):
                sent: list[tuple[bytes | str, bytes | str]] = [
                    *{"content-type": "application/json", "user-agent": "Baton-Webhooks/1", **headers}.items()
                ]
                async with self._pool.stream("POST", url, headers=sent, content=body) as response:
                    status = response.status
                    if 200 <= status < 300:
                        await _beginning(response)  # so that the connection can serve again
                        return "delivered", status, None, None
                    outcome = _OUTCOMES.get(status, "refused")
                    text = (await _beginning(response)).decode(errors="replace")[:KEPT_OF_ANSWER]
                    return outcome, status, text or None, _retry_after(response.headers)
        except TimeoutError:
            return "timed_out", None, f"no whole answer within {self._seconds:g} s", None
        except ForbiddenAddressError as error:
            return "forbidden", None, str(error), None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, ValueError) as error:
            return "unreachable", None, f"{type(error).__name__}: {error}"[:KEPT_OF_ANSWER], None

    async def _addresses(self, host: str, port: int) -> list[str]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the very addresses that it has looked at, so that no second look-up of the name can lead elsewhere."""

    def __init__(self, allowed: Allowed, resolve: Resolve) -> None:
        self._allowed, self._resolve = allowed, resolve
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self._resolve(host, port)
        addresses = [address for address in found if self._allowed.may_reach(host, address)]
        if not addresses:
            raise ForbiddenAddressError("the name leads to no public address")
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore.ConnectError:
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise ForbiddenAddressError("a webhook goes to no socket of this machine")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def _beginning(response: httpcore.Response) -> bytes:
    """As much of the answer as is read; what is longer closes the connection."""
    text = b""
    async with aclosing(response.aiter_stream()) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            text += chunk
            if len(text) >= MOST_OF_ANSWER:
                break
    return text


def _retry_after(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Seconds. A date is counted from the answer's own: clocks of strangers differ from ours, but not from themselves."""
    said = {name.lower(): value for name, value in reversed(headers)}
    value = said.get(b"retry-after", b"")
    if value.isdigit() and len(value) <= 9:
        return int(value)
    later, now = _date(value), _date(said.get(b"date", b""))
    return None if later is None or now is None else max(0, round(later - now))


def _date(value: bytes) -> float | None:
    """Seconds since the epoch; None for what is no date of HTTP."""
    try:
        return parsedate_to_datetime(value.decode("ascii")).timestamp()
    except (ValueError, OverflowError):  # no ASCII, no date, or one that no calendar has
        return None


def _storable(text: str | None) -> str | None:
    return text.replace("\x00", "�").encode(errors="replace").decode() if text else None
