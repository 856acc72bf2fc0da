"""What `baton status` says of servers that hang: a row for everything, soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from baton.home import Home
from baton.stack.ports import free_port
from baton.status import QUESTIONS, Report, answers, gather, tell

PATIENCE = 4


@asynccontextmanager
async def _server(says: bytes = b"") -> AsyncIterator[int]:
    """Takes every connection, as a server that hangs does, and says this once it is asked; its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(100):
            writer.write(says)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_servers_that_hang_are_told_together_with_everything_else(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        kafka, postgres, redis = [await stack.enter_async_context(_server(says)) for says in (b"", b"", b"+PONG\r\n")]
        names = {
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka}",
            "DATABASE_URL": f"postgres://baton@127.0.0.1:{postgres}/baton",
            "REDIS_URL": f"redis://127.0.0.1:{redis}/0",
            **{f"{name}_URL": f"http://127.0.0.1:{free_port()}" for name in ("INGEST", "SCORING", "ROUTER", "HANDOFF")},
        }
        (tmp_path / "env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))
        began = time.monotonic()
        report = await gather(Home(tmp_path), PATIENCE)
        assert time.monotonic() - began < 2 * PATIENCE, "they are asked at the same time"
    assert report.servers == {"Kafka": False, "Postgres": False, "Redis": True}
    assert not report.good
    rows = [row.split(maxsplit=1) for row in tell(report).splitlines()[1:]]
    said = {"Kafka": "DOES NOT ANSWER", "Postgres": "DOES NOT ANSWER", "Redis": "answers"}
    services = ("ingest", "scoring", "router", "handoff")
    said |= {name: f"DOES NOT ANSWER  {names[f'{name.upper()}_URL']}" for name in services}
    assert dict(rows) == said
    assert len(rows) == len(said)


@pytest.mark.parametrize("server", QUESTIONS)
async def test_a_server_answers_where_it_says_something(server: str) -> None:
    async with _server(b"x") as port, _server() as silent:
        assert await answers(server, f"a://127.0.0.1:{port}", PATIENCE)
        assert not await answers(server, f"a://127.0.0.1:{silent}", 0.1)
        assert not await answers(server, f"a://127.0.0.1:{free_port()}", PATIENCE)


def test_the_address_of_a_service_stands_beside_it_where_it_is_known() -> None:
    services = {"ingest": (True, ""), "scoring": (False, "not yet policies"), "router": (True, "")}
    urls = {"ingest": "http://127.0.0.1:8181", "scoring": "http://127.0.0.1:8182"}
    assert tell(Report(Home(Path("x")), servers={"Kafka": True}, services=services, urls=urls)).splitlines()[2:] == [
        "  ingest    is ready         http://127.0.0.1:8181",
        "  scoring   IS NOT READY, waits for: policies  http://127.0.0.1:8182",
        "  router    is ready",
    ]


def test_what_the_services_have_read_is_not_made_up() -> None:
    report = Report(Home(Path("x")), servers={"Kafka": True}, services={"ingest": (True, "")}, lags=None)
    assert "Kafka does not say what the services have read" in tell(report)
    assert not report.good
