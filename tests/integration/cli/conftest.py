"""A whole Baton, started by its own command line in a directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
START_SECONDS, STOP_SECONDS = 180.0, 90.0
SERVICES = ("INGEST", "SCORING", "ROUTER", "HANDOFF")
GIVEN = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL", *(f"{name}_PORT" for name in SERVICES))


@dataclass(slots=True)
class Baton:
    """home: its directory;  log: what `baton up` printed"""

    home: Path
    log: Path
    process: subprocess.Popen[bytes]
    environ: dict[str, str] = field(repr=False)

    def names(self) -> dict[str, str]:
        lines = (self.home / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if not line.startswith("#"))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command of the operator."""
        return subprocess.run(
            [sys.executable, "-m", "baton", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )


def until(holds: Callable[[], bool], seconds: float, what: Callable[[], str]) -> None:
    """Wait until it holds; fails with what is said otherwise."""
    deadline = time.monotonic() + seconds
    pause = 0.05
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(what())
        time.sleep(pause)


@pytest.fixture(scope="session")
def wait() -> Callable[[Callable[[], bool], float, Callable[[], str]], None]:
    return until


@pytest.fixture(scope="session")
def baton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Baton]:
    """Ready, idle, with servers of its own: its services read every tenant's records, so no other test may write there."""
    home = tmp_path_factory.mktemp("baton")
    environ = {name: value for name, value in os.environ.items() if name not in GIVEN}
    environ |= {"BATON_HOME": str(home), "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
    log = home / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "baton", "up"], cwd=ROOT, env=environ, stdout=out, stderr=subprocess.STDOUT
        )
    running = Baton(home, log, process, environ)
    try:
        until(lambda: (home / "env").exists() or process.poll() is not None, START_SECONDS, log.read_text)
        assert process.poll() is None, log.read_text()
        yield running
    finally:
        process.terminate()
        status = process.wait(STOP_SECONDS)
    assert (status, (home / "env").exists()) == (0, False), log.read_text()
