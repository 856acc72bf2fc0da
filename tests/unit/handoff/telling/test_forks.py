"""Messages are sent by a process of their own, whatever the other side does; it has Apprise, and talks to real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from services.handoff.telling.forks import Forks
from services.handoff.telling.media import Message

HELLO = Message("title", ("body",))
WELL = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
SECONDS = 4  # long, for a machine that has much else to do


@pytest.fixture(scope="module")
def forks():
    made = Forks("localhost", seconds=SECONDS)
    yield made
    made.close()


class Server:
    """answer: what it says to who asks;  then: what it says again and again after that;  gone: how many have hung up"""

    def __init__(self, answer, then=b"", every=0.0):
        self.answer, self.then, self.every, self.asked, self.gone = answer, then, every, 0, 0

    async def serve(self, reader, writer):
        try:
            await reader.read(65_536)
            self.asked += 1
            writer.write(self.answer)
            while self.then:
                writer.write(self.then)
                await writer.drain()
                await asyncio.sleep(self.every)
            await writer.drain()
        except ConnectionError:
            self.gone += 1
        finally:
            writer.close()


@asynccontextmanager
async def listening(*args, **kwargs):
    server = Server(*args, **kwargs)
    made = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = made.sockets[0].getsockname()[1]
    server.url = f"json://localhost:{server.port}/SECRETSECRET"
    yield server
    made.close()


def children(forks):
    """Of the process that sends."""
    pid = forks._server.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


async def none_left(forks):
    """Their sockets are closed when `send` returns; they are gone a moment later."""
    async with asyncio.timeout(60):
        while children(forks):
            await asyncio.sleep(0.01)


def environment(forks):
    return Path(f"/proc/{forks._server.pid}/environ").read_text()


def memory():
    """What this process holds, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


async def test_servers_that_drip_are_cut_off_all_at_once_and_the_next_message_goes_through(forks):
    async with listening(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.1) as dripping, listening(WELL) as well:
        assert await forks.send(well.url, HELLO) == "told"  # it has Apprise now
        began = monotonic()
        assert set(await asyncio.gather(*(forks.send(dripping.url, HELLO) for _ in range(16)))) == {"timed_out"}
        assert monotonic() - began < 15 * SECONDS, "one after the other they would take sixteen times as long"
        await none_left(forks)
        assert await forks.send(well.url, HELLO) == "told"


async def test_a_service_that_stood_meanwhile_takes_what_took_too_long_for_no_crash(forks):
    async with listening(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.1) as dripping, listening(WELL) as well:
        assert await forks.send(well.url, HELLO) == "told"  # it has Apprise now
        sending = asyncio.create_task(forks.send(dripping.url, HELLO))
        await asyncio.sleep(0)  # the time of the other process begins
        sleep(SECONDS / 4)  # noqa: ASYNC251 (the fault itself)
        assert await sending == "timed_out"


async def test_an_answer_without_an_end_takes_no_memory_of_ours(forks):
    async with listening(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 1_000_000) as endless:
        before = memory()
        # It has no more memory long before its time is over, but on a machine that gives it none.
        assert await forks.send(endless.url, HELLO) in ("refused", "timed_out")
        assert memory() - before < 30
        await none_left(forks)


async def test_what_is_not_public_is_not_reached_unless_the_operator_has_named_it(forks):
    async with listening(WELL) as well:
        for host in ("127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            assert await forks.send(well.url.replace("localhost", host), HELLO) in ("forbidden", "unsendable"), host
        mail = f"mailto://127.0.0.1:{well.port}?from=baton@hinode.example&to=x@hinode.example"
        assert await forks.send(mail, HELLO) == "forbidden"
        assert well.asked == 0
        assert await forks.send(well.url, HELLO) == "told"


async def test_the_process_knows_no_secrets_and_says_nothing(forks, monkeypatch, capfd):
    forks.close()
    monkeypatch.setenv("DATABASE_URL", "SECRETSECRET")
    async with listening(WELL.replace(b"\r\n\r\n", b"\r\nno colon here\r\n\r\n")) as odd:
        assert await forks.send(odd.url, HELLO) == "told"
    assert "SECRETSECRET" not in environment(forks)
    assert "".join(capfd.readouterr()) == ""


async def test_where_no_process_can_be_started_nothing_is_sent_and_the_next_try_is_made(forks, monkeypatch):
    forks.close()
    async with listening(WELL) as well:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/nowhere")
            assert await forks.send(well.url, HELLO) == "crashed"
        assert await forks.send(well.url, HELLO) == "told"


async def test_a_process_that_was_killed_is_started_anew(forks):
    async with listening(WELL, b"") as well, listening(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.1) as dripping:
        sending = asyncio.create_task(forks.send(dripping.url, HELLO))
        async with asyncio.timeout(20):
            while not dripping.asked:
                await asyncio.sleep(0.01)
        [fork] = children(forks)
        os.kill(int(fork), signal.SIGKILL)
        assert await sending == "crashed"
        os.kill(forks._server.pid, signal.SIGKILL)
        forks._server.wait()
        assert await forks.send(well.url, HELLO) == "told"
