"""What stands before everything, on raw sockets: bounds hold before a body is read, and nobody waits for the slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from services.ingest.answers import Answer, refusal
from services.ingest.domain.refusals import Refused
from services.ingest.doors import reader as bounds
from services.ingest.doors.guard import Door, Guard
from services.ingest.request import Request
from shared.kit.connections import http_server

DEADLINE = 30
MOST = 10_000


class World:
    """A guard before one door, which answers with the length of the body, and an app that answers with its path."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self, head: str, body: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        return reader, writer

    async def say(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and all that follows until the server closes the connection, which it is asked to."""
        reader, writer = await self.open(head + "\nConnection: close", body)
        async with asyncio.timeout(DEADLINE):
            answer = await reader.read()
        writer.close()
        return int(answer.split()[1]), answer.partition(b"\r\n")[2]


async def length(request: Request) -> Answer:
    if request.too_large:
        return refusal(Refused("too_large", "…", 413))
    if request.path == "/door/lost":
        return refusal(Refused("not_found", "…", 404))
    return Answer(200, str(len(request.body)).encode())


async def rest(scope: Scope, receive: Receive, send: Send) -> None:
    body = b"" if scope["method"] == "GET" else (await receive())["body"]
    text = scope["path"].encode() + b" " + str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})


Start = Callable[..., Awaitable[World]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    running: list[tuple[Any, asyncio.Task[None]]] = []

    async def begin(**options: Any) -> World:
        doors = dict.fromkeys(("/door/", "/i", "/com.snowplowanalytics.snowplow/tp2"), Door(length, MOST))
        guard = Guard(doors, rest, **{"read_seconds": 10, "concurrent": 50} | options)
        server = http_server(guard)
        running.append((server, asyncio.create_task(server.serve())))
        async with asyncio.timeout(DEADLINE):
            while not server.started:
                await asyncio.sleep(0.01)
        return World(int(server.servers[0].sockets[0].getsockname()[1]))

    yield begin
    for server, task in running:
        server.should_exit = True
        await task


@pytest.fixture
async def world(start: Start) -> World:
    return await start()


def post(path: str = "/door/x", **headers: object) -> str:
    lines = [f"POST {path} HTTP/1.1", "Host: x"]
    return "\n".join(lines + [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()])


async def test_a_body_is_read_whole_however_it_comes(world: World) -> None:
    for size in (0, 1, MOST):
        assert (await world.say(post(Content_Length=size), b"x" * size))[1].endswith(str(size).encode())
    chunks = b"".join(b"1\r\nx\r\n" for _ in range(500)) + b"0\r\n\r\n"
    assert (await world.say(post(Transfer_Encoding="chunked"), chunks))[1].endswith(b"500")


async def test_one_byte_too_many_is_too_many(world: World) -> None:
    assert (await world.say(post(Content_Length=MOST + 1), b"x" * (MOST + 1)))[0] == 413
    chunk = b"%x\r\n%s\r\n" % (MOST + 1, b"x" * (MOST + 1))
    assert (await world.say(post(Transfer_Encoding="chunked"), chunk + b"0\r\n\r\n"))[0] == 413


async def test_who_asks_first_whether_to_send_is_told_no_and_not_waited_for(world: World) -> None:
    reader, writer = await world.open(post(Content_Length=MOST + 1, Expect="100-continue"))
    async with asyncio.timeout(DEADLINE):
        answer = await reader.read()  # until it is closed: the next request could not be told from the body
    assert answer.startswith(b"HTTP/1.1 413")
    writer.close()


async def test_who_asks_first_and_may_send_is_told_so(world: World) -> None:
    reader, writer = await world.open(post(Content_Length=2, Expect="100-continue", Connection="close"))
    async with asyncio.timeout(DEADLINE):
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"ab")
        assert (await reader.read()).endswith(b"\r\n\r\n2")
    writer.close()


async def test_a_body_that_comes_too_slowly_is_sent_away_long_before_the_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "GRACE_SECONDS", 0.1)
    world = await start(read_seconds=3600)
    reader, writer = await world.open(post(Content_Length=MOST), b"x" * 100)
    async with asyncio.timeout(DEADLINE):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 2" in answer
    assert b'"slow_body"' in answer
    writer.close()


async def test_a_body_that_comes_fast_enough_may_take_until_the_deadline(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(bounds, "LEAST_PER_SECOND", 1)
    world = await start(read_seconds=3600)
    reader, writer = await world.open(post(Content_Length=40, Connection="close"), b"x" * 20)
    assert (await world.say(post(Content_Length=40)))[0] == 503, "the grace is over"
    writer.write(b"x" * 20)
    async with asyncio.timeout(DEADLINE):
        assert (await reader.read()).endswith(b"\r\n\r\n40")
    writer.close()


async def test_large_bodies_together_are_bounded_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_READING", 4 * MOST)
    world = await start()
    held = [await world.open(post(Content_Length=MOST), b"x" * (MOST - 1)) for _ in range(8)]
    async with asyncio.timeout(DEADLINE):
        answers = asyncio.as_completed([asyncio.create_task(reader.read()) for reader, _ in held])
        assert b'"busy"' in await next(iter(answers))
    for _, writer in held:
        writer.close()
    async with asyncio.timeout(DEADLINE):
        while (await world.say(post(Content_Length=MOST), b"x" * MOST))[0] != 200:
            await asyncio.sleep(0.01)


async def test_two_hundred_who_send_half_hold_up_nobody(start: Start) -> None:
    world = await start(concurrent=512)
    heads = [await world.open("POST /door/x HTTP/1.1\nHost: x\nX-Half") for _ in range(100)]
    bodies = [await world.open(post(Content_Length=100), b"x") for _ in range(100)]
    for _ in range(20):
        assert (await world.say(post(Content_Length=1), b"x"))[0] == 200
    for _, writer in heads + bodies:
        writer.close()


async def test_more_calls_than_bearable_are_told_to_come_back_and_probes_still_answer(start: Start) -> None:
    world = await start(concurrent=1)
    _, writer = await world.open(post(Content_Length=100), b"x")
    async with asyncio.timeout(DEADLINE):
        while (answer := await world.say(post(Content_Length=1)))[0] != 503:  # its body is not even waited for
            await asyncio.sleep(0.01)
    assert b"retry-after: 2" in answer[1]
    assert b"connection: close" in answer[1]
    assert (await world.say("GET /readyz HTTP/1.1\nHost: x"))[0] == 200
    writer.close()


async def test_who_hangs_up_leaves_nothing_behind(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/door/x", "/rest"):
        _, writer = await world.open(post(path, Content_Length=100), b"x")
        writer.close()
        await writer.wait_closed()
    assert (await world.say(post(Content_Length=1), b"x"))[0] == 200
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/i", "/com.snowplowanalytics.snowplow/tp2", "/com.snowplowanalytics.snowplow/no"])
async def test_snowplow_is_never_answered_what_it_would_repeat_for_ever(world: World, path: str) -> None:
    many = "\n" + "\n".join(f"X-{number}: x" for number in range(200))
    answers = [
        await world.say(post(path, Content_Length=MOST + 1), b"x" * (MOST + 1)),
        await world.say(post(path, Content_Length=0) + many),
        await world.say(post(path + "/lost", Content_Length=0)) if path.endswith("no") else (400, b""),
    ]
    assert [status for status, _ in answers] == [400, 400, 400]


async def test_too_many_headers_are_refused_wherever(world: World) -> None:
    for path in ("/door/x", "/rest"):
        many = "\n" + "\n".join(f"X-{number}: x" for number in range(200))
        large = "\nX-Large: " + "x" * 40_000
        assert (await world.say(post(path, Content_Length=0) + many))[0] == 431
        assert (await world.say(post(path, Content_Length=0) + large))[0] == 431


async def test_head_is_answered_without_a_body(world: World) -> None:
    status, answer = await world.say("HEAD /door/x HTTP/1.1\nHost: x")
    assert status == 200
    assert answer.endswith(b"\r\n\r\n")
