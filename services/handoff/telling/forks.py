"""The service's side of the process that sends (child.py): started with the first message, and again where it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

from services.handoff.telling.media import Link, Message
from services.handoff.telling.schedule import Outcome

MODULE = "services.handoff.telling.child"
START_SECONDS = 20.0  # Apprise takes a few to load
GRACE_SECONDS = 5.0  # for the kernel to end who took too long
# No proxies, no .netrc, and none of our secrets.
_GIVEN = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "VIRTUAL_ENV")


class Forks:
    """Sends each message in a process of its own, which is gone when `send` returns: nothing is delivered after that.

    allow: as HANDOFF_WEBHOOK_ALLOW;  seconds: that one message may take, all in all
    """

    def __init__(self, allow: str = "", *, seconds: float = 20) -> None:
        self._allow, self._seconds = allow, seconds
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def send(self, url: str, message: Message) -> Outcome:
        """Never raises for what the other side does, nor where the machine has no more processes or memory."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                server = self._pass(theirs)
            except OSError:
                ours.close()
                return "crashed"
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                if not (ready := await reader.readline()):
                    return "crashed"
            deadline = float(ready)
            async with asyncio.timeout(self._seconds + GRACE_SECONDS):
                writer.write(_asked(url, message))
                said = (await reader.read()).decode().strip()
            if said in ("told", "refused", "unsendable", "forbidden"):
                return said  # type: ignore[return-value]
            return "timed_out" if monotonic() >= deadline else "crashed"
        except TimeoutError:
            self._end(server)
            return "timed_out"
        except ConnectionError:
            return "crashed"
        except asyncio.CancelledError:
            self._end(server)  # nobody would know what came of it
            raise
        finally:
            writer.close()

    def close(self) -> None:
        if self._server is not None:
            self._end(self._server)

    def _pass(self, line: socket.socket) -> subprocess.Popen[bytes]:
        """Hand `line` to the server."""
        server, control = self._running()
        try:
            socket.send_fds(control, [b"x"], [line.fileno()])
        except OSError:  # it has just died: the line is closed, which says so
            self._end(server)
        return server

    def _running(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        if self._server is None or self._control is None or self._server.poll() is not None:
            self.close()
            self._control, theirs = socket.socketpair()
            self._control.setblocking(False)
            given = {name: os.environ[name] for name in _GIVEN if name in os.environ}
            with theirs:
                self._server = subprocess.Popen(
                    [sys.executable, "-m", MODULE, str(self._seconds), self._allow],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={**given, "PYTHONPATH": str(Path(__file__).parents[3])},
                    start_new_session=True,  # so that it ends with all of its forks
                )
        return self._server, self._control

    def _end(self, server: subprocess.Popen[bytes]) -> None:
        """It and all of its forks."""
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        if server is self._server and self._control is not None:
            self._control.close()
            self._server = self._control = None


def _asked(url: str, message: Message) -> bytes:
    lines = [[line.label, line.url] if isinstance(line, Link) else line for line in message.lines]
    return json.dumps({"url": url, "title": message.title, "lines": lines}).encode() + b"\n"
