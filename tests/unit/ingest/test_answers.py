"""What a caller is answered when nothing could be written."""

from __future__ import annotations

import orjson
import pytest

from services.ingest.api import Tracking
from services.ingest.handler import UnavailableError
from services.ingest.intake import Intake
from services.ingest.links import LinksLostError
from services.ingest.request import Request
from services.ingest.sources import Sources
from shared.kit.clock import FakeClock
from shared.schemas.policies import SourcesPolicy


@pytest.mark.parametrize("body", [b'{"userId": "u-1", "event": "x"}', b"no JSON", b'{"event": "of nobody"}'])
@pytest.mark.parametrize("error", [UnavailableError("kafka is away"), LinksLostError("hinode")])
async def test_whoever_asks_while_nothing_can_be_kept_is_told_to_come_back(body, error):
    sources = Sources(b"a master secret of 32 bytes or more", {})
    sources.load("hinode", SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": ["key"]}]}))

    async def handle(*_):
        raise error

    tracking = Tracking(
        sources, Intake(handle), FakeClock(), batch_bytes=1_000, body_bytes=1_000, complete=lambda: True
    )
    call = Request("POST", "/v1/track", b"", [(b"x-write-key", b"key")], body)
    answer = await tracking.doors()[call.path].endpoint(call)
    assert answer.status == 503
    assert (b"retry-after", b"2") in answer.headers
    assert set(orjson.loads(answer.body)) == {"code", "message"}
