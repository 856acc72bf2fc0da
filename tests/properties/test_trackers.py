"""Whatever is sent to a tracking path is read or refused with a code; what is kept of it can be read again."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.admin.replay import reopen
from services.ingest.answers import Outcome
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import complete
from services.ingest.reading import read_body
from services.ingest.request import Request
from services.ingest.senders import TRACKERS
from services.ingest.senders.bodies import unpack
from services.ingest.senders.cloudevents import attribute
from services.ingest.senders.people import is_made_up
from services.ingest.senders.posthog_events import message
from services.ingest.senders.tracker import Opened, Tracker
from services.ingest.sources import Sources
from shared.schemas.policies import SourcesPolicy
from shared.schemas.touches import Touch

NOW = 1_790_000_000_000
LEAD = "11111111-1111-5111-8111-111111111111"
SOURCES = Sources(b"a master secret of 32 bytes or more", {})
SOURCES.load("hinode", SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": ["key"]}]}))
WEB = SOURCES.find("key")
assert WEB

CALLS = [(tracker, route, method) for tracker in TRACKERS for route in tracker.routes for method in route.methods]
NAMED = [pytest.param(*call, id=f"{call[2]} {call[1].path}") for call in CALLS]

_WORDS_TEXT = """
batch data events api_key token event type properties traits context userId anonymousId messageId timestamp previousId
e eid aid uid duid sid nuid ue_pr ue_px co cx dtm stm ttm url page se_ac se_ca schema elements name value
distinct_id uuid $set $set_once $identify $create_alias $groupidentify alias $device_id $anon_distinct_id $is_identified
specversion id source time data_base64 datacontenttype subject userid event_type user_id device_id insert_id
user_properties event_properties groups group_properties $token $distinct_id $delete $merge $distinct_ids $insert_id
"""
WORDS = _WORDS_TEXT.split()
VALUES = [
    "track",
    "identify",
    "page",
    "pv",
    "ue",
    "se",
    "1.0",
    "key",
    "u-1",
    "$identify",
    "$merge",
    "iglu:a/b/jsonschema/1-0-0",
]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(VALUES + WORDS)
    | st.text(max_size=12)
)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=5)
        # a tree inside of a text, as some protocols have it
        | inner.map(lambda tree: orjson.dumps(tree).decode())
        | inner.map(lambda tree: urlsafe_b64encode(orjson.dumps(tree)).decode())
    ),
    max_leaves=20,
)
events = st.dictionaries(st.sampled_from(WORDS), trees, max_size=8)
wrapped = events | st.builds(
    lambda name, items: {name: items, "api_key": "key"},
    st.sampled_from(["batch", "events", "data"]),
    st.lists(events | trees),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
queries = st.dictionaries(
    st.sampled_from([*WORDS, "compression", "context.page.url", "writeKey", "img"]), texts, max_size=4
)
headers = st.lists(
    st.tuples(
        st.sampled_from(
            [b"content-type", b"cookie", b"sp-anonymous", b"ce-specversion", b"ce-id", b"ce-source", b"ce-type"]
        ),
        st.sampled_from(
            [b"1.0", b"application/cloudevents+json", b"application/cloudevents-batch+json", b"sp=a-1", b"%ff"]
        )
        | st.binary(max_size=10),
    ),
    max_size=5,
)
bodies = (
    (trees | wrapped | st.lists(events)).map(orjson.dumps)
    | st.binary(max_size=40)
    | texts.map(lambda t: f"data={t}".encode())
)


def call(method: str, path: str, body: bytes, query: dict[str, str], sent: list[tuple[bytes, bytes]]) -> Request:
    encoded = "&".join(f"{quote(name)}={quote(value)}" for name, value in query.items())
    return Request(method, f"{path}x" if path.endswith("/") else path, encoded.encode(), sent, body)


def read(tracker: Tracker, request: Request) -> Opened | Refused:
    try:
        return tracker.read(request)
    except Refused as refused:
        return refused


@pytest.mark.parametrize(("tracker", "route", "method"), NAMED)
@given(bodies, queries, headers)
def test_whatever_is_sent_is_read_or_refused_and_answered(tracker: Tracker, route, method, body, query, sent):
    request = call(method, route.path, body, query, sent)
    opened = read(tracker, request)
    if isinstance(opened, Refused):
        wanted = 400 if tracker.name == "snowplow" and opened.status == 415 else opened.status
        assert 400 <= tracker.failure(request, opened).status == wanted < 500
        return
    found = read_body(opened.envelope, WEB.sender, NOW, suspect=opened.suspect)
    assert len(found.drafts) + len(found.refused) == len(opened.envelope.items)
    assert "unreadable" not in [refused.code for refused in found.refused.values()]
    for draft in found.drafts:
        Touch.model_validate_json(complete(LEAD, draft.body))
    outcome = Outcome(opened.single, len(found.drafts), 0, len(found.refused))
    assert (opened.spoken or tracker).answer(request, outcome).status == 200


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda tracker: tracker.name)
@given(events)
def test_what_is_kept_of_a_refused_event_is_read_again_as_it_was(tracker: Tracker, event: dict[str, Any]):
    event = {"specversion": "1.0", "id": "1", "source": "/a"} | event if tracker.name == "cloudevents" else event
    raw = orjson.dumps(event)
    assert reopen(raw, tracker.name, None, WEB, whole=False).envelope.items == [orjson.loads(raw)]


@given(st.binary(max_size=100), st.booleans(), st.booleans())
def test_base64_is_read_in_every_way_in_which_it_is_written(data, url_safe, padded):
    packed = (urlsafe_b64encode if url_safe else b64encode)(data).decode()
    assert unpack(packed if padded else packed.rstrip("=")) == data
    assert unpack(packed.replace("+", " ")) == data


@given(texts.map(str.strip))
def test_an_attribute_is_what_it_was_before_it_was_encoded(text):
    assert attribute(quote(text, safe=" ").encode()) == text


@given(
    st.uuids().map(str),
    st.dictionaries(st.sampled_from(["$device_id", "$lib", "$ip", "$process_person_profile"]), scalars),
)
def test_a_made_up_id_is_a_user_only_if_the_sdk_says_so(made_up, properties):
    assert is_made_up(made_up)
    told = message({"event": "x", "distinct_id": made_up, "properties": properties})
    assert told.get("userId") is None
    assert told["anonymousId"] == made_up


@given(st.sampled_from([400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 431, 503]), st.sampled_from(["GET", "POST"]))
def test_no_answer_to_a_snowplow_tracker_makes_it_send_for_ever(status, method):
    (tracker,) = [tracker for tracker in TRACKERS if tracker.name == "snowplow"]
    answer = tracker.failure(Request(method, "/i", b"", [], b""), Refused("code", "message", status))
    assert answer.status in {400, 401, 403, 410, 422, 429, 503}
