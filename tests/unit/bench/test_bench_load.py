from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from bench.load import Client, request, send


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """Echoes bodies in two pieces; answers 503 to `no`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
                status = b"503 Service Unavailable" if body == b"no" else b"200 OK"
                writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n" % (status, len(body)))
                await writer.drain()
                writer.write(body)
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    listening.close()


async def test_every_request_is_answered_over_few_connections(server: str) -> None:
    requests = [request("POST", f"{server}/v1/track", {}, str(number).encode()) for number in range(50)]
    answers = await send(server, requests, 3)
    assert sorted(map(int, answers)) == list(range(50))


async def test_an_answer_that_is_no_success_ends_the_measurement(server: str) -> None:
    async with Client(server) as client:
        with pytest.raises(RuntimeError, match=r"503 .*: no"):
            await client.call(request("POST", f"{server}/v1/track", {}, b"no"))


def test_a_request_carries_query_headers_and_length() -> None:
    made = request("GET", "http://host:1/list?lead_id=7", {"Authorization": "Bearer x"})
    head = b"GET /list?lead_id=7 HTTP/1.1\r\nHost: host:1\r\n"
    assert made == head + b"Authorization: Bearer x\r\nContent-Length: 0\r\n\r\n"
