"""Node SDKs of senders, unchanged, against ingest. Absent by name where node, npm or their packages are not there."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

pytestmark = pytest.mark.servers

HERE = Path(__file__).parent / "node"
MANY = 20
ALL = {"demo_requested": MANY, "identify": 1, "page_viewed": 1}
SNOWPLOW = {"demo_requested": MANY + 1, "page_viewed": 1}
UNREACHABLE = ("ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EAI_AGAIN", "ENETUNREACH", "E403", "E404")
CLIENTS = {
    "segment": ({"POST /v1/batch": 1}, ALL),
    "rudder": ({"POST /v1/batch": 2}, ALL),  # its first event goes at once, alone
    "posthog": ({"POST /batch/": 1}, ALL),
    "snowplow": ({"POST /com.snowplowanalytics.snowplow/tp2": 1}, SNOWPLOW),
    "snowplow_get": ({"GET /i": MANY + 2}, SNOWPLOW),
}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the clients are installed, exactly as locked."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are not there")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(HERE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "5"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=240)
    if any(sign in done.stderr for sign in UNREACHABLE):
        pytest.skip("no registry has the Node clients here")
    assert done.returncode == 0, done.stderr
    return folder


async def send(clients: Path, client: str, url: str, key: str) -> list[str]:
    """What the client says went wrong."""
    process = await asyncio.create_subprocess_exec(
        *("node", "send.js", client, url, key, str(MANY)),
        cwd=clients,
        env=os.environ | {"NO_PROXY": "*"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(90):
        said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    wrong: list[str] = orjson.loads(said.splitlines()[-1])
    return wrong


@pytest.mark.parametrize("client", CLIENTS)
async def test_each_event_arrives_once_in_one_request_per_batch(counted: Any, clients: Path, client: str):
    requests_made, types = CLIENTS[client]

    assert await send(clients, client, counted.url, counted.ingest.key) == []

    assert Counter(f"{method} {path}" for method, path, _ in counted.calls) == requests_made
    assert {status for _, _, status in counted.calls} == {200}
    assert await counted.ingest.written("ingest-rejected") == []
    touches = await counted.ingest.touches()
    assert Counter(touch["type"] for touch in touches) == types
    assert len({touch["event_id"] for touch in touches}) == len(touches)
    assert [touch["path"] for touch in touches if touch["type"] == "page_viewed"] == ["/pricing"]
    levels = [touch["attributes"]["level"] for touch in touches if touch["type"] == "identify"]
    assert levels == ["head"] * types.get("identify", 0)


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_with_a_wrong_key_gives_up_after_one_try(counted: Any, clients: Path, client: str):
    await send(clients, client, counted.url, "nobody's")

    tries = 2 if client == "rudder" else 1  # Snowplow's keeps all that it has not sent yet to itself
    assert [status for _, _, status in counted.calls] == [401] * tries
    assert await counted.ingest.touches() == []
