"""Which port each server listens on."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from baton.stack.errors import StackError

HOST = "127.0.0.1"
PREFERRED = {"kafka": 19092, "kafka_controller": 19093, "postgres": 15432, "redis": 16379}
PINS = {"kafka": "BATON_KAFKA_PORT", "postgres": "BATON_POSTGRES_PORT", "redis": "BATON_REDIS_PORT"}
# Below the ports from which systems serve outgoing connections: otherwise a client that retries while its server is down may
# be given the server's own port.
FALLBACK = range(20_000, 32_000)
_given: set[int] = set()  # by this process, so that two are not sent to one port before the first of them listens


def pinned(environ: Mapping[str, str]) -> dict[str, int]:
    """The ports that the user insists on. Raises StackError for a value that is no port."""
    pins = {}
    for name, variable in PINS.items():
        if value := environ.get(variable):
            if not value.isdecimal() or not 0 < int(value) < 65_536:
                raise StackError(
                    f"{variable} is {value!r}, which is no port: set it to a number from 1 to 65535, or unset it."
                )
            pins[name] = int(value)
    return pins


def choose(wanted: Mapping[str, int], pins: Mapping[str, int]) -> dict[str, int]:
    """A port for every name in `wanted`: its pin, else the wanted one if that is free (0: any), else another free one.

    Raises StackError when a pinned port is taken, naming the port and its holder.
    """
    chosen: dict[str, int] = {}
    for name, port in pins.items():
        if name not in wanted:
            continue
        if port in chosen.values():
            raise StackError(f"Port {port} is pinned for two servers: give {PINS[name]} another number.")
        if not is_free(port):
            raise StackError(
                f"Port {port} on {HOST}, pinned by {PINS[name]}, is in use by {holder(port)}: "
                f"stop that, or give {PINS[name]} another number, or unset it to use any free port."
            )
        chosen[name] = port
    for name, port in wanted.items():
        if name not in chosen:
            usable = port and port not in chosen.values() and is_free(port)
            chosen[name] = port if usable else free_port(chosen.values())
    return chosen


def free_port(but: Container[int] = ()) -> int:
    """A port where a server may listen, none of `but`. Raises StackError when there is none."""
    if len(_given) > len(FALLBACK) // 2:
        _given.clear()
    for port in random.sample(FALLBACK, len(FALLBACK)):
        if port not in but and port not in _given and is_free(port):
            _given.add(port)
            return port
    raise StackError(f"No port between {FALLBACK.start} and {FALLBACK.stop} is free on {HOST}: stop some servers.")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that linger do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """Who listens on the port, as well as we may know: "process 123 (java)"."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended, or belongs to somebody else
            if any(os.readlink(handle) in sockets for handle in (process / "fd").iterdir()):
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return "another program"


def _listening(port: int) -> Iterator[str]:
    """The inodes of the sockets that listen on the port (Linux; elsewhere none)."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:  # 0A is LISTEN
                    yield fields[9]
