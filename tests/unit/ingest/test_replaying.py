"""Every protocol's refused items are found again in its bodies."""

from __future__ import annotations

import orjson
import pytest

from services.ingest.admin.replay import reopen
from services.ingest.domain.refusals import Refused
from services.ingest.reading import MOST_RAW
from services.ingest.senders import TRACKERS, WEBHOOKS
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
        ("calendly", None, {"event": "invitee.created", "payload": {}}),
        ("intercom", None, {"topic": "contact.created", "data": {"item": {}}}),
        ("zoom", None, {"event": "webinar.registration_created", "payload": {}}),
        ("meta_leads", None, {"entry": [{"id": "1", "time": "2", "changes": [{"field": "leadgen", "value": {}}]}]}),
        ("linkedin_leads", None, {"type": "LEAD_ACTION", "leadType": "SPONSORED"}),
        ("google_leads", None, {"lead_id": "1", "user_column_data": []}),
        ("mailgun", None, {"event-data": {"event": "opened"}}),
        ("mailchimp", None, {"type": "subscribe", "data": {"email": "x@y.example"}}),
        ("segment_webhook", None, {"type": "track", "event": "x", "userId": "u"}),
        ("unbounce", None, {"data.json": "{}"}),
        ("marketo", None, {"email": "x@y.example"}),
        (
            "salesforce_outbound",
            None,
            {"id": "1", "type": "Lead", "record": {"Id": "00Q"}, "ActionId": "a", "sandbox": False},
        ),
        ("standard_webhooks", None, {"type": "x.y", "data": {}}),
        ("hmac", None, {"anything": [1]}),
        ("snowplow", None, {"e": "pv", "aid": "***", "eid": "1"}),
        ("posthog", None, {"event": "x", "distinct_id": "d", "properties": {}}),
        ("cloudevents", None, {"specversion": "1.0", "type": "x", "source": "/s", "id": "1"}),
        ("jitsu", "track", {"event": "x", "userId": "u"}),
        ("mixpanel", None, {"event": "x", "properties": {"token": "***", "distinct_id": "d"}}),
        ("amplitude", None, {"event_type": "x", "user_id": "u-12345"}),
        ("form", None, {"email": "x@y.example", "_event": "demo_requested"}),
        ("customerio", None, {"event_id": "1", "metric": "opened", "object_type": "email", "data": {}}),
    ],
)
def test_an_item_is_read_by_the_protocol_that_it_came_by(known, protocol, call, item):
    opened = reopen(orjson.dumps(item), protocol, call, known, whole=False)
    assert opened.envelope.items == [item]
    assert opened.envelope.call in (call, item.get("type"))


def test_no_sender_is_forgotten():
    named = {
        mark.args[1][n][0]
        for mark in test_an_item_is_read_by_the_protocol_that_it_came_by.pytestmark
        for n in range(len(mark.args[1]))
    }
    assert named == {*(tracker.name for tracker in TRACKERS), *WEBHOOKS, "form"}


@pytest.mark.parametrize(
    ("body", "protocol"),
    [
        (b'{"batch": [{"type": "track"}, {"type": "identify"}]}', "segment"),
        (b'[{"event": "a"}, {"event": "b"}]', "posthog"),
        (b'{"schema": "x", "data": [{"e": "pv"}, {"e": "pp"}]}', "snowplow"),
        (b'{"events": [{"event_type": "a"}, {"event_type": "b"}]}', "amplitude"),
        (b'[{"event": "open"}, {"event": "click"}]', "sendgrid"),
    ],
)
def test_a_whole_body_holds_all_its_events(known, body, protocol):
    assert len(reopen(body, protocol, None, known, whole=True).envelope.items) == 2


def test_a_form_is_read_as_browsers_write_it(known):
    opened = reopen("email=x%40y.example&会社=日の出".encode(), "form", None, known, whole=True)
    assert opened.envelope.items == [{"email": "x@y.example", "会社": "日の出"}]


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
