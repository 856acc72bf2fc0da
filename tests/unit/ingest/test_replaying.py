"""Every protocol's refused items are found again in its bodies."""

from __future__ import annotations

import orjson
import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.reading import MOST_RAW
from services.ingest.replaying import reopen
from services.ingest.sources import Sources
from shared.schemas.policies import SourcesPolicy


@pytest.fixture
def known():
    sources = Sources(b"a master secret of 32 bytes or more", {})
    sources.load("t", SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": ["k"]}]}))
    found = sources.named("web", "t")
    assert found
    return found


@pytest.mark.parametrize(
    ("protocol", "call", "item"),
    [
        ("segment", "track", {"event": "x", "userId": "u"}),
        ("segment", None, {"type": "track", "event": "x", "userId": "u"}),
        ("hubspot", None, {"subscriptionType": "contact.creation", "objectId": 1, "eventId": 2}),
        ("sendgrid", None, {"email": "x@y.example", "event": "open", "sg_event_id": "1"}),
        ("typeform", None, {"event_id": "1", "form_response": {"token": "t", "answers": []}}),
        ("customerio", None, {"event_id": "1", "metric": "opened", "object_type": "email", "data": {}}),
    ],
)
def test_an_item_is_read_by_the_protocol_that_it_came_by(known, protocol, call, item):
    opened = reopen(orjson.dumps(item), protocol, call, known, whole=False)
    assert opened.envelope.items == [item]
    assert opened.envelope.call == call


@pytest.mark.parametrize(
    ("raw", "protocol", "code"),
    [
        (b"{", "segment", "malformed_json"),
        (b"{}", "of another time", "cannot_replay"),
        (b"x" * MOST_RAW, "segment", "cut"),
    ],
)
def test_what_cannot_be_read_again_is_told(known, raw, protocol, code):
    with pytest.raises(Refused) as refused:
        reopen(raw, protocol, None, known, whole=False)
    assert refused.value.code == code
