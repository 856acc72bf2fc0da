"""Zoom webinars."""

from __future__ import annotations

import hmac
import json

import orjson
import pytest

from services.ingest.domain.refusals import Refused

SECRET = "zoom-secret-token"
REGISTERED = {
    "event": "webinar.registration_created",
    "event_ts": 1_789_999_000_000,
    "payload": {
        "account_id": "AAAAAABBBB",
        "object": {
            "uuid": "4444AAAiAAAAAiAiAiiAii==",
            "id": 97871060099,
            "host_id": "x1yCzABCDEfg23HiJKl4mN",
            "topic": "検査工程のDX",
            "type": 5,
            "start_time": "2026-09-24T05:00:00Z",
            "timezone": "Asia/Tokyo",
            "registrant": {
                "id": "U0BBBBBBBBBBfrUz1MPQ",
                "first_name": "太郎",
                "last_name": "山田",
                "email": "taro@minato-seisakusho.co.jp",
                "org": "株式会社ミナト製作所",
                "job_title": "情報システム部長",
                "phone": "03-1234-5678",
                "country": "JP",
                "industry": "製造業",
                "no_of_employees": "251-500",
                "purchasing_time_frame": "1-3 months",
                "role_in_purchase_process": "Decision Maker",
                "comments": "検査の自動化に関心",
                "custom_questions": [{"title": "課題", "value": "目視検査"}, {"title": "", "value": "x"}, 5],
                "status": "approved",
                "join_url": "https://zoom.us/w/12345?tk=secret-ticket",
            },
        },
    },
}
JOINED = {
    "event": "webinar.participant_joined",
    "event_ts": 1_789_999_900_000,
    "payload": {
        "account_id": "AAAAAABBBB",
        "object": {
            "uuid": "4444AAAiAAAAAiAiAiiAii==",
            "id": "97871060099",
            "topic": "検査工程のDX",
            "participant": {
                "user_id": "16778240",
                "user_name": "山田 太郎",
                "participant_uuid": "55555AAAiAAAAAiAiAiiAii",
                "join_time": "2026-09-24T05:01:00Z",
                "registrant_id": "U0BBBBBBBBBBfrUz1MPQ",
                "email": "",
            },
        },
    },
}


def signed(body: bytes, at: int, secret: str = SECRET) -> dict[str, str]:
    """As Zoom signs."""
    digest = hmac.digest(secret.encode(), b"v0:%d:%s" % (at, body), "sha256").hex()
    return {"x-zm-signature": f"v0={digest}", "x-zm-request-timestamp": str(at)}


def test_a_signature_over_time_and_body_holds_in_seconds_and_milliseconds(hook, now):
    zoom, body = hook("zoom", "old", SECRET), orjson.dumps(JOINED)
    assert zoom.refused(zoom.request(body, signed(body, now // 1000))) is None
    assert zoom.refused(zoom.request(body, signed(body, now))) is None
    assert zoom.refused(zoom.request(body + b" ", signed(body, now))) == "bad_signature"
    assert zoom.refused(zoom.request(body, signed(body, now // 1000 - 301))) == "stale_timestamp"
    assert zoom.refused(zoom.request(body, signed(body, now + 301_000))) == "future_timestamp"
    assert zoom.refused(zoom.request(body)) == "no_signature"
    assert zoom.refused(zoom.request(body, signed(body, now) | {"x-zm-request-timestamp": "１"})) == "bad_timestamp"


def challenge(token: object) -> bytes:
    return orjson.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": token}})


def test_the_address_is_validated_under_the_secret_that_signed(hook, now):
    zoom, body = hook("zoom", "another", SECRET), challenge("qgg8vlvZRS6UYooatFL8Aw")
    answer = zoom.webhook.challenge(zoom.request(body, signed(body, now)), zoom.known.keys)
    assert json.loads(answer.body) == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": hmac.digest(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hex(),
    }


@pytest.mark.parametrize("token", ["v0:1790000000:{}", "", None, 5.5, "x" * 200])
def test_nothing_but_a_token_is_signed(hook, now, token):
    zoom, body = hook("zoom", SECRET), challenge(token)
    with pytest.raises(Refused) as refused:
        zoom.webhook.challenge(zoom.request(body, signed(body, now)), zoom.known.keys)
    assert refused.value.code == "bad_challenge"


@pytest.mark.parametrize("body", [REGISTERED, b"{", b'{"event": "endpoint.url_validation"', b"[]"])
def test_whatever_else_is_no_challenge(hook, body):
    zoom = hook("zoom", SECRET)
    assert zoom.webhook.challenge(zoom.request(body), zoom.known.keys) is None


def test_a_registration_tells_of_person_company_and_webinar_but_never_the_link_to_join(hook):
    zoom = hook("zoom", SECRET)
    touch = zoom.touch(REGISTERED)
    assert (touch.type, touch.channel, touch.topic, touch.campaign) == (
        "webinar_registered",
        "webinar",
        "検査工程のDX",
        "97871060099",
    )
    assert touch.at == 1_789_999_000_000
    assert touch.person.fields["email"] == "taro@minato-seisakusho.co.jp"
    assert touch.attributes["company"] == "株式会社ミナト製作所"
    assert touch.attributes["level"] == "head"
    assert "secret-ticket" not in touch.model_dump_json()


def test_questions_of_the_host_and_of_zoom_become_evidence(hook):
    policy = {
        "evidence": [
            {"criterion": "N1", "fields": ["課題"], "otherwise": "stated"},
            {"criterion": "T1", "fields": ["timeframe"], "values": {"3m": ["1-3 months"]}},
        ]
    }
    assert hook("zoom", SECRET, policy=policy).touch(REGISTERED).evidence == {"N1": "stated", "T1": "3m"}


def test_who_joins_without_an_address_is_who_registered(hook):
    zoom = hook("zoom", SECRET)
    (registered,), (joined,) = (zoom.read(zoom.request(body)).drafts for body in (REGISTERED, JOINED))
    assert zoom.touch(JOINED).type == "webinar_attended"
    assert set(joined.identities.strong) <= set(registered.identities.strong)


def test_a_guest_whom_nothing_names_is_a_seat(hook):
    guest = orjson.loads(orjson.dumps(JOINED))
    guest["payload"]["object"]["participant"].pop("registrant_id")
    assert hook("zoom", SECRET).kinds(guest) == [{"anonymous"}]


@pytest.mark.parametrize(
    ("event", "touch_type"),
    [("webinar.participant_left", "custom"), ("webinar.registration_cancelled", "custom")],
)
def test_other_events_are_custom(hook, event, touch_type):
    assert hook("zoom", SECRET).touch(JOINED | {"event": event}).type == touch_type


def test_an_event_that_is_sent_again_has_the_same_id_and_another_person_another(hook):
    zoom, other = hook("zoom", SECRET), orjson.loads(orjson.dumps(JOINED))
    other["payload"]["object"]["participant"]["registrant_id"] = "another"
    assert zoom.touch(JOINED).event_id == zoom.touch(JOINED).event_id
    assert zoom.touch(JOINED).event_id != zoom.touch(other).event_id


def test_what_is_about_nobody_is_refused(hook):
    started = {"event": "webinar.started", "event_ts": 1, "payload": {"object": {"id": 5, "topic": "x"}}}
    assert hook("zoom", SECRET).refusals(started) == ["no_identity"]
    assert hook("zoom", SECRET).refusals([]) == ["wrong_type"]
