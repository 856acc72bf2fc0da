"""Supervised processes: their own group, a log file, and an end that comes no later than ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from baton.stack.errors import StackError

Rights = Literal["same", "namespace", "nobody"]

LAUNCHER = Path(__file__).with_name("launch.py").resolve()
LOG_BYTES = 10 * 1024 * 1024  # a log larger than this is set aside (one generation) when its process starts
TAIL_BYTES = 64 * 1024


@dataclass(slots=True)
class Child:
    """One running process and its log.

    stop_signal: what asks it to end in order
    log_from:    where in the log this process began to write, bytes
    """

    name: str
    log_path: Path
    stop_signal: signal.Signals
    log_from: int
    _process: subprocess.Popen[bytes] = field(repr=False)
    _asked: bool = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int:
        """The exit status once it has ended of itself. Raises subprocess.TimeoutExpired after `seconds`."""
        return self._process.wait(seconds)

    def ask(self) -> None:
        """Ask it to end, once, and do not wait."""
        if not self._asked and self.poll() is None:
            self._asked = True
            self._process.send_signal(self.stop_signal)

    def terminate(self, grace: float) -> int:
        """Ask it to end, wait up to `grace` seconds, then kill it; the exit status. Nothing of its group is left."""
        self.ask()
        try:
            status = self._process.wait(grace)
        except subprocess.TimeoutExpired:
            return self.kill()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        return status

    def kill(self) -> int:
        """SIGKILL it and every process it started; the exit status."""
        if self.poll() is None:
            slay(self.pid)
        return self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The last `lines` of what this process wrote to its log; nothing of earlier ones."""
        return tail(self.log_path, lines, self.log_from)


def spawn(
    argv: Sequence[str | Path],
    *,
    name: str,
    env: Mapping[str, str] | None,
    log_path: Path,
    cwd: Path,
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGKILL,
    rights: Rights = "same",
) -> Child:
    """Start `argv` in a process group of its own, output appended to `log_path`; `env` None means our environment.

    On Linux the kernel sends it `death_signal` when the calling thread ends, however it ends; hence only the main thread may
    call (RuntimeError). Raises OSError when no process can be made; a command that does not exist is an early exit with its
    reason in the log.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("spawn() belongs to the main thread: a child dies with the thread that started it")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    if log_path.exists() and log_path.stat().st_size > LOG_BYTES:
        log_path.replace(log_path.with_name(log_path.name + ".1"))
    with log_path.open("ab") as log:
        start = log.tell()
        process = subprocess.Popen(
            _launcher(argv, env, death_signal, rights),
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C in a terminal reaches the supervisor only
        )
    return Child(name, log_path.resolve(), stop_signal, start, process)


def run(
    argv: Sequence[str | Path],
    *,
    what: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    rights: Rights = "same",
) -> str:
    """Run `argv` to its end and give what it printed. Raises StackError ("`what` failed …") for a status other than 0."""
    done = subprocess.run(
        _launcher(argv, env, signal.SIGKILL, rights),
        cwd=cwd,
        env=env,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise StackError(f"{what} failed in {cwd} (exit status {done.returncode}); it said:\n{last}")
    return done.stdout


def _launcher(
    argv: Sequence[str | Path], env: Mapping[str, str] | None, death_signal: signal.Signals, rights: Rights
) -> list[str]:
    program, *arguments = map(str, argv)
    if "/" not in program:  # looked up here, because with other rights Python may not even reach its own library
        program = shutil.which(program, path=(env or os.environ).get("PATH")) or program
    python = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), str(int(death_signal)), rights]
    return [*python, program, *arguments]


@cache
def unprivileged() -> Rights:
    """How a server that refuses root is run here: as we are, in a user namespace, or (where those are forbidden) as nobody."""
    if os.geteuid() != 0:
        return "same"
    probe = subprocess.run(_launcher(["true"], None, signal.SIGKILL, "namespace"), capture_output=True, check=False)
    return "namespace" if probe.returncode == 0 else "nobody"


def tail(path: Path, lines: int = 15, start: int = 0) -> str:
    """The last `lines` of the file, none from before byte `start`; "" when there is no file."""
    try:
        with path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(0, min(start, end), end - TAIL_BYTES))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def start_time(pid: int) -> str | None:
    """When the process began, in the system's own notation; None if there is none or only its exit status is left.

    With the number it names a process for ever, because numbers are used again.
    """
    if not sys.platform.startswith("linux"):
        shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip() or None
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in "ZX" else None


def is_alive(pid: int, started: str | None) -> bool:
    """Whether the process that `started` then (None: it had ended when it was looked at) still runs."""
    return started is not None and start_time(pid) == started


def await_end(pid: int, started: str | None, seconds: float) -> bool:
    """Wait up to `seconds` for the process that `started` then to be gone; whether it is."""
    deadline = time.monotonic() + seconds
    while is_alive(pid, started):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def slay(pid: int) -> None:
    """SIGKILL the process, its group, and everything below it, also what left the group (Postgres backends do)."""
    family = [pid, *_descendants(pid)]
    for kill, number in [(os.killpg, pid), *((os.kill, each) for each in family)]:
        with suppress(ProcessLookupError, PermissionError):  # gone already, or on its way out
            kill(number, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    """All processes below `pid`; those in other groups are known on Linux only."""
    if not sys.platform.startswith("linux"):
        return []
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            below.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    frontier = [pid]
    while frontier:
        children = below.get(frontier.pop(), [])
        found += children
        frontier += children
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on; the second may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
