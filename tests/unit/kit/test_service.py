"""The frame of a service: it stops when told, finishing what it has begun, and never lives on with a dead task."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from shared.kit.service import StartAgain, serve

DEADLINE = 30


class Service:
    """An app with a slow route, and a journal of what happened in which order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.journal: list[str] = []
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.app = FastAPI()
        self.app.add_api_route("/slow", self._slow)
        self.app.add_api_route("/fast", self._fast)

    async def _slow(self) -> str:
        self.asked.set()
        await self.answer.wait()
        self.journal.append("answered")
        return "done"

    async def _fast(self) -> str:
        return "ok"

    async def endless(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.journal.append("cancelled")
            raise

    def run(self, **tasks: Coroutine[Any, Any, None]) -> asyncio.Task[int]:
        closing = AsyncExitStack()
        closing.callback(self.journal.append, "closed")
        return asyncio.create_task(serve(self.app, host="127.0.0.1", port=self.port, tasks=tasks, closing=closing))

    @asynccontextmanager
    async def up(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client, as soon as the service answers."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=DEADLINE) as client:
            async with asyncio.timeout(DEADLINE):
                while not await self._answers(client):
                    await asyncio.sleep(0.02)
            yield client

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get("/fast")).is_success
        except httpx.TransportError:
            return False


@pytest.fixture
async def service(free_port: int) -> Service:
    return Service(free_port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_told_to_stop_it_answers_first_then_cancels_its_tasks_then_closes(
    service: Service, number: signal.Signals
) -> None:
    serving = service.run(loop=service.endless())
    async with service.up() as client:
        slow = asyncio.create_task(client.get("/slow"))
        await service.asked.wait()
        os.kill(os.getpid(), number)
        service.answer.set()
        assert (await slow).json() == "done"
    async with asyncio.timeout(DEADLINE):
        assert await serving == 0
    assert service.journal == ["answered", "cancelled", "closed"]


async def test_a_task_that_fails_stops_the_service_with_1(service: Service) -> None:
    broken = asyncio.Event()

    async def consume() -> None:
        await broken.wait()
        raise ConnectionError("Postgres is gone")

    serving = service.run(consume=consume(), other=service.endless())
    async with service.up():
        broken.set()
    async with asyncio.timeout(DEADLINE):
        assert await serving == 1
    assert service.journal == ["cancelled", "closed"]


async def test_a_task_that_wants_it_started_again_stops_the_service_with_1_and_is_no_error(service: Service) -> None:
    async def follow() -> None:
        raise StartAgain("the states were built anew")

    with capture_logs() as said:
        async with asyncio.timeout(DEADLINE):
            assert await service.run(follow=follow(), other=service.endless()) == 1
    assert service.journal == ["cancelled", "closed"]
    assert {"event": "starts_again", "why": "the states were built anew", "log_level": "info"} in said
    assert {line["log_level"] for line in said} == {"info"}


async def test_a_port_that_is_taken_stops_the_service_with_1_in_order(service: Service) -> None:
    with socket.create_server(("127.0.0.1", service.port)), capture_logs() as said:
        async with asyncio.timeout(DEADLINE):
            assert await service.run(other=service.endless()) == 1
    assert service.journal == ["cancelled", "closed"]
    [told] = [line for line in said if line["event"] == "task_ended"]
    assert told["task"] == "http"
    assert f"cannot listen on 127.0.0.1:{service.port}: [Errno" in told["error"]


async def test_a_task_that_merely_ends_stops_the_service_as_well(service: Service) -> None:
    async def done() -> None:
        return

    async with asyncio.timeout(DEADLINE):
        assert await service.run(done=done(), other=service.endless()) == 1
    assert service.journal[-1] == "closed"


NEVER_ENDS = """
import asyncio, os, signal, sys
from contextlib import AsyncExitStack
from fastapi import FastAPI
from shared.kit import service, start
from shared.kit.settings import ServiceSettings

async def never():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def told_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.Event().wait()

async def main(settings):
    closing = AsyncExitStack()
    if sys.argv[2] == "closing":
        closing.push_async_callback(never)
    else:
        left = asyncio.create_task(never())
    tasks = {"stop": told_to_stop()}
    return await service.serve(FastAPI(), host="127.0.0.1", port=int(sys.argv[1]), tasks=tasks, closing=closing)

service.STOPPING_SECONDS, start.LEFT_SECONDS = (1, 60) if sys.argv[2] == "closing" else (60, 1)
sys.exit(start.start("example", ServiceSettings, main))
"""


@pytest.mark.parametrize(("never_ends", "status"), [("closing", 1), ("what is left behind", 0)])
async def test_what_never_ends_keeps_no_service_from_being_started_anew(
    free_port: int, never_ends: str, status: int
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        NEVER_ENDS,
        str(free_port),
        never_ends,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": "of.nobody:1", "IDENTITY_SECRET": "x" * 32},
    )
    async with asyncio.timeout(DEADLINE * 3):
        said, _ = await process.communicate()
    assert process.returncode == status
    assert b"not_stopped_in_order" in said
    assert b"never" in said, "what it waits for is named"
