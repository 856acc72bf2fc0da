"""Whatever stands in a call of these senders, it is taken or refused with a code, and never anything else."""

from __future__ import annotations

import hmac
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.answers import Answer
from services.ingest.domain.refusals import Refused
from services.ingest.domain.touch import complete
from services.ingest.reading import read_body
from services.ingest.request import Request
from services.ingest.senders import WEBHOOKS, salesforce_outbound, segment_webhook
from services.ingest.senders.urlencoded import MOST_DEPTH, fields, nested
from services.ingest.sources import Registered, Sources
from shared.schemas.policies import SourcesPolicy
from shared.schemas.touches import RejectedEvent, Touch

NOW = 1_790_000_000_000
SECRET, TOKEN = "s3cret", "00D000000000xyz"
PERSON = {
    "id": "r-1",
    "email": "taro@minato.co.jp",
    "first_name": "太郎",
    "custom_questions": [{"title": "課題", "value": "x"}],
}
WEBINAR = {
    "uuid": "w==",
    "id": 5,
    "topic": "DX",
    "registrant": PERSON,
    "participant": {"participant_uuid": "p", "user_name": "山田"},
}
LEADGEN = {"leadgen_id": 7, "page_id": 1, "form_id": 2, "adgroup_id": 3, "created_time": 1_789_999_000}
LINKEDIN = {
    "type": "LEAD_ACTION",
    "leadGenFormResponse": "urn:li:x:1",
    "leadAction": "CREATED",
    "occurredAt": 1_789_999_000_000,
}
MAIL = {
    "event": "clicked",
    "timestamp": 1_789_999_000.5,
    "recipient": "taro@minato.co.jp",
    "client-info": {"bot": ""},
    "tags": ["t"],
}
SEGMENT = {"type": "track", "event": "x", "userId": "u", "messageId": "m", "timestamp": "2026-09-21T00:00:00Z"}
# Kind -> an event that is good: what stands in it is then exchanged for anything else.
GOOD: dict[str, Any] = {
    "zoom": {"event": "webinar.participant_joined", "event_ts": 1_789_999_000_000, "payload": {"object": WEBINAR}},
    "meta_leads": {"entry": [{"id": 1, "time": 2, "changes": [{"field": "leadgen", "value": LEADGEN}]}]},
    "linkedin_leads": {
        "notifications": [LINKEDIN | {"owner": {"sponsoredAccount": "urn:li:y:2"}, "leadType": "SPONSORED"}]
    },
    "google_leads": {
        "lead_id": "a",
        "user_column_data": [{"column_id": "EMAIL", "string_value": "a@b.jp"}],
        "is_test": False,
    },
    "mailgun": {"signature": {"token": "t", "timestamp": "1", "signature": "00"}, "event-data": MAIL},
    "mailchimp": {
        "type": "subscribe",
        "fired_at": "2026-09-21 00:00:00",
        "data": {"id": "1", "email": "a@b.jp", "merges": {"FNAME": "x"}},
    },
    "segment_webhook": [SEGMENT, SEGMENT | {"context": {"campaign": {"name": "c"}}, "properties": {"form": "x"}}],
    "unbounce": {
        "page_name": "LP",
        "page_url": "https://x.jp/a",
        "data.json": '{"email":["a@b.jp"],"time_submitted":["04:17 PM UTC"]}',
    },
    "marketo": {
        "event": "x",
        "lead": {"id": 1, "email": "a@b.jp"},
        "company": {"name": "y"},
        "campaign": {"id": 2},
        "datetime": "",
    },
    "salesforce_outbound": {
        "id": "04l1",
        "type": "Lead",
        "record": {"Id": "00Q1", "Email": "a@b.jp"},
        "sandbox": False,
    },
}
KINDS = list(GOOD)
HEADERS = (
    b"x-zm-signature",
    b"x-zm-request-timestamp",
    b"x-hub-signature-256",
    b"x-li-signature",
    b"x-signature",
    b"x-baton-secret",
)


def _registered(kind: str) -> Registered:
    secrets = [
        {"id": "s", "value": "env:SECRET"},
        {"id": "t", "value": "env:TOKEN", "use": "verify_token"},
    ]
    sources = Sources(b"a master secret of 32 bytes or more", {"SECRET": SECRET, "TOKEN": TOKEN})
    policy = {"sources": [{"id": "hook", "kind": kind, "secrets": secrets}]}
    sources.load("hinode", SourcesPolicy.model_validate(policy))
    known = sources.named("hook")
    assert known
    return known


REGISTERED = {kind: _registered(kind) for kind in KINDS}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_NAMES_TEXT = """
type event event_ts payload object registrant participant id registrant_id participant_uuid email
custom_questions title value plainToken topic entry changes field leadgen_id created_time leadGenFormResponse
leadAction occurredAt owner leadType notifications google_key user_column_data column_id column_name
string_value lead_id is_test lead_submit_time signature timestamp token event-data recipient severity
client-info user-variables tags flags campaigns data merges FNAME fired_at data.json page_url page_name lead
company campaign name datetime utcOffset record ActionId sandbox userId messageId properties traits context
originalTimestamp sentAt
"""
NAMES = _NAMES_TEXT.split()
names = st.sampled_from(NAMES) | st.text(max_size=8)
_WORDS_TEXT = """
endpoint.url_validation webinar.registration_created leadgen LEAD_ACTION CREATED DELETED failed permanent
subscribe Lead track 2026-09-21T00:00:00Z 1790000000 FULL_NAME WORK_EMAIL taro@minato.co.jp +09:00 u-1 {} null
0
"""
WORDS = _WORDS_TEXT.split()
words = st.sampled_from(WORDS) | scalars
trees = st.recursive(
    words, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=30
)
signed_trees = st.dictionaries(names, trees, max_size=8) | st.lists(trees, max_size=3) | trees


def jsonlike(tree: Any) -> bytes:
    try:
        return orjson.dumps(tree, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # an integer of more than 64 bits, or half a surrogate pair
        return repr(tree).encode("utf-8", "surrogatepass")


keys = st.lists(names, min_size=1, max_size=4).map(lambda parts: parts[0] + "".join(f"[{part}]" for part in parts[1:]))
forms = st.lists(st.tuples(keys, words.map(str)), max_size=10).map(
    lambda pairs: urlencode(pairs, errors="surrogatepass").encode()
)
_XML_NAMES_TEXT = (
    "Envelope Body notifications OrganizationId ActionId SessionId EnterpriseUrl Notification Id sObject Email x"
)
XML_NAMES = _XML_NAMES_TEXT.split()
elements = st.recursive(
    st.text("ab &;<>]![CDATA-", max_size=12),
    lambda inner: st.builds(
        lambda name, within: f"<{name}>{''.join(within)}</{name}>",
        st.sampled_from(XML_NAMES),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)
xml = elements.map(
    lambda inside: (
        '<Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Body><notifications>'
        f"<OrganizationId>{TOKEN}</OrganizationId>"
        f'<Notification><Id>1</Id><sObject xsi:type="sf:Lead">{inside}</sObject></Notification>{inside}'
        "</notifications></Body></Envelope>"
    ).encode()
)
bodies = signed_trees.map(jsonlike) | forms | xml | st.binary(max_size=200)
times = st.sampled_from([str(NOW // 1000).encode(), str(NOW).encode(), b"nan", "１".encode(), b"9" * 30, b""])
hexes = st.binary(max_size=40).map(lambda raw: raw.hex().encode())
values = (
    hexes
    | hexes.map(lambda text: b"v0=" + text)
    | hexes.map(lambda text: b"sha256=" + text)
    | times
    | st.sampled_from([SECRET.encode(), b"hmacsha256="])
    | st.binary(max_size=40)
)
calls = st.lists(st.tuples(st.sampled_from(HEADERS), values), max_size=6)
QUERIES = [
    b"secret=s3cret",
    b"secret=%73%33cret",
    b"secret=%",
    b"secret=%zz&secret",
    b"hub.mode=subscribe&hub.challenge=1",
]
queries = st.sampled_from(QUERIES) | st.binary(max_size=60)


def request(body: bytes = b"", headers: list[tuple[bytes, bytes]] | None = None, query: bytes = b"") -> Request:
    return Request("POST", "/hooks/hook", query, headers or [], body)


@pytest.mark.parametrize("kind", KINDS)
@given(body=bodies, headers=calls, query=queries)
def test_any_call_is_verified_or_refused_with_401_and_a_code(kind, body, headers, query):
    try:
        WEBHOOKS[kind].verify(request(body, headers, query), REGISTERED[kind].keys, NOW)
    except Refused as refused:
        assert (refused.status, bool(refused.code)) == (401, True)  # noqa: PT017 - what it may be is the property


@pytest.mark.parametrize("kind", KINDS)
@given(body=bodies, headers=calls)
def test_any_body_of_a_verified_call_becomes_touches_and_refusals(kind, body, headers):
    becomes_touches_and_refusals(kind, body, headers)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), headers=calls)
def test_a_good_call_in_which_something_is_exchanged_for_anything_else_does_too(kind, data, headers):
    mended = exchanged(GOOD[kind], data.draw)
    becomes_touches_and_refusals(kind, jsonlike(mended), headers)


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_calls_are_good(kind):
    known = REGISTERED[kind]
    opened = WEBHOOKS[kind].read(request(jsonlike(GOOD[kind]), [(b"x-baton-secret", b"s3cret")]), known.keys)
    found = read_body(opened.envelope, known.sender, NOW, suspect=opened.suspect)
    assert found.drafts
    assert not found.refused


def exchanged(tree: Any, draw: Any) -> Any:
    """`tree` in which one part, anywhere, is another tree."""
    if not isinstance(tree, dict | list) or not tree or draw(st.integers(0, 4)) == 0:
        return draw(trees)
    place = draw(st.sampled_from(sorted(tree) if isinstance(tree, dict) else range(len(tree))))
    copy = tree.copy()
    copy[place] = exchanged(tree[place], draw)
    return copy


def becomes_touches_and_refusals(kind: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    known, webhook = REGISTERED[kind], WEBHOOKS[kind]
    try:
        webhook.challenge(request(body, headers), known.keys)
        opened = webhook.read(request(webhook.redact(body), headers), known.keys)
    except Refused as refused:
        assert refused.code  # noqa: PT017
        return
    found = read_body(opened.envelope, known.sender, NOW, suspect=opened.suspect, hide=[SECRET.encode()])
    assert len(found.drafts) + len(found.refused) == len(opened.envelope.items)
    assert "unreadable" not in {refused.code for refused in found.refused.values()}
    for made in found.drafts:
        Touch.model_validate_json(complete("11111111-1111-5111-8111-111111111111", made.body))
    for record in found.records:
        RejectedEvent.model_validate_json(record.value)


@pytest.mark.parametrize("kind", KINDS)
@given(item=trees)
def test_a_translator_gives_a_message_or_refuses(kind, item):
    translate = import_module(f"services.ingest.senders.{kind}").translate
    try:
        translate(item)
    except Refused as refused:
        assert refused.code  # noqa: PT017


@pytest.mark.parametrize("kind", KINDS)
@given(query=queries | st.binary(max_size=30).map(lambda raw: b"challengeCode=" + raw))
def test_any_look_is_answered_or_refused(kind, query):
    try:
        answer = WEBHOOKS[kind].probe(Request("GET", "/hooks/hook", query, [], b""), REGISTERED[kind].keys)
    except Refused as refused:
        assert refused.status in (400, 401)  # noqa: PT017
    else:
        assert isinstance(answer, Answer)
        assert answer.status == 200


@given(st.binary(max_size=120) | xml, st.binary(max_size=20).map(lambda raw: raw.hex().encode()))
def test_the_key_of_a_session_never_outlives_redaction(before, key):
    session = b"00D!" + key
    body = before + b"<SessionId>" + session + b"</SessionId>" + before
    assert session not in salesforce_outbound.redact(body)


@given(st.lists(trees, min_size=1, max_size=3), st.sampled_from([b"", b" ", b"\n\t"]))
def test_the_signed_part_of_a_batch_is_its_first_event_to_the_byte(events, blank):
    try:
        parts = [orjson.dumps(event) for event in events]
    except TypeError:
        return
    body = blank + b"[" + blank + (blank + b"," + blank).join(parts) + blank + b"]"
    assert segment_webhook.signed_part(body) == parts[0]


@given(st.lists(st.tuples(keys, st.text(max_size=5)), max_size=8))
def test_nesting_is_bounded_and_loses_no_value_of_distinct_names(pairs):
    tree = nested(fields(urlencode(pairs, errors="surrogatepass").encode()))

    def depth(node: Any) -> int:
        return 1 + max((depth(inner) for inner in node.values()), default=0) if isinstance(node, dict) else 0

    assert depth(tree) <= MOST_DEPTH + 2  # the whole, and a text beside an object


@given(signed_trees, st.sampled_from(["zoom", "meta_leads", "linkedin_leads", "segment_webhook"]))
def test_what_the_sender_signs_is_let_in_and_not_with_another_byte(tree, kind):
    body = jsonlike(tree)
    headers = signature(kind, body)
    if headers is None:
        return
    WEBHOOKS[kind].verify(request(body, headers), REGISTERED[kind].keys, NOW)
    with pytest.raises(Refused):
        WEBHOOKS[kind].verify(request(b" " + body[:-1] + b"?", headers), REGISTERED[kind].keys, NOW)


def signature(kind: str, body: bytes) -> list[tuple[bytes, bytes]] | None:
    def digest(message: bytes, name: str = "sha256") -> bytes:
        return hmac.digest(SECRET.encode(), message, name).hex().encode()

    at = str(NOW // 1000).encode()
    if kind == "zoom":
        return [(b"x-zm-signature", b"v0=" + digest(b"v0:" + at + b":" + body)), (b"x-zm-request-timestamp", at)]
    if kind == "meta_leads":
        return [(b"x-hub-signature-256", b"sha256=" + digest(body))]
    if kind == "linkedin_leads":
        return [(b"x-li-signature", digest(b"hmacsha256=" + body))]
    return None if body.startswith(b"[") else [(b"x-signature", digest(body, "sha1"))]
