"""Connections that never get to the point: each is closed, and nobody waits for it. Raw sockets against a real server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import pytest

from shared.kit import connections
from shared.kit.connections import MOST_HEAD_BYTES, http_server

DEADLINE = 30
MUCH = 50_000_000
Start = Callable[..., Awaitable[int]]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the number of bytes in the body; `/early` without reading it, and `/much` with more than a socket holds."""
    size, more = 0, scope["path"] != "/early"
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    text = b"x" * MUCH if scope["path"] == "/much" else str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


@pytest.fixture
def servers() -> list[Any]:
    """Those that were started."""
    return []


@pytest.fixture
async def start(servers: list[Any]) -> AsyncIterator[Start]:
    running: list[asyncio.Task[None]] = []

    async def begin(**bounds: Any) -> int:
        server = http_server(echo, **bounds)
        servers.append(server)
        running.append(asyncio.create_task(server.serve()))
        async with asyncio.timeout(DEADLINE):
            while not server.started:
                await asyncio.sleep(0.01)
        return int(server.servers[0].sockets[0].getsockname()[1])

    yield begin
    for server, task in zip(servers, running, strict=True):
        server.should_exit = True
        await task


async def say(port: int, data: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    return reader, writer


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """Until the server closes the connection."""
    async with asyncio.timeout(DEADLINE):
        return await reader.read()


@pytest.mark.parametrize(
    "beginning",
    [b"", b"P", b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"\r\n"],
    ids=["nothing", "a letter", "half a head", "an empty line"],
)
async def test_a_head_that_does_not_come_closes_the_connection_without_an_answer(
    start: Start, beginning: bytes
) -> None:
    reader, writer = await say(await start(head_seconds=0.2), beginning)
    assert await all_of(reader) == b""
    writer.close()


async def test_after_an_answer_the_next_head_has_its_time_too(start: Start) -> None:
    port = await start(head_seconds=0.2)
    reader, writer = await say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcPOS")
    assert (await all_of(reader)).endswith(b"\r\n\r\n3")
    writer.close()


@pytest.mark.parametrize("then", [b"", b"\r\n"], ids=["nothing", "an empty line"])
async def test_between_two_requests_a_connection_may_rest_longer_but_not_for_ever(start: Start, then: bytes) -> None:
    call = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
    port = await start(head_seconds=0.2, idle_seconds=3)
    loop = asyncio.get_running_loop()
    reader, writer = await say(port, call + b"a")
    answered = loop.time()
    silent, its_writer = await say(port, b"P")
    assert await all_of(silent) == b"", "so long no head may take"
    writer.write(then + call + b"b" + then)
    said = await all_of(reader)
    assert said.count(b"HTTP/1.1 200") == 2, "it was still open"
    assert loop.time() - answered >= 3
    for done in (writer, its_writer):
        done.close()


async def test_an_answer_that_nobody_takes_is_not_kept_as_long_as_a_connection_that_rests(
    start: Start, servers: list[Any]
) -> None:
    port = await start(head_seconds=0.2, idle_seconds=10 * DEADLINE)
    with socket.create_connection(("127.0.0.1", port)) as sender:
        sender.sendall(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(DEADLINE):
            for held in (True, False):
                while bool(servers[0].server_state.connections) != held:
                    await asyncio.sleep(0.01)


async def test_connections_that_rest_make_room_when_half_are_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "CROWDED_IDLE_SECONDS", 0.2)
    port = await start(connections=16)
    call = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na"
    resting = [await say(port, call) for _ in range(9)]
    ended = {asyncio.create_task(all_of(reader)) for reader, _ in resting}
    async with asyncio.timeout(DEADLINE):
        await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
    for done in ended:
        done.cancel()
    for _, writer in resting:
        writer.close()


async def test_the_rest_of_a_body_that_nobody_reads_is_not_waited_for(start: Start) -> None:
    reader, writer = await say(
        await start(head_seconds=0.2), b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"
    )
    assert (await all_of(reader)).endswith(b"\r\n\r\n0")
    writer.close()


async def test_a_slow_body_is_the_apps_own_affair(start: Start) -> None:
    """The app knows how long it wants to wait; the connection only asks for heads."""
    port = await start(head_seconds=0.2)
    reader, writer = await say(port, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nab")
    other, its_writer = await say(port, b"P")
    assert await all_of(other) == b"", "so long no head may take"
    writer.write(b"c")
    assert (await all_of(reader)).endswith(b"\r\n\r\n3")
    for done in (writer, its_writer):
        done.close()


@pytest.mark.parametrize(
    "flood",
    [
        (b"GET / HTTP/1.1\r\nX-Long: ", b"x" * MOST_HEAD_BYTES),
        (b"GET /", b"x" * MOST_HEAD_BYTES),
        (b"GET / HTTP/1.1\r\n", b"X-Many: x\r\n" * 8192),
    ],
    ids=["one header", "the path", "many headers"],
)
async def test_a_head_without_end_is_refused_while_it_comes(start: Start, flood: tuple[bytes, bytes]) -> None:
    reader, writer = await say(await start(), flood[0])
    with suppress(ConnectionError):  # it is closed while we send
        for _ in range(1000):
            writer.write(flood[1])
            await writer.drain()
        pytest.fail("it takes everything")
    with suppress(ConnectionError):  # a reset may overtake the answer
        head, _, body = (await all_of(reader)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400")
        assert b'"code":"bad_http"' in body
    writer.close()


async def test_what_is_no_http_is_told_so_in_json(start: Start) -> None:
    reader, writer = await say(await start(), b"hello\r\n\r\n")
    assert b'"code":"bad_http"' in await all_of(reader)
    writer.close()


async def test_a_large_body_is_no_large_head(start: Start) -> None:
    port = await start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(2):  # on one connection
            assert (await client.post("/", content=b"x" * 1_000_000)).text == "1000000"


async def test_calls_that_are_sent_at_once_are_answered_in_turn(start: Start) -> None:
    call = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    last = call.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    reader, writer = await say(await start(head_seconds=0.2), call * 4 + last)
    assert (await all_of(reader)).count(b"\r\n\r\n2") == 5
    writer.close()


async def test_connections_beyond_the_bound_are_told_to_come_back(start: Start) -> None:
    port = await start(connections=16)
    held = [await say(port, b"P") for _ in range(16)]
    reader, writer = await say(port, b"")
    answer = await all_of(reader)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 2" in answer
    held[0][1].close()
    await held[0][1].wait_closed()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(DEADLINE):
        while (await client.post("/", content=b"x")).status_code != 200:
            await asyncio.sleep(0.01)
    for _, done in (*held[1:], (reader, writer)):
        done.close()
