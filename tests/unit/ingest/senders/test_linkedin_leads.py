"""LinkedIn Lead Gen Forms."""

from __future__ import annotations

import hmac
import json

import orjson
import pytest

from services.ingest.domain.refusals import Refused
from services.ingest.request import Request
from services.ingest.senders.linkedin_leads import probe

SECRET = "client-secret"
CREATED = {
    "type": "LEAD_ACTION",
    "leadGenFormResponse": "urn:li:leadGenFormResponse:a1b2-2",
    "leadGenForm": "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)",
    "owner": {"sponsoredAccount": "urn:li:sponsoredAccount:5066"},
    "associatedEntity": {"associatedCreative": "urn:li:sponsoredCreative:77"},
    "leadType": "SPONSORED",
    "leadAction": "CREATED",
    "occurredAt": 1_789_999_000_000,
}


def signature(body: bytes) -> str:
    return hmac.digest(SECRET.encode(), b"hmacsha256=" + body, "sha256").hex()


def test_the_prefix_is_in_what_is_signed(hook):
    linkedin, body = hook("linkedin_leads", SECRET), orjson.dumps(CREATED)
    plain = hmac.digest(SECRET.encode(), body, "sha256").hex()
    assert linkedin.refused(linkedin.request(body, {"X-LI-Signature": signature(body)})) is None
    assert linkedin.refused(linkedin.request(body, {"X-LI-Signature": "hmacsha256=" + signature(body)})) is None
    assert linkedin.refused(linkedin.request(body, {"X-LI-Signature": plain})) == "bad_signature"
    assert linkedin.refused(linkedin.request(body, {"X-LI-Signature": "é"})) == "bad_signature_format"
    assert linkedin.refused(linkedin.request(body)) == "no_signature"


def asked(query: bytes) -> Request:
    return Request("GET", "/hooks/linkedin", query, [], b"")


def test_a_challenge_is_answered_under_the_first_secret(hook):
    keys = hook("linkedin_leads", SECRET, "older").known.keys
    code = "890e4665-4dfe-4ab1-b689-ed553bceeed0"
    answer = probe(asked(b"challengeCode=" + code.encode() + b"&applicationId=1"), keys)
    assert (answer.status, answer.media) == (200, b"application/json")
    assert json.loads(answer.body) == {
        "challengeCode": code,
        "challengeResponse": hmac.digest(SECRET.encode(), code.encode(), "sha256").hex(),
    }
    assert probe(asked(b""), keys).status == 200


@pytest.mark.parametrize(
    "code", [b"hmacsha256=%7B%22type%22%3A%22LEAD_ACTION%22%7D", b"hmacsha256%3D{}", b"", b"a" * 200, b"%ff"]
)
def test_a_challenge_that_could_be_a_lead_is_not_signed(hook, code):
    with pytest.raises(Refused) as refused:
        probe(asked(b"challengeCode=" + code), hook("linkedin_leads", SECRET).known.keys)
    assert refused.value.code == "bad_challenge"


def test_a_lead_is_its_id_alone(hook):
    linkedin = hook("linkedin_leads", SECRET)
    touch = linkedin.touch(CREATED)
    assert (touch.type, touch.channel, touch.campaign, touch.at) == (
        "ad_form_submitted",
        "paid_social",
        "urn:li:sponsoredCreative:77",
        1_789_999_000_000,
    )
    assert linkedin.kinds(CREATED) == [{"external"}]


def test_a_form_that_nobody_paid_for_is_organic(hook):
    assert hook("linkedin_leads", SECRET).touch(CREATED | {"leadType": "COMPANY"}).channel == "organic_social"


def test_a_deleted_lead_scores_nothing_and_is_not_the_created_one(hook):
    linkedin = hook("linkedin_leads", SECRET)
    deleted = linkedin.touch(CREATED | {"leadAction": "DELETED"})
    assert (deleted.type, deleted.event) == ("custom", "lead_deleted")
    assert deleted.event_id != linkedin.touch(CREATED).event_id
    assert deleted.identity_id == linkedin.touch(CREATED).identity_id


def test_policy_may_say_that_a_deletion_withdraws_consent(hook):
    rule = {"id": "deleted", "when": {"event.name": {"eq": "lead_deleted"}}, "type": "consent_withdrawn"}
    linkedin = hook("linkedin_leads", SECRET, policy={"mapping": [rule]})
    assert linkedin.touch(CREATED | {"leadAction": "DELETED"}).type == "consent_withdrawn"


def test_several_notifications_in_one_call_and_what_is_no_lead(hook):
    body = {"notifications": [CREATED, {"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS"}, 5]}
    linkedin = hook("linkedin_leads", SECRET)
    assert len(linkedin.read(linkedin.request(body)).drafts) == 1
    assert linkedin.refusals(body) == ["not_a_lead", "not_a_lead"]
    assert linkedin.refusals(CREATED | {"leadAction": "UPDATED"}) == ["not_a_lead"]
