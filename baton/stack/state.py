"""Who runs in a directory: a lock that one supervisor holds, and a note of what it runs."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from baton.stack.errors import StackError
from baton.stack.process import await_end, is_alive, slay, start_time

DYING_SECONDS = 2.0  # what the kernel's death signal takes at most


def acquire(home: Path) -> BinaryIO:
    """The directory's lock, held until the file is closed or we end. Raises StackError when another process holds it."""
    lock = (home / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        who = f"process {other['pid']}" if (other := running(home)) else "another process"
        raise StackError(f"Baton already runs in {home} ({who}): use that one, or stop it first.") from error
    return lock


def running(home: Path) -> dict[str, Any] | None:
    """What runs in `home` now, or None.

    `pid` and `started` name the supervisor, `ports` its servers' ports, `addresses` theirs, `ready` whether all answer, and
    `children` the process of each server, again as `pid` and `started`.
    """
    state = read(home)
    return state if is_alive(state.get("pid", 0), state.get("started")) else None


def read(home: Path) -> dict[str, Any]:
    """The last note, whoever left it; empty if there is none that can be read."""
    try:
        note = json.loads((home / "state.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def write(home: Path, ports: Mapping[str, int], **more: Any) -> None:
    """Leave a note that we run here (`more`: its other fields), all of it or nothing."""
    _replace(home, {"pid": os.getpid(), "started": start_time(os.getpid()), "ports": dict(ports), **more})


def clear(home: Path, ports: Mapping[str, int]) -> None:
    """Leave a note that nothing runs here any more; the next start prefers the same ports."""
    _replace(home, {"ports": dict(ports)})


def bury(home: Path, patience: float = DYING_SECONDS) -> None:
    """End what an earlier supervisor that crashed left behind, by force after `patience` seconds. Only with the lock held."""
    children: Mapping[str, Mapping[str, Any]] = read(home).get("children", {})
    for child in children.values():
        if not await_end(child["pid"], child["started"], patience):
            slay(child["pid"])
            await_end(child["pid"], child["started"], DYING_SECONDS)


def _replace(home: Path, note: Mapping[str, Any]) -> None:
    part = home / "state.json.part"
    part.write_text(json.dumps(note, indent=1) + "\n")
    part.replace(home / "state.json")
