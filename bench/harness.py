"""What every row shares: servers, processes and their CPU time, percentiles, and the file that results go to."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import httpx
import orjson

from baton.stack import Stack

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
ELSEWHERE = ("KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "REDIS_URL")  # a measurement never touches servers in use


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is what counts (value ÷ baseline); absolute values are for orientation on one machine."""

    row: str
    value: float
    unit: str
    baseline: float
    ratio: float


def row(name: str, value: float, unit: str, baseline: float) -> Row:
    return Row(name, round(value, 3), unit, round(baseline, 3), round(value / baseline, 3) if baseline else 0.0)


def write(name: str, rows: Sequence[Row], folder: Path = RESULTS) -> Path:
    """Keep `rows` as `<name>.json` in `folder`."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    body = {
        "rows": [asdict(item) for item in rows],
        "machine": {
            "processors": os.cpu_count(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    path.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")
    return path


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie; linear between neighbours. Raises ValueError where there are none."""
    if not values:
        raise ValueError("a percentile of nothing")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def say(line: str) -> None:
    """A line of progress."""
    print(f"  {line}", file=sys.stderr, flush=True)


@contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Environment of an embedded stack of this run's own, in a directory that goes with it."""
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as home:
        ports = dict.fromkeys(("kafka", "kafka_controller", "postgres", "redis"), 0)
        own = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
        with Stack(Path(home), say=say, ports=ports, environ=own) as stack:
            addresses = stack.addresses()
            yield {
                "KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
                "DATABASE_URL": addresses.database,
                "REDIS_URL": addresses.redis,
                "IDENTITY_SECRET": "bench-identity-secret-of-at-least-32-bytes",
                "BATON_LOG_LEVEL": "WARNING",
            }


class Process:
    """A program under measurement, `python -m <arguments>`, with its CPU time."""

    def __init__(self, *arguments: str, env: Mapping[str, str], ready: str | None = None) -> None:
        self._name = " ".join(arguments)
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env={**os.environ, **env},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        if ready:
            self.wait_ready(ready)

    def wait_ready(self, url: str, seconds: float = 60) -> None:
        """Until `url` answers 200. Raises RuntimeError with the end of the log when the process dies or the time is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if httpx.get(url, timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"{self._name}: {url} did not become ready:\n{self.output()[-3000:]}")

    def wait(self, seconds: float) -> str:
        """Until it ends; what it said. Raises RuntimeError where it fails or takes longer."""
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self._name} did not end in {seconds:g} s:\n{self.output()[-3000:]}") from None
        if status:
            raise RuntimeError(f"{self._name} ended with {status}:\n{self.output()[-3000:]}")
        return self.output()

    def output(self) -> str:
        """All that it has said so far."""
        written = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), written, 0).decode(errors="replace")

    def cpu_seconds(self) -> float:
        """User and system time so far, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
