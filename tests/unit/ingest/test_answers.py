"""What a caller is answered when nothing could be written."""

from __future__ import annotations

import orjson
import pytest

from services.ingest.api import Tracking
from services.ingest.guard import Call
from services.ingest.handler import UnavailableError
from services.ingest.links import LinksLostError
from services.ingest.senders import Senders
from shared.kit.clock import FakeClock
from shared.schemas.policies import SourcesPolicy


@pytest.mark.parametrize("body", [b'{"userId": "u-1", "event": "x"}', b"no JSON", b'{"event": "of nobody"}'])
@pytest.mark.parametrize("error", [UnavailableError("kafka is away"), LinksLostError("hinode")])
async def test_whoever_asks_while_nothing_can_be_kept_is_told_to_come_back(body, error):
    senders = Senders(b"a master secret of 32 bytes or more", {})
    senders.load("hinode", SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": ["key"]}]}))

    async def handle(*_):
        raise error

    tracking = Tracking(senders, handle, FakeClock(), body_bytes=1_000, complete=lambda: True)
    answer = await tracking.answer("track", Call([(b"x-write-key", b"key")], b"", body))
    assert answer.status == 503
    assert (b"retry-after", b"2") in answer.headers
    assert set(orjson.loads(answer.body)) == {"code", "message"}
