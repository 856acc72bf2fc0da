"""The HTTP server of a service: uvicorn, with the bounds on connections that it lacks.

uvicorn waits for ever for the rest of a request's head, reads a head of any size, and takes any number of connections.
"""

from __future__ import annotations

import resource
import socket
from contextlib import nullcontext
from functools import partial
from math import ceil
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_SECONDS = 10.0
# Longer than whoever sends keeps a connection that it does not use (httpx 5 s, load balancers 60): it is theirs to close. Were it
# ours, a request that is on its way at that moment would get no answer, and a POST is not sent again by itself.
IDLE_SECONDS = 75.0
CROWDED_IDLE_SECONDS = 5.0  # when half of all connections are taken: browsers leave theirs open and do not come back
MOST_HEAD_BYTES = 65_536
MOST_CONNECTIONS = 4096
_SPARE_FILES = 128  # descriptors for everything but senders: Kafka, Redis, databases, log


def http_server(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    head_seconds: float = HEAD_SECONDS,
    idle_seconds: float = IDLE_SECONDS,
    connections: int = MOST_CONNECTIONS,
) -> uvicorn.Server:
    """A server for `app`; port 0: any that is free.

    head_seconds: for which a connection may be open without a whole request head, from its first byte on
    idle_seconds: for which it may be open between two requests
    connections: more than these at once are answered 503 unread; fewer where the process may not open that many files
    """
    most = _allowed(connections)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=partial(Connection, most=most),  # type: ignore[arg-type] # it only ever calls it
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=ceil(idle_seconds),  # which an empty line puts off for ever: hence a look of our own
        timeout_graceful_shutdown=10,
    )
    return Server(config, head_seconds, idle_seconds, crowd=most // 2)


def _allowed(connections: int) -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return connections if files == resource.RLIM_INFINITY else max(16, min(connections, files - _SPARE_FILES))


class Server(uvicorn.Server):
    """Signals are the caller's; connections that do not get to the point are closed."""

    def __init__(self, config: uvicorn.Config, head_seconds: float, idle_seconds: float, crowd: int) -> None:
        super().__init__(config)
        self._head_seconds = head_seconds
        self._idle_seconds = idle_seconds
        self._crowd = crowd

    def capture_signals(self) -> Any:
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises OSError where the port cannot be listened on: uvicorn itself would end the process, and close nothing."""
        try:
            await super().startup(sockets)
        except SystemExit as ended:
            where = f"{self.config.host}:{self.config.port}"
            raise OSError(
                f"cannot listen on {where}: {ended.__context__}; stop who does, or choose another port"
            ) from None

    async def on_tick(self, counter: int) -> bool:
        # One look at all connections ten times a second costs less than a timer per request.
        connections = list(self.server_state.connections)
        idle = min(self._idle_seconds, CROWDED_IDLE_SECONDS) if len(connections) > self._crowd else self._idle_seconds
        for connection in connections:
            if isinstance(connection, Connection):
                connection.close_if_idle(self._head_seconds, idle)
        return await super().on_tick(counter)


class Connection(HttpToolsProtocol):
    """One connection of a sender."""

    def __init__(self, *arguments: Any, most: int, **named: Any) -> None:
        """most: connections of the server, this one included"""
        super().__init__(*arguments, **named)
        self._most = most
        self._message_ended = False  # in the chunk at hand
        self._in_head = True  # the next bytes are of a head, or of nothing yet
        self._between = False  # a request has come whole, and nothing of the next
        self._head_bytes = 0  # in whole chunks that brought no end of it
        self._since: float | None = None  # nothing of ours is under way since then

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._since = self.loop.time()
        if len(self.connections) > self._most:
            self._refuse(503, "busy", "too many connections: send again later", b"retry-after: 2\r\n")

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        began_in_head, self._message_ended = self._in_head, False
        super().data_received(data)
        if began_in_head and self._in_head and not self._message_ended:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response(f"a request line and its headers may have {MOST_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        self._between = False
        if self._since is not None:
            self._since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes, self._since = False, 0, None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = self._between = self._message_ended = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete:  # else another request waits in the pipeline
            self._since = self.loop.time()

    def close_if_idle(self, head_seconds: float, idle_seconds: float) -> None:
        """Close a connection that has shown no whole head for so long, or sends on what nobody reads any more, or rests too long
        between two requests; give up one whose sender does not take its answer."""
        if self._since is None:
            return
        closing = self.transport.is_closing()
        rests = self._between and not closing and not self.transport.get_write_buffer_size()
        if self.loop.time() - self._since > (idle_seconds if rests else head_seconds):
            if closing:
                self.transport.abort()
            else:
                self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """To what is no HTTP. As JSON, like all errors."""
        self._refuse(400, "bad_http", msg)

    def _refuse(self, status: int, code: str, message: str, headers: bytes = b"") -> None:
        body = f'{{"code":"{code}","message":"{message}"}}'.encode()
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n" % len(body)
            + headers
            + b"\r\n"
            + body
        )
        self.transport.close()
