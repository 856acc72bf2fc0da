"""The promise of verification: whatever the headers hold, a call that nobody signed is 401 with a code, and nothing else."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.refusals import Refused
from services.ingest.domain.signatures import Scheme, Signed, check_time, is_token_like, verify
from services.ingest.reading import read_body
from services.ingest.request import Request
from services.ingest.senders import WEBHOOKS
from services.ingest.sources import Registered, Sources
from shared.schemas.policies import SourcesPolicy

NOW = 1_790_000_000_000
CODES = {
    "no_secret",
    "no_signature",
    "many_signatures",
    "bad_signature_format",
    "bad_signature",
    "no_public_url",
    "bad_timestamp",
    "stale_timestamp",
    "future_timestamp",
}
SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpV"
    "KS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
)
STRIPE_LIKE = {"header": "X-Sig", "separator": ",", "field": "v1", "signed": "{t}.{body}", "timestamp": "t"}
# kind -> its secret, what else its source says, and the headers it looks at
KINDS: dict[str, tuple[str, dict[str, Any], tuple[bytes, ...]]] = {
    "standard_webhooks": (
        "whsec_" + b64encode(b"s" * 32).decode(),
        {},
        (b"webhook-id", b"webhook-timestamp", b"webhook-signature", b"svix-id", b"svix-timestamp", b"svix-signature"),
    ),
    "hmac": ("secret", {"signature": STRIPE_LIKE}, (b"x-sig", b"t")),
    "hubspot": (
        "secret",
        {"public_url": "https://hooks.example"},
        (
            b"x-hubspot-signature",
            b"x-hubspot-signature-version",
            b"x-hubspot-signature-v3",
            b"x-hubspot-request-timestamp",
        ),
    ),
    "sendgrid": (
        SENDGRID_KEY,
        {},
        (b"x-twilio-email-event-webhook-signature", b"x-twilio-email-event-webhook-timestamp"),
    ),
    "typeform": ("secret", {}, (b"typeform-signature",)),
    "calendly": ("secret", {}, (b"calendly-webhook-signature", b"t")),
    "intercom": ("secret", {}, (b"x-hub-signature",)),
    "customerio": ("secret", {}, (b"x-cio-signature", b"x-cio-timestamp")),
}


def _registered(kind: str) -> Registered:
    secret, more, _ = KINDS[kind]
    source = {"id": "hook", "kind": kind, "secrets": [{"id": "s", "value": "env:S"}]} | more
    sources = Sources(b"a master secret of 32 bytes or more", {"S": secret})
    sources.load("hinode", SourcesPolicy.model_validate({"sources": [source]}))
    known = sources.named("hook")
    assert known
    return known


REGISTERED = {kind: _registered(kind) for kind in KINDS}

hexes = st.binary(max_size=64).map(lambda raw: raw.hex().encode())
base64s = st.binary(max_size=96).map(b64encode)
times = st.one_of(
    st.integers(-(10**30), 10**30).map(lambda n: str(n).encode()),
    st.integers(NOW - 400_000, NOW + 400_000).map(lambda n: str(n).encode()),
    st.integers(NOW // 1000 - 400, NOW // 1000 + 400).map(lambda n: str(n).encode()),
    st.sampled_from([b"nan", b"inf", b"-0", b"1e9", b"1_0", "１".encode(), "²".encode(), "٣".encode(), b"9" * 5000]),
)
# Near enough to what is wanted that every branch is met, and also anything at all.
near = st.one_of(
    hexes,
    base64s,
    times,
    hexes.map(lambda text: b"sha1=" + text),
    base64s.map(lambda text: b"sha256=" + text),
    base64s.map(lambda text: b"v1," + text + b" v1a," + text),
    st.tuples(times, hexes).map(lambda pair: b"t=%b,v1=%b" % pair),
    st.lists(st.sampled_from([b"t=", b"v1=", b"v1,", b"=", b",", b" ", b"v1", b"00", b"t=1"]), max_size=30).map(
        b"".join
    ),
    st.sampled_from([b"v1", b"v2", b"v3"]),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
)
values = st.one_of(near, st.binary(max_size=200))
bodies = st.one_of(st.binary(max_size=300), st.just(b""), st.just(b"[]"))


def calls(names: tuple[bytes, ...]) -> st.SearchStrategy[list[tuple[bytes, bytes]]]:
    return st.lists(st.tuples(st.sampled_from(names), values), max_size=8)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data(), body=bodies, query=st.binary(max_size=30), method=st.sampled_from(["POST", "PUT"]))
def test_arbitrary_headers_are_refused_with_a_code(kind, data, body, query, method):
    request = Request(method, "/hooks/hook", query, data.draw(calls(KINDS[kind][2])), body)
    with pytest.raises(Refused) as refused:
        WEBHOOKS[kind].verify(request, REGISTERED[kind].keys, NOW)
    assert refused.value.status == 401
    assert refused.value.code in CODES


schemes = st.builds(
    Scheme,
    header=st.just(b"s"),
    prefix=st.sampled_from([b"", b"sha256=", b"v0="]),
    separator=st.sampled_from([None, b",", b" ", b";"]),
    pair=st.sampled_from([b"=", b","]),
    field=st.sampled_from([None, b"v1", b""]),
    method=st.sampled_from(["hmac", "hash", "ecdsa", "ed25519"]),
    digest=st.sampled_from(["sha1", "sha256", "sha512"]),
    encoding=st.sampled_from(["hex", "base64"]),
    signed=st.sampled_from(
        [b"{body}", b"{secret}{body}", b"{t}.{body}", b"{method}{url}{id}{t}{body}", b"{body}{body"]
    ),
    timestamp=st.sampled_from([b"t", b"T", b""]),
    unit=st.sampled_from(["s", "ms"]),
    event_id=st.just(b"i"),
)


@given(
    schemes,
    calls((b"s", b"t", b"i")),
    bodies,
    st.one_of(st.none(), st.binary(max_size=50)),
    st.lists(st.binary(max_size=40), max_size=3),
    st.integers(0, 2**48),
)
def test_no_scheme_raises_anything_else(scheme, headers, body, url, secrets, now):
    try:
        verify(scheme, Signed(headers, body, b"POST", url), secrets, now, 300_000)
    except Refused as refused:
        assert refused.status == 401 and refused.code in CODES  # noqa: PT017, PT018 - what it may be is the property


@given(st.binary(max_size=40))
def test_a_time_is_taken_or_refused(text):
    try:
        check_time(text, "ms", NOW, 2**62)
    except Refused as refused:
        assert refused.code == "bad_timestamp"  # noqa: PT017
    else:
        assert text.isdigit()
        assert text.isascii()


@given(
    st.binary(max_size=2000),
    st.binary(min_size=1, max_size=80),
    st.lists(st.binary(min_size=1, max_size=80), max_size=3),
)
def test_what_was_signed_holds_and_any_other_body_does_not(body, secret, others):
    scheme = Scheme(header=b"s", signed=b"{t}.{body}", timestamp=b"t")
    made = hmac.digest(secret, b"%d.%b" % (NOW // 1000, body), "sha256").hex().encode()
    headers = [(b"s", made), (b"t", str(NOW // 1000).encode())]
    verify(scheme, Signed(headers, body), [*others, secret], NOW, 0)
    with pytest.raises(Refused):
        verify(scheme, Signed(headers, body + b"\0"), [*others, secret], NOW, 0)


@given(st.text(max_size=60))
def test_no_token_begins_like_a_message_that_a_challenge_could_forge(text):
    if is_token_like(text):
        assert text.isascii()
        assert not {"=", ":", ".", "{", "[", '"', " ", "\n"} & set(text)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
# Field names that translators look for, so that values of the wrong shape meet them.
_NAMES_TEXT = """
type event id data payload object item contact user email properties traits context topic metric object_type timestamp
form_response answers definition fields hidden field choice choices labels label variables key calculated score token
ref questions_and_answers question answer tracking utm_campaign salesforce_uuid scheduled_event cancellation uri name
no_show subscriptionType objectTypeId objectId propertyName propertyValue portalId subscriptionId eventId occurredAt
vid value associationType fromObjectId toObjectId primaryObjectId sg_event_id sg_message_id category url useragent
sg_machine_open identifiers cio_id customer_id recipient href prefetched source author body contacts location
external_id user_id metadata event_name custom_attributes event_type submitted_at created_at title number text
old_invitee phone_number userId
"""
NAMES = _NAMES_TEXT.split()
_WORDS_TEXT = """
track identify contact.creation object.creation contact.propertyChange contact.associationChange CONTACT_TO_COMPANY
0-1 click open email choice choices contact user event lead conversation.user.created invitee.created ping a@b.example
"""
WORDS = _WORDS_TEXT.split()
shaped = st.recursive(
    json | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=40,
)


def _translated(kind: str) -> Callable[[Any], Any]:
    request = Request("POST", "/hooks/hook", b"", [(name, b"1") for name in KINDS[kind][2]], b"[]")
    made = WEBHOOKS[kind].read(request, REGISTERED[kind].keys).envelope.translate
    assert made
    return made


@pytest.mark.parametrize("kind", KINDS)
@given(event=shaped)
def test_a_translator_makes_a_message_of_anything_or_refuses_it(kind, event):
    try:
        made = _translated(kind)(event)
    except Refused as refused:
        assert refused.code == "wrong_type"  # noqa: PT017
    else:
        assert made["type"] in ("track", "identify", "page", "screen", "group", "alias")


@pytest.mark.parametrize("kind", KINDS)
@given(body=st.one_of(st.binary(max_size=100), st.lists(shaped, max_size=3), shaped))
def test_a_body_of_anything_becomes_events_or_is_refused(kind, body):
    known = REGISTERED[kind]
    try:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
    except (TypeError, orjson.JSONEncodeError):
        return  # whole numbers above 64 bits, half surrogate pairs: no body holds them so
    request = Request("POST", "/hooks/hook", b"", [(name, b"1") for name in KINDS[kind][2]], raw)
    try:
        opened = WEBHOOKS[kind].read(request, known.keys)
    except Refused as refused:
        assert refused.status == 400  # noqa: PT017
        return
    found = read_body(opened.envelope, known.sender, NOW, suspect=opened.suspect)
    assert len(found.drafts) + len(found.refused) == len(opened.envelope.items)
    assert "unreadable" not in {refused.code for refused in found.refused.values()}
