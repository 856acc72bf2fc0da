"""The process that sends: it loads Apprise once and forks for every message, which costs a moment and little memory.

`python -m services.handoff.telling.child SECONDS ALLOWED`; its standard input is a socket on which the service passes it one end of
a socket for every message. On that a fork says until when it has time, by the system's monotonic clock, reads the message as a
line of JSON, and says what came of it. The kernel ends whoever takes longer than SECONDS: no thread, no plugin and no server holds
that up.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import NoReturn

from services.handoff.outbound.addresses import Allowed
from services.handoff.telling.apprising import load, notify
from services.handoff.telling.guard import Guard
from services.handoff.telling.media import Link, Message
from services.handoff.telling.schedule import Outcome

MEMORY = 32 << 20  # bytes that a fork may take beyond what it begins with: an answer without an end ends there


def serve(control: socket.socket, seconds: float, allowed: Allowed) -> NoReturn:
    """Until the service closes the socket, or is gone: whatever is being sent then is cut off."""
    logging.disable(logging.CRITICAL)  # libraries log whole URLs, which are secrets
    load()
    gc.freeze()  # forks share what is there
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while True:
        _, passed, _, _ = socket.recv_fds(control, 1, 1)
        if not passed:
            os.killpg(0, signal.SIGKILL)
        with socket.socket(fileno=passed[0]) as line, suppress(OSError):  # no fork: the line is closed, which says so
            if os.fork() == 0:
                try:
                    control.close()
                    _fork(line, seconds, allowed)
                finally:
                    os._exit(0)


def _fork(line: socket.socket, seconds: float, allowed: Allowed) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    deadline = monotonic() + seconds
    signal.setitimer(signal.ITIMER_REAL, seconds)
    _bound()
    line.sendall(f"{deadline}\n".encode())
    with line.makefile("rb") as reader:
        asked = json.loads(reader.readline())
    guard = Guard(allowed)
    guard.install()
    outcome: Outcome
    try:
        outcome = notify(asked["url"], Message(asked["title"], tuple(map(_line, asked["lines"]))))
    except Exception:  # of a plugin, or of memory
        outcome = "refused"
    if outcome == "refused" and guard.refused:
        outcome = "forbidden"
    line.sendall(f"{outcome}\n".encode())


def _line(line: str | list[str]) -> str | Link:
    return line if isinstance(line, str) else Link(*line)


def _bound() -> None:
    """What there is of memory is for the service: a fork ends first where it becomes scarce, and leaves no core behind."""
    with suppress(OSError, ValueError):  # not on every system
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        Path("/proc/self/oom_score_adj").write_text("1000")
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    serve(socket.socket(fileno=0), float(sys.argv[1]), Allowed.parse(sys.argv[2]))
