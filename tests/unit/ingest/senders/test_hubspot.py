"""HubSpot's subscriptions and workflow webhooks."""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256

import pytest

from services.ingest.senders.hubspot import translate

CREATED = {
    "eventId": 3813566144,
    "subscriptionId": 2210001,
    "portalId": 44012345,
    "appId": 1160452,
    "occurredAt": 1_789_990_000_123,
    "subscriptionType": "contact.creation",
    "attemptNumber": 0,
    "objectId": 201,
    "changeFlag": "CREATED",
    "changeSource": "CRM_UI",
    "sourceId": "userId:9586504",
}
CHANGED = {
    "eventId": 915521771,
    "subscriptionId": 2210002,
    "portalId": 44012345,
    "appId": 1160452,
    "occurredAt": 1_789_990_001_000,
    "subscriptionType": "contact.propertyChange",
    "attemptNumber": 0,
    "objectId": 201,
    "propertyName": "email",
    "propertyValue": "haruka.mori@aozora.example",
    "changeSource": "FORM",
}
DEAL = CREATED | {"eventId": 9, "subscriptionType": "deal.creation", "objectId": 77}


@pytest.fixture
def here(hook):
    return hook("hubspot", "a secret")


def test_an_array_of_events_becomes_touches_of_the_contact(here):
    made = here.touches([CREATED, CHANGED])
    assert [(touch.event, touch.type, touch.at) for touch in made] == [
        ("contact.creation", "identify", 1_789_990_000_123),
        ("contact.propertyChange", "identify", 1_789_990_001_000),
    ]
    assert here.kinds([CREATED, CHANGED]) == [{"external"}, {"external", "email"}]
    assert made[0].lead_id == made[1].lead_id


def test_a_changed_property_is_a_fact_of_the_person(here):
    change = CHANGED | {"propertyName": "jobtitle", "propertyValue": "情報システム部 部長"}
    touch = here.touch([change])
    assert (touch.attributes["level"], touch.attributes["department"]) == ("head", "it")


def test_the_generic_form_says_what_the_earlier_one_says(here):
    generic = CREATED | {"subscriptionType": "object.creation", "objectTypeId": "0-1"}
    assert here.touch([generic]).event == "contact.creation"
    assert here.kinds([generic]) == [{"external"}]


def test_another_attempt_is_the_same_event_and_another_subscription_is_not(here):
    one, again, other = here.touches([CREATED, CREATED | {"attemptNumber": 3}, CREATED | {"subscriptionId": 1}])
    assert one.event_id == again.event_id != other.event_id


def test_what_is_about_no_contact_is_refused_and_costs_its_neighbours_nothing(here):
    read = here.read(here.request([DEAL, CREATED, 7, {"subscriptionType": "x"}]))
    assert {index: refused.code for index, refused in read.refused.items()} == {
        0: "no_identity",
        2: "wrong_type",
        3: "no_event_name",
    }
    assert [draft.position for draft in read.drafts] == [1]


@pytest.mark.parametrize(
    ("association", "found"),
    [("CONTACT_TO_COMPANY", [{"external"}]), ("DEAL_TO_CONTACT", [{"external"}]), ("DEAL_TO_COMPANY", [])],
)
def test_an_association_belongs_to_its_contact(here, association, found):
    event = {"eventId": 1, "subscriptionType": "contact.associationChange", "associationType": association}
    assert here.kinds([event | {"fromObjectId": 201, "toObjectId": 202}]) == found


def test_of_contacts_that_were_merged_the_one_that_stays_is_meant(here):
    merged = CREATED | {"subscriptionType": "contact.merge", "primaryObjectId": 5, "mergedObjectIds": [6, 201]}
    assert here.touch([merged]).identity_id == here.touch([CREATED | {"objectId": 5}]).identity_id


@pytest.mark.parametrize(
    "sent",
    [
        {
            "vid": 201,
            "properties": {"email": {"value": "haruka.mori@aozora.example"}, "company": {"value": "青空機械"}},
        },
        {"objectId": 201, "properties": {"email": "haruka.mori@aozora.example", "company": "青空機械"}},
        {"properties": {"hs_object_id": "201", "email": "haruka.mori@aozora.example", "company": "青空機械"}},
    ],
)
def test_a_workflow_sends_one_contact(here, sent):
    touch = here.touch(sent)
    assert (touch.event, touch.type) == ("workflow", "identify")
    assert touch.attributes["company"] == "青空機械"
    assert here.kinds(sent) == [{"external", "email"}]


def v3(body: bytes, url: str, now: int) -> dict[str, str]:
    made = hmac.digest(b"a secret", f"POST{url}".encode() + body + str(now).encode(), "sha256")
    return {"X-HubSpot-Signature-v3": b64encode(made).decode(), "X-HubSpot-Request-Timestamp": str(now)}


def test_the_address_is_signed_with_some_of_its_codes_decoded(hook):
    here = hook("hubspot", "a secret", public_url="https://h.example")
    headers = v3(b"[]", "https://h.example/hooks/hook?to=a@b:c/d&x=%20", here.now)
    assert here.refused(here.request(b"[]", headers, query=b"to=a%40b%3ac%2Fd&x=%20")) is None


def test_where_the_newest_signature_is_there_and_does_not_hold_an_older_one_does_not_help(hook):
    here = hook("hubspot", "a secret", public_url="https://h.example")
    old = {"X-HubSpot-Signature": sha256(b"a secret[]").hexdigest(), "X-HubSpot-Signature-Version": "v1"}
    assert here.refused(here.request(b"[]", old)) is None
    assert here.refused(here.request(b"[]", old | v3(b"[]", "https://other.example/", here.now))) == "bad_signature"


def test_without_our_address_the_older_signature_that_comes_along_counts(hook):
    here = hook("hubspot", "a secret")
    new = v3(b"[]", "https://h.example/hooks/hook", here.now)
    old = {"X-HubSpot-Signature": sha256(b"a secret[]").hexdigest(), "X-HubSpot-Signature-Version": "v1"}
    assert here.refused(here.request(b"[]", new | old)) is None
    assert here.refused(here.request(b"[]", new)) == "no_public_url"
    assert here.refused(here.request(b"[]", old | {"X-HubSpot-Signature-Version": "v2"})) == "no_public_url"


def test_a_hash_that_was_lengthened_is_no_json(hook):
    """v1 is a plain hash: who saw one can add to the body. The padding of SHA-256 has to stand in between."""
    here = hook("hubspot", "a secret")
    padding = b"\x80" + b"\0" * 45 + (8 * len(b"a secret[]")).to_bytes(8, "big")
    with pytest.raises(Exception, match="malformed_json"):
        here.read(here.request(b"[]" + padding + b"[]"))


@pytest.mark.parametrize("other", [{"objectId": 78}, {"occurredAt": CREATED["occurredAt"] + 1}, {"subscriptionId": 2}])
def test_an_event_id_that_is_anothers_too_loses_neither(other):
    hook_of = [CREATED, CREATED | other, CREATED | {"attemptNumber": 3}]
    ids = [translate(event)["messageId"] for event in hook_of]
    assert ids[0] == ids[2] != ids[1]
