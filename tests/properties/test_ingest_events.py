"""What holds for every event and every body, however strange."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.envelope import open_body
from services.ingest.domain.inflate import inflate
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.domain.times import EARLIEST, settle
from services.ingest.domain.touch import complete
from services.ingest.reading import read_body
from services.ingest.sources import Sources
from shared.normalise.departments import department
from shared.normalise.titles import level
from shared.schemas.policies import SourcesPolicy
from shared.schemas.touches import RejectedEvent, Touch

NOW, DAY = 1_790_000_000_000, 86_400_000
POLICY = SourcesPolicy.model_validate(
    {
        "sources": [{"id": "web", "write_keys": ["web"]}, {"id": "app", "write_keys": ["app"]}],
        "mapping": [
            {"id": "a", "when": {"event.properties.x": {"gte": 3}}, "type": "poc_run"},
            {
                "id": "b",
                "when": {"event.name": {"prefix": "a"}, "event.traits.y.z": {"exists": True}},
                "type": "tool_used",
            },
        ],
        "evidence": [{"criterion": "B1", "fields": ["x"], "otherwise": "named"}],
    }
)
SOURCES = Sources(b"a master secret of 32 bytes or more", {})
SOURCES.load("hinode", POLICY)

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=20)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
FIELDS = "event userId anonymousId previousId messageId timestamp sentAt properties traits context name category"
TRAITS = (
    "email phone name title company employees industry country address x y is_test locale page url path campaign traits"
)
maps = st.dictionaries(st.sampled_from(TRAITS.split()) | st.text(max_size=8), trees, max_size=6)
calls = st.sampled_from(["identify", "track", "page", "screen", "group", "alias"])
wild = st.fixed_dictionaries(
    {"type": calls | scalars},
    optional={name: maps if name in ("properties", "traits", "context") else trees for name in FIELDS.split()},
)
good = st.fixed_dictionaries(
    {
        "type": st.just("track"),
        "event": st.text("abc", min_size=1, max_size=3),
        "userId": st.text("uvw", min_size=1, max_size=2),
    },
    optional={
        "properties": st.dictionaries(st.sampled_from("xyz"), st.integers(0, 5), max_size=2),
        "timestamp": st.integers(EARLIEST, NOW),
        "messageId": st.text("mn", min_size=1, max_size=3),
    },
)


def read(items: list[Any], *, key: str = "web", received_at: int = NOW) -> Any:
    known = SOURCES.find(key)
    assert known
    return read_body(open_body("batch", {"batch": items}), known.sender, received_at, suspect=True)


def refusal(call: Callable[[], object]) -> Refused | None:
    try:
        call()
    except Refused as refused:
        return refused
    return None


@given(st.lists(wild | trees, max_size=5))
def test_every_event_is_a_touch_of_the_contract_or_refused_with_a_code_and_kept(items):
    found = read(items)
    assert sorted([*(made.position for made in found.drafts), *found.refused]) == list(range(len(items)))
    assert not any(refused.code == "unreadable" for refused in found.refused.values())
    for made in found.drafts:
        Touch.model_validate_json(complete("11111111-1111-5111-8111-111111111111", made.body))
    kept = [RejectedEvent.model_validate_json(record.value) for record in found.records]
    assert [(event.index, event.code) for event in kept] == [(i, refused.code) for i, refused in found.refused.items()]


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.sampled_from([[], [b"gzip"], [b"deflate"]]))
def test_any_bytes_are_read_or_refused(body, encodings):
    refused = refusal(lambda: open_body("batch", parse(inflate(body, encodings, 1000)).tree))
    assert refused is None or (refused.code and 400 <= refused.status < 500)


@given(st.lists(good, max_size=6), st.randoms())
def test_the_order_of_a_batch_changes_no_body(items, rng: random.Random):
    shuffled = items[:]
    rng.shuffle(shuffled)
    assert sorted(made.body for made in read(items).drafts) == sorted(made.body for made in read(shuffled).drafts)


@given(good, st.randoms(), st.text("0123:TZ", max_size=5))
def test_an_event_sent_again_has_the_same_id_however_it_is_written(event, rng: random.Random, sent_at_of_the_retry):
    names = list(event)
    rng.shuffle(names)
    again = {name: event[name] for name in names} | {"_metadata": {"try": sent_at_of_the_retry}}
    (first,), (second,) = read([event]).drafts, read([again], received_at=NOW + 1000).drafts
    assert first.event_id == second.event_id


@given(good, good)
def test_different_events_have_different_ids_and_so_have_different_sources(left, right):
    (one,), (other,) = read([left]).drafts, read([right]).drafts
    named = left.get("messageId"), right.get("messageId")
    same = named[0] == named[1] if any(named) else left == right
    assert (one.event_id == other.event_id) is same
    assert one.event_id != read([left], key="app").drafts[0].event_id


@given(good)
def test_what_has_no_id_of_its_own_may_happen_again_on_another_day(event):
    event.pop("messageId", None)
    (today,), (tomorrow,) = read([event]).drafts, read([event], received_at=NOW + DAY).drafts
    assert today.event_id != tomorrow.event_id


@given(st.integers(0, 5_000_000_000_000) | st.none(), st.integers(0, 5_000_000_000_000) | st.none())
def test_no_event_lies_in_the_future_or_before_2000(given_at, sent_at):
    refused = refusal(lambda: settle(given_at, sent_at, NOW))
    if refused:
        assert refused.code == "bad_time"
        return
    at, clock = settle(given_at, sent_at, NOW)
    assert EARLIEST <= at <= NOW
    assert (clock == "absent") is (given_at is None)


@given(st.text(max_size=30))
def test_every_title_has_a_level_and_every_department_an_id(text):
    assert level(text)
    assert department(text)


@pytest.mark.parametrize("body", [orjson.dumps({"batch": [[[[]]]]}), b'{"batch":[]}'])
def test_an_empty_batch_is_no_error(body):
    open_body("batch", parse(body).tree)
