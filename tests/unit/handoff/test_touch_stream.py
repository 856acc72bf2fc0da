"""What is taken out of the records of `touchpoints`, and what is none."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import orjson
import pytest

from services.handoff.touches import stream
from shared.kit.dead_letters import Reject
from shared.kit.kafka import Message
from shared.schemas import touches

EXAMPLES = Path(touches.__file__).parent / "examples"
PATHS = sorted(path for kind in ("Touch", "LinkChanged") for path in (EXAMPLES / kind).glob("*.json"))


def decode(fields):
    return stream.decode(Message("touchpoints", 0, 0, b"k", orjson.dumps(fields)))


@pytest.fixture
def call():
    return json.loads((EXAMPLES / "Touch" / "call-connected.json").read_text())


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_example_is_a_row_without_anything_personal(path):
    record = json.loads(path.read_text())
    told = decode(record)
    assert (told.tenant, told.lead_id, told.received_at) == (record["tenant"], record["lead_id"], record["received_at"])
    for personal in (record.get("person") or {"fields": {}})["fields"].values():
        assert personal not in str(told)


@pytest.mark.parametrize("name", ["Touch", "LinkChanged"])
def test_what_is_read_is_what_the_contract_has_with_its_defaults(name):
    contract, struct = getattr(touches, name), getattr(stream, name)
    for field in msgspec.structs.fields(struct):
        there = contract.model_fields[field.name]
        assert field.required == there.is_required(), field.name
        assert field.required or field.default == there.default, field.name


def test_a_call_of_a_trusted_source_may_count_and_names_its_rep(call):
    told = decode(call)
    assert (told.may_count, told.facts) == (True, {"source_id": "pbx", "rep_id": "sato"})


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        ({"trusted": False}, False),
        ({"automated": True}, False),
        ({"type": "phone_inbound"}, True),
        ({"type": "phone_inbound", "rep_id": None}, False),
        ({"rep_id": None}, True),
    ],
)
def test_what_may_count(call, other, counts):
    assert decode(call | other).may_count is counts


def test_a_stray_nul_is_no_reason_to_lose_a_touch(call):
    assert decode(call | {"path": "/a\0b"}).facts["path"] == "/a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize(
    "other",
    [
        {"record": "celebrated"},
        {"tenant": "NO TENANT"},
        {"tenant": None},
        {"lead_id": ""},
        {"lead_id": "x" * 4000},
        {"event_id": "x" * 4000},
        {"at": -1},
        {"received_at": 2**60},
        {"at": "now"},
    ],
)
def test_what_is_no_record_of_the_topic_or_could_not_be_stored_is_rejected(call, other):
    with pytest.raises(Reject) as reject:
        decode(call | other)
    assert reject.value.code == "unreadable"


@pytest.mark.parametrize("value", [None, b"", b"not json", b"[1]", b'"\\ud800"', b'{"a":' * 5000, b"\xff"])
def test_what_cannot_be_read_is_rejected(value):
    with pytest.raises(Reject) as reject:
        stream.decode(Message("touchpoints", 0, 0, b"k", value))
    assert reject.value.code in ("empty", "unreadable")
