"""Bodies made to hurt, against a real process of ingest: each is refused, and the process is no bigger afterwards."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import orjson
import pytest

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parent.parent.parent.parent
MIB = 1_048_576
MOST_GROWTH = 20 * MIB
EVENT = {"event": "x", "userId": "u-1"}


class Process:
    """`python -m services.ingest`, as it is deployed."""

    def __init__(self, environment: dict[str, str], port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"],
            cwd=ROOT,
            env=os.environ | environment | {"INGEST_PORT": str(port)},
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    async def status(self, client: httpx.AsyncClient) -> int | str:
        assert self._process.poll() is None, self._log.read_text()[-3000:]
        try:
            return (await client.get(f"{self.url}/readyz")).status_code
        except httpx.TransportError as error:
            return type(error).__name__

    def memory(self) -> dict[str, int]:
        """VmRSS now, and VmHWM: the most that it ever was since the mark was last reset (bytes)."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return {
            name: int(rest.split()[0]) * 1024
            for name, _, rest in (line.partition(":") for line in lines)
            if name in ("VmRSS", "VmHWM")
        }

    def forget_peak(self) -> None:
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def stop(self) -> None:
        self._process.terminate()
        assert self._process.wait(30) == 0, self._log.read_text()[-3000:]


Start = Callable[..., Awaitable[None]]


@pytest.fixture
def process(kafka_url: str, redis_url: str, identity_secret: str, free_port: int, tmp_path: Path) -> Iterator[Process]:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka_url,
        "REDIS_URL": urlunsplit(urlsplit(redis_url)._replace(path="/9")),
        "IDENTITY_SECRET": identity_secret,
    }
    running = Process(environment, free_port, tmp_path / "ingest.log")
    yield running
    running.stop()


def deep(levels: int) -> bytes:
    return b'{"event":"x","userId":"u","properties":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


def bombs() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Body and headers, made before anything is measured."""
    zipped = {"Content-Encoding": "gzip"}
    hundred = gzip.compress(b"\0" * 100 * MIB)
    stream = zlib.compressobj(9, wbits=31)
    text = b"".join(stream.compress(orjson.dumps(EVENT) * 1000) for _ in range(4000)) + stream.flush()
    return {
        "a hundred megabytes of nothing": (hundred, zipped),
        "a bomb in a bomb": (gzip.compress(gzip.compress(hundred)), zipped),
        "many members": (gzip.compress(b"\0" * MIB) * 200, zipped),
        "a hundred megabytes of events": (text, zipped),
        "deflate": (zlib.compress(b"\0" * 100 * MIB), {"Content-Encoding": "deflate"}),
        "nested a thousand deep": (deep(1000), {}),
        "nested a hundred thousand deep": (deep(100_000), {}),
        "nested deep and not JSON": (b"[" * 900_000 + b"NaN", {}),
        "a body of brackets": (b"[" * 1_000_000, {}),
        "far too large": (b" " * 60 * MIB, {}),
        "unannounced gzip": (hundred, {}),
    }


async def test_bombs_are_refused_and_leave_the_process_as_small_as_it_was(
    process: Process, tenant: str, publish_policy: Any, wait_until: Any
) -> None:
    key = f"{tenant}-web"
    await publish_policy(tenant, {"kind": "sources", "sources": [{"id": "web", "write_keys": [key]}]}, 1)
    made = bombs()
    async with httpx.AsyncClient(timeout=60, headers={"X-Write-Key": key}) as client:

        async def send(body: bytes, headers: dict[str, str]) -> httpx.Response:
            return await client.post(f"{process.url}/v1/batch", content=body, headers=headers)

        async def accepts() -> int:
            return (await client.post(f"{process.url}/v1/track", content=orjson.dumps(EVENT))).status_code

        await wait_until(lambda: process.status(client), 200, 90)
        await wait_until(accepts, 200)
        process.forget_peak()
        before = process.memory()["VmRSS"]

        for name, (body, headers) in made.items():
            answer = await send(body, headers)
            assert answer.status_code in (400, 413), (name, answer.text)
            assert {"code", "message"} == set(answer.json()), name
        grown = process.memory()["VmHWM"] - before
        assert grown < MOST_GROWTH, f"{grown / MIB:.1f} MiB at the highest"
        assert await accepts() == 200
