"""What the router reads from its topics."""

from __future__ import annotations

import orjson
import pytest

from services.router.stream import decode
from shared.kit.dead_letters import Reject
from shared.kit.kafka import Message
from shared.schemas.scores import LeadScored

SCORE = {
    "tenant": "t",
    "record": "lead-scored",
    "lead_id": "l1",
    "version": [1, 1, 1, 1],
    "as_of": 1,
    "policy": {"sequence": 1, "hash": "h"},
    "fit": {"total": 0},
    "engagement": {"total": 0},
    "grade": "D4",
}


def message(value, topic="lead-scored"):
    return Message(topic, 0, 0, b"t/l1", value)


def test_a_score_is_read():
    assert isinstance(decode(message(orjson.dumps(SCORE))), LeadScored)


def test_a_tombstone_is_nothing_to_do():
    assert decode(message(None)) is None


@pytest.mark.parametrize("value", [b"", b"{", b'{"tenant": "t"}', b'{"a": "\\u0000"'])
def test_what_is_no_record_is_rejected_without_quoting_it(value):
    with pytest.raises(Reject) as refused:
        decode(message(value))
    assert refused.value.code == "unreadable"


def test_what_is_nested_too_deep_is_rejected():
    deep = '{"a": ' * 900 + '"\\u0000"' + "}" * 900
    with pytest.raises(Reject) as refused:
        decode(message(orjson.dumps(SCORE)[:-1] + f', "more": {deep}}}'.encode()))
    assert refused.value.code == "unreadable"


def test_a_reject_does_not_quote_a_person():
    broken = SCORE | {"person": {"fields": {"email": ["kato@example.com"]}}}
    with pytest.raises(Reject) as refused:
        decode(message(orjson.dumps(broken)))
    assert "kato" not in refused.value.detail


def test_a_nul_is_no_reason_to_lose_a_lead():
    read = decode(message(orjson.dumps(SCORE | {"attributes": {"company": "a\x00b"}})))
    assert read.attributes["company"] == "a\N{REPLACEMENT CHARACTER}b"


def test_a_record_of_the_other_topic_is_none_of_this_one():
    with pytest.raises(Reject):
        decode(message(orjson.dumps(SCORE), "handoff-events"))


def test_the_score_of_a_company_is_read():
    score = {name: value for name, value in SCORE.items() if name not in ("lead_id", "fit", "grade", "engagement")}
    company = score | {"record": "account-scored", "account": "hinode.co.jp", "score": {"total": 0}, "band": 2}
    assert decode(message(orjson.dumps(company), "account-scored")).band == 2
