"""What a body may be, and what costs one event and not its neighbours."""

from __future__ import annotations

import gzip
import zlib

import orjson
import pytest

from services.ingest.domain.envelope import MOST_EVENTS, open_body
from services.ingest.domain.inflate import inflate
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused

MOST = 4 * 1_048_576
GOOD = {"type": "track", "event": "Good", "userId": "u-1"}


def code_of(call, *arguments):
    with pytest.raises(Refused) as refused:
        call(*arguments)
    return refused.value.code, refused.value.status


def raw_deflate(data):
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encode", "name"),
    [
        (gzip.compress, b"gzip"),
        (gzip.compress, b"X-GZIP"),
        (zlib.compress, b"deflate"),
        (raw_deflate, b"deflate"),
        (bytes, b"identity"),
    ],
)
def test_a_body_is_read_in_every_encoding_that_senders_use(encode, name):
    assert inflate(encode(b'{"a":1}'), [name], MOST) == b'{"a":1}'


def test_what_cannot_be_undone_safely_is_refused():
    packed = gzip.compress(b"x" * 1000)
    assert code_of(inflate, packed, [b"br"], MOST) == ("unsupported_encoding", 415)
    assert code_of(inflate, packed, [b"gzip, gzip"], MOST) == ("many_encodings", 400)
    assert code_of(inflate, packed, [b"gzip", b"deflate"], MOST) == ("many_encodings", 400)
    assert code_of(inflate, packed[:-4], [b"gzip"], MOST) == ("bad_encoding", 400)
    assert code_of(inflate, packed + packed, [b"gzip"], MOST) == ("bad_encoding", 400)
    assert code_of(inflate, b"not gzip", [b"gzip"], MOST) == ("bad_encoding", 400)
    assert code_of(inflate, b"", [b"gzip"], MOST) == ("bad_encoding", 400)


def test_a_bomb_is_refused_before_it_is_inflated():
    assert code_of(inflate, gzip.compress(b"\0" * 100_000_000), [b"gzip"], MOST) == ("too_large", 413)
    assert code_of(inflate, gzip.compress(b"\0" * 3_000_000), [b"gzip"], MOST) == ("bad_encoding", 400)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"a":1}x', b'{"a":"\x00"}', '{"a": "あ"}'.encode("cp932")])
def test_what_is_no_json_is_refused(body):
    assert code_of(parse, body)[0] == "malformed_json"


def test_json_without_end_is_refused_not_crashed_on():
    assert code_of(parse, b"[" * 100_000)[0] == "malformed_json"
    assert code_of(parse, b'{"a":NaN,"b":' + b"[" * 100_000 + b"]" * 100_000 + b"}")[0] == "too_deep"


@pytest.mark.parametrize(
    ("kind", "tree", "code"),
    [
        ("track", [], "wrong_type"),
        ("batch", "text", "wrong_type"),
        ("batch", {}, "no_batch"),
        ("batch", {"batch": {}}, "no_batch"),
        ("batch", {"batch": [1] * (MOST_EVENTS + 1)}, "too_many_events"),
        ("batch", {"batch": [], "context": 3}, "wrong_type"),
    ],
)
def test_a_body_that_is_nothing_we_can_read_is_refused_as_a_whole(kind, tree, code):
    assert code_of(open_body, kind, tree)[0] == code


DEEP = "x"
for _ in range(70):
    DEEP = {"a": DEEP}

BAD = {
    "not an object": ("wrong_type", 5),
    "no type": ("unknown_type", {"userId": "u"}),
    "strange type": ("unknown_type", GOOD | {"type": "teleport"}),
    "nobody": ("no_identity", {"type": "track", "event": "x"}),
    "nobody by another name": ("no_identity", GOOD | {"userId": "undefined"}),
    "an empty id": ("no_identity", GOOD | {"userId": "  "}),
    "a list for an id": ("wrong_type", GOOD | {"userId": ["u"]}),
    "a truth value for an id": ("wrong_type", GOOD | {"userId": True}),
    "an object for a message id": ("wrong_type", GOOD | {"messageId": {}}),
    "an endless id": ("id_too_long", GOOD | {"userId": "u" * 201}),
    "text for properties": ("wrong_type", GOOD | {"properties": "x"}),
    "a list for a context": ("wrong_type", GOOD | {"context": []}),
    "text for traits": ("wrong_type", GOOD | {"traits": "x"}),
    "NUL": ("nul_character", GOOD | {"properties": {"a": "x\0y"}}),
    "NUL in a name": ("nul_character", GOOD | {"properties": {"x\0y": 1}}),
    "a well": ("too_deep", GOOD | {"properties": DEEP}),
    "before computers": ("bad_time", GOOD | {"timestamp": "1970-01-01T00:00:00Z"}),
    "a word for a time": ("bad_time", GOOD | {"timestamp": "soon"}),
    "no event name": ("no_event_name", {"type": "track", "userId": "u"}),
    "an alias of nobody": ("no_identity", {"type": "alias", "userId": "u"}),
}


@pytest.mark.parametrize(("code", "bad"), BAD.values(), ids=BAD.keys())
def test_one_bad_event_costs_itself_alone(read, code, bad):
    found = read("batch", {"batch": [GOOD | {"messageId": "a"}, bad, GOOD | {"messageId": "b"}]})
    assert {index: refused.code for index, refused in found.refused.items()} == {1: code}
    assert [made.position for made in found.drafts] == [0, 2]
    (record,) = found.records
    assert orjson.loads(record.value)["code"] == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"NaN", "not_a_number"),
        (b"-Infinity", "not_a_number"),
        (b'"\\ud83d"', "bad_text"),
        (b'"\\u0000"', "nul_character"),
    ],
)
def test_what_the_fast_parser_would_refuse_a_whole_batch_for_costs_one_event(read, text, code):
    body = b'{"batch":[{"type":"page","userId":"a"},{"type":"page","userId":"b","properties":{"x":%s}}]}' % text
    found = read("batch", body)
    assert {index: refused.code for index, refused in found.refused.items()} == {1: code}
    assert len(found.drafts) == 1


def test_a_number_above_64_bits_is_nobodys_id(read):
    body = b'{"type":"track","event":"x","userId":123456789012345678901234567890}'
    assert read("track", body).refused[0].code == "wrong_type"


def test_a_number_above_64_bits_beside_nan_costs_nobody_anything(read):
    body = b'{"batch":[{"type":"page","userId":"a","properties":{"x":%s}},{"type":"page","userId":"b","properties":{"x":NaN}}]}'
    assert list(read("batch", body % (b"9" * 40)).refused) == [1]


def test_a_whole_number_is_an_id_as_good_as_its_text(read):
    number, text = (read("track", GOOD | {"userId": user}).drafts[0] for user in (42, "42"))
    assert number.identities == text.identities


def test_brackets_in_texts_are_not_depth(read):
    found = read("batch", {"batch": [GOOD | {"properties": {"a": "{[" * 200}}]})
    assert len(found.drafts) == 1


def test_what_a_batch_says_of_all_is_said_of_each(read):
    item = {"type": "track", "event": "x", "userId": "u"}
    context = {"context": {"locale": "ja-JP", "campaign": {"name": "spring"}}}
    (made,) = read("batch", {"batch": [item | {"context": {"locale": "en-US"}}], **context}).drafts
    wire = orjson.loads(made.body)
    assert wire["attributes"] == {"language": "en"}
    assert wire["campaign"] == "spring"
