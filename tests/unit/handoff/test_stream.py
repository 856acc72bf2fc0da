"""What can never be applied is rejected with its reason; nothing else is."""

from __future__ import annotations

import orjson
import pytest

from services.handoff.stream import decode
from shared.kit.dead_letters import Reject
from shared.kit.kafka import Message


def message(value):
    return Message("lead-routed", 0, 0, b"k", value)


def changed(record, **fields):
    return message(orjson.dumps(record.model_dump(mode="json") | fields))


def test_both_kinds_of_records_are_read_back_as_they_were_written(given):
    for record in (given.routed(), given.withdrawn()):
        assert decode(message(record.model_dump_json(exclude_none=True).encode())) == record


def test_a_kind_of_record_that_is_not_ours_is_ignored():
    assert decode(message(b'{"record": "lead-celebrated"}')) is None


@pytest.mark.parametrize("value", [None, b"", b"not json", b"[1]", b'{"record": "lead-routed"}', b'"\\ud800"'])
def test_what_cannot_be_read_is_rejected(value):
    with pytest.raises(Reject) as reject:
        decode(message(value))
    assert reject.value.code in ("empty", "unreadable")


@pytest.mark.parametrize(
    "fields",
    [
        {"assignment": 2**60},
        {"cycle": 2**40},
        {"qualifying_at": 2**62},
        {"decided_at": 2**62},
        {"decided_at": 2**52},  # beyond the year 9999: no answer of the API could show it
        {"touches": [{"event_id": "e", "type": "page_viewed", "at": 2**52, "received_at": 1}]},
        {"evidence": [{"criterion": "N1", "code": "stated", "source_id": "s", "observed_at": 2**52}]},
        {"lead_id": "x" * 4000},
        {"rep_id": "x" * 4000},
    ],
)
def test_what_postgres_could_not_store_is_rejected(given, fields):
    with pytest.raises(Reject) as reject:
        decode(changed(given.routed(), **fields))
    assert reject.value.code == "out_of_range"


def test_what_is_nested_too_deep_is_rejected(given):
    deep = '{"a": ' * 900 + '"\\u0000"' + "}" * 900
    value = orjson.dumps(given.routed().model_dump(mode="json"))[:-1] + f', "more": {deep}}}'.encode()
    with pytest.raises(Reject) as reject:
        decode(message(value))
    assert reject.value.code == "unreadable"


def test_a_stray_nul_does_not_cost_the_lead(given):
    record = decode(changed(given.routed(), attributes={"company": "日の出\x00工業"}))
    assert record.attributes == {"company": "日の出\N{REPLACEMENT CHARACTER}工業"}


def test_a_rejection_says_where_and_never_what(given):
    with pytest.raises(Reject) as reject:
        decode(changed(given.routed(), person={"fields": {"email": ["hanako@example.jp"]}}))
    assert "person" in reject.value.detail
    assert "hanako" not in reject.value.detail
