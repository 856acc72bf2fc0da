"""What is refused is kept without the credentials that stand in it, however the sender wrote them."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from html import escape
from urllib.parse import quote, quote_plus, urlencode

import orjson
import pytest

from services.ingest.api import Tracking
from services.ingest.domain.refusals import Refused
from services.ingest.intake import Intake
from services.ingest.reading import rejected_record
from services.ingest.request import Request
from services.ingest.sources import Sources
from shared.kit.clock import FakeClock
from shared.schemas.policies import SourcesPolicy

SECRET = 'p+a/s"s<w&ö日 d%'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps({"google_key": SECRET}),
        orjson.dumps({"google_key": SECRET}).decode(),
        json.dumps({"google_key": SECRET}).replace("/", "\\/"),
        urlencode({"secret": SECRET}),
        "?secret=" + quote(SECRET),
        "?secret=" + quote(SECRET, safe=""),
        "?secret=" + re.sub("%..", lambda code: code[0].lower(), quote_plus(SECRET)),
        "<key>" + escape(SECRET) + "</key>",
        "<key>" + escape(SECRET, quote=False) + "</key>",
    ],
)
def test_a_credential_is_hidden_in_every_usual_spelling(sender, written):
    record = rejected_record(
        sender(), Refused("x", "y"), None, written.encode(), 1, protocol="p", hide=[SECRET.encode()]
    )
    kept = b64decode(orjson.loads(record.value)["raw"]).decode()
    assert "***" in kept
    assert not any(part in kept.lower() for part in ("日", "u65e5", "e6%97"))


def test_nothing_is_changed_where_no_credential_stands(sender):
    record = rejected_record(sender(), Refused("x", "y"), 0, b'{"a":1}', 1, protocol="p", hide=[b"s3cret"])
    assert b64decode(orjson.loads(record.value)["raw"]) == b'{"a":1}'


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ([(b"x-write-key", b"s3cret-key")], b""),
        ([(b"authorization", b"Basic " + b64encode(b"s3cret-key:"))], b""),
        ([(b"authorization", b"Basic " + b64encode(b"s3cret-key:password"))], b""),
        ([(b"authorization", b"Bearer s3cret-key")], b""),
        ([], b"writeKey=s3cret-key"),
    ],
)
async def test_a_body_that_nobody_can_read_is_kept_without_the_key_that_it_repeats(headers, query):
    sources = Sources(b"a master secret of 32 bytes or more", {})
    sources.load("t", SourcesPolicy.model_validate({"sources": [{"id": "web", "write_keys": ["s3cret-key"]}]}))
    kept = []

    async def handle(drafts, records):
        kept.extend(records)
        return [True] * len(drafts)

    tracking = Tracking(sources, Intake(handle), FakeClock(), batch_bytes=1000, body_bytes=1000, complete=lambda: True)
    body = b'{"writeKey":"s3cret-key","event":"cut o'
    answer = await tracking.doors()["/v1/track"].endpoint(Request("POST", "/v1/track", query, headers, body))
    assert answer.status == 400
    (record,) = kept
    assert b64decode(orjson.loads(record.value)["raw"]) == b'{"writeKey":"***","event":"cut o'
