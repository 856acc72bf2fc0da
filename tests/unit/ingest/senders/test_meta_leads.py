"""Lead forms of Facebook and Instagram."""

from __future__ import annotations

import hmac

import orjson
import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.meta_leads import probe
from services.ingest.sources import ActiveSecret, Keys

SECRET = "app-secret"
VALUE = {
    "leadgen_id": 1_234_567_890_123_456,
    "page_id": 123_456_789,
    "form_id": 555,
    "ad_id": 42,
    "adgroup_id": 77,
    "created_time": 1_789_999_000,
}


def notification(*values: object, field: str = "leadgen") -> dict[str, object]:
    changes = [{"field": field, "value": value} for value in values]
    return {"object": "page", "entry": [{"id": "123456789", "time": 1_789_999_001, "changes": changes}]}


def test_the_signature_covers_the_body_as_it_came(hook):
    meta, body = hook("meta_leads", SECRET), orjson.dumps(notification(VALUE))
    signature = "sha256=" + hmac.digest(SECRET.encode(), body, "sha256").hex()
    assert meta.refused(meta.request(body, {"X-Hub-Signature-256": signature})) is None
    assert meta.refused(meta.request(body + b"\n", {"X-Hub-Signature-256": signature})) == "bad_signature"
    assert meta.refused(meta.request(body, {"X-Hub-Signature-256": signature[7:]})) == "bad_signature_format"
    assert meta.refused(meta.request(body, {"X-Hub-Signature": signature})) == "no_signature"


def test_a_lead_is_its_id_alone(hook):
    meta = hook("meta_leads", SECRET)
    touch = meta.touch(notification(VALUE))
    assert (touch.type, touch.channel, touch.campaign, touch.at) == (
        "ad_form_submitted",
        "paid_social",
        "77",
        1_789_999_000_000,
    )
    assert meta.kinds(notification(VALUE)) == [{"external"}]
    assert touch.person is None
    assert touch.is_test is False


def test_every_change_is_an_event_and_one_that_is_no_lead_costs_no_other(hook):
    body = notification(VALUE, None, VALUE | {"leadgen_id": "2"})
    meta = hook("meta_leads", SECRET)
    found = meta.read(meta.request(body))
    assert [made.position for made in found.drafts] == [0, 2]
    assert found.refused[1].code == "not_a_lead"
    assert meta.refusals(notification({"item": "post"}, field="feed")) == ["not_a_lead"]


def test_the_test_of_the_dashboard_is_marked(hook):
    assert hook("meta_leads", SECRET).touch(notification(VALUE | {"leadgen_id": "444444444444"})).is_test


@pytest.mark.parametrize("body", [{}, [], {"entry": 5}, {"entry": [{"changes": {}}, 5]}])
def test_a_body_without_changes_is_refused_as_a_whole(hook, body):
    meta = hook("meta_leads", SECRET)
    with pytest.raises(Refused, match="no_changes"):
        meta.read(meta.request(body))


def asked(query: bytes) -> Request:
    return Request("GET", "/hooks/meta", query, [], b"")


def keys(*tokens: str) -> Keys:
    made = tuple(ActiveSecret(f"t{n}", token.encode()) for n, token in enumerate(tokens))
    return Keys("meta_leads", "meta", (ActiveSecret("s", b"app-secret"),), made)


GOOD = b"hub.mode=subscribe&hub.verify_token=our%20token&hub.challenge=1158201444"


def test_whoever_knows_the_verify_token_gets_the_challenge_back_as_text():
    answer = probe(asked(GOOD), keys("other", "our token"))
    assert (answer.status, answer.body, answer.media) == (200, b"1158201444", b"text/plain")


@pytest.mark.parametrize(
    ("query", "tokens", "code", "status"),
    [
        (GOOD, ["other"], "wrong_credential", 401),
        (GOOD, [], "no_secret", 401),
        (b"hub.mode=subscribe&hub.challenge=1", ["our token"], "no_credential", 401),
        (b"hub.mode=subscribe&hub.verify_token=%ff%E6&hub.challenge=1", ["our token"], "wrong_credential", 401),
        (GOOD.replace(b"1158201444", b"<script>"), ["our token"], "bad_challenge", 400),
        (GOOD.replace(b"subscribe", b"other"), ["our token"], "bad_challenge", 400),
    ],
)
def test_nobody_else_does(query, tokens, code, status):
    with pytest.raises(Refused) as refused:
        probe(asked(query), keys(*tokens))
    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_bare_look_is_welcome():
    assert probe(asked(b""), keys("x")).status == 200
