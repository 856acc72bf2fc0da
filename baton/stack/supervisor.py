"""Kafka, Postgres and Redis as one thing that starts, is watched, and stops."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from baton.stack import ports as port_choice
from baton.stack import postgres, redis, state
from baton.stack.errors import StackError
from baton.stack.kafka import Kafka
from baton.stack.postgres import Postgres
from baton.stack.process import Child, start_time
from baton.stack.redis import Redis

PLATFORMS = ("linux", "darwin")
FIRST_START_BYTES = 1 << 30  # what must be free before anything is installed
READY_SECONDS = 120.0
ELSEWHERE = {"kafka": "KAFKA_BOOTSTRAP_SERVERS", "postgres": "DATABASE_URL", "redis": "REDIS_URL"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients connect: Kafka as "host:port" (several with commas), the others as URLs."""

    kafka: str
    database: str
    redis: str


class Server(Protocol):
    """What the supervisor asks of each server. `home` is its folder, `grace` the seconds it may take to stop."""

    name: str
    title: str
    home: Path
    grace: float
    port: int

    def check(self) -> None:
        """Raises StackError if it cannot run here; changes nothing."""

    def prepare(self) -> None:
        """Make all that its start needs; from any thread. Raises StackError."""

    def launch(self) -> Child:
        """Start it; from the main thread."""

    def is_ready(self) -> bool:
        """Whether it serves clients now."""


class Stack:
    """The servers of one directory.

    `say` receives one line per step, also from other threads. `ports` are wishes by name (kafka, kafka_controller, postgres,
    redis; 0: any free one); a wish that is taken falls back to a free port, one pinned by BATON_KAFKA_PORT,
    BATON_POSTGRES_PORT or BATON_REDIS_PORT does not. A server whose address `environ` gives (KAFKA_BOOTSTRAP_SERVERS,
    DATABASE_URL, REDIS_URL) is used from there and not started. Belongs to the main thread: the servers die with it.
    """

    def __init__(
        self,
        home: Path,
        *,
        say: Callable[[str], None],
        ports: Mapping[str, int] | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.home = home.absolute()
        self._say = say
        self._wishes = dict(ports or {})
        self._environ = dict(environ)
        self._lock: BinaryIO | None = None
        self._ports: dict[str, int] = {}
        self._servers: dict[str, Server] = {}
        self._children: dict[str, Child] = {}
        self._ready = False
        self._cancelled = threading.Event()

    def start(self) -> Addresses:
        """Start every server and wait until all serve. Raises StackError, and then nothing is left running."""
        if self._lock:
            raise StackError(f"This stack in {self.home} is started already: stop it before it starts again.")
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a stack belongs to the main thread: its servers die with the thread that started them")
        if sys.platform not in PLATFORMS:
            raise StackError(
                f"Baton's own servers run on Linux and macOS, not on {sys.platform}: "
                f"use Docker, or set {', '.join(ELSEWHERE.values())} to servers that run elsewhere."
            )
        with _disk_errors(self.home):
            try:
                self._begin()
                self._launch_all()
                self._await_ready(self._servers.values())
                self._ready = True
                self._note()
            except BaseException:
                self._end()
                raise
        return self.addresses()

    def addresses(self) -> Addresses:
        """Where the servers are. Raises StackError before the start."""
        if not self._lock:
            raise StackError(f"The stack in {self.home} is not started.")
        return Addresses(
            kafka=self._environ.get(ELSEWHERE["kafka"]) or f"{port_choice.HOST}:{self._ports['kafka']}",
            database=self._environ.get(ELSEWHERE["postgres"]) or postgres.url(self._ports["postgres"]),
            redis=self._environ.get(ELSEWHERE["redis"]) or redis.url(self._ports["redis"]),
        )

    def dead(self) -> str | None:
        """The name of a server that has died, or None; `tail` shows its last words."""
        return next((name for name, child in self._children.items() if child.poll() is not None), None)

    def tail(self, name: str, lines: int = 15) -> str:
        """The last `lines` that the server has written to its log since its start."""
        return self._child(name).tail(lines)

    def log(self, name: str) -> Path:
        """Where the server's log is."""
        return self._child(name).log_path

    def kill(self, name: str) -> None:
        """SIGKILL one server, with all its processes."""
        self._child(name).kill()

    def restart(self, name: str) -> None:
        """Start one server again on the same port and data, after stopping it in order if it runs. Raises StackError."""
        child, server = self._child(name), self._servers[name]
        child.terminate(server.grace)
        with _disk_errors(self.home):
            server.prepare()
            self._children[name] = server.launch()
            self._note()
            self._await_ready([server])

    def stop(self) -> None:
        """Stop every server in order. Does nothing when they are stopped."""
        if self._lock:
            self._end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _begin(self) -> None:
        """Take the directory, and check all that can be checked before anything is made."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = state.acquire(self.home)
        state.bury(self.home)
        own = [name for name, variable in ELSEWHERE.items() if not self._environ.get(variable)]
        self._ports = self._choose_ports(own)
        self._servers = {name: server for name, server in self._build().items() if name in own}
        for server in self._servers.values():
            server.check()
        if any(not server.home.exists() for server in self._servers.values()):
            check_space(self.home, FIRST_START_BYTES)
        self._note()

    def _choose_ports(self, own: Collection[str]) -> dict[str, int]:
        earlier = state.read(self.home).get("ports", {})
        explicit = {name: port for name, port in self._wishes.items() if port}
        pins = {name: port for name, port in port_choice.pinned(self._environ).items() if name in own}
        return port_choice.choose({**port_choice.PREFERRED, **self._wishes, **earlier, **explicit}, pins)

    def _build(self) -> dict[str, Server]:
        self._cancelled = threading.Event()
        return {
            "kafka": Kafka(self.home / "kafka", self._ports, self._environ, self._say, self._cancelled),
            "postgres": Postgres(self.home / "postgres", self._ports["postgres"], self._environ),
            "redis": Redis(self.home / "redis", self._ports["redis"], self._environ),
        }

    def _launch_all(self) -> None:
        """Prepare all at once, in threads; launch each when it is prepared, from this thread, with which they shall die."""
        for name, variable in ELSEWHERE.items():
            if name not in self._servers:
                self._say(f"{name.capitalize()}: using the one that {variable} names")
        with ThreadPoolExecutor(len(ELSEWHERE), "prepare") as pool:
            preparing = {pool.submit(server.prepare): server for server in self._servers.values()}
            try:
                for done in as_completed(preparing):
                    done.result()
                    server = preparing[done]
                    self._children[server.name] = server.launch()
                    self._note()
            except BaseException:
                self._cancelled.set()
                raise

    def _await_ready(self, servers: Iterable[Server]) -> None:
        waiting = list(servers)
        deadline = time.monotonic() + READY_SECONDS
        while waiting:
            for server in tuple(waiting):
                child = self._children[server.name]
                if (status := child.poll()) is not None:
                    raise StackError(_last_words(f"{server.title} ended at its start (exit status {status})", child))
                if server.is_ready():
                    waiting.remove(server)
                    self._say(f"{server.title}: ready on port {server.port}")
                elif time.monotonic() > deadline:
                    raise StackError(_last_words(f"{server.title} did not answer within {READY_SECONDS:.0f} s", child))
            time.sleep(0.02)

    def _end(self) -> None:
        """Stop what runs, all at once, and give the directory back."""
        for child in self._children.values():
            child.ask()
        for name, child in self._children.items():
            child.terminate(self._servers[name].grace)
        self._children, self._servers, self._ready = {}, {}, False
        if self._lock:
            state.clear(self.home, self._ports or state.read(self.home).get("ports", {}))
            self._lock.close()
            self._lock = None

    def _note(self) -> None:
        children = {
            name: {"pid": child.pid, "started": start_time(child.pid)} for name, child in self._children.items()
        }
        state.write(self.home, self._ports, ready=self._ready, addresses=asdict(self.addresses()), children=children)

    def _child(self, name: str) -> Child:
        if name not in self._children:
            raise StackError(
                f"No server named {name!r} runs in {self.home}: it is not started, or it is one from elsewhere."
            )
        return self._children[name]


def check_space(folder: Path, needed: int) -> None:
    """Raises StackError if fewer than `needed` bytes are free where `folder` is."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StackError(
            f"Only {free / 1e6:.0f} MB are free for {folder} and a first start needs {needed / 1e6:.0f} MB: "
            "make room, or choose a directory on another disk."
        )


@contextmanager
def _disk_errors(home: Path) -> Iterator[None]:
    """Says what the system's errors about files mean here."""
    try:
        yield
    except OSError as error:
        where = error.filename or home
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StackError(f"The disk is full ({where}): make room and start again; nothing is lost.") from error
        raise StackError(
            f"{where} cannot be used ({error.strerror or error}): check that it is yours to write."
        ) from error


def _last_words(what: str, child: Child) -> str:
    words = child.tail()
    if os.strerror(errno.ENOSPC) in words:
        what = f"The disk is full: {what}"
    return (
        f"{what}; the last lines of {child.log_path}:\n{words}"
        if words
        else f"{what} and wrote nothing to {child.log_path}."
    )
