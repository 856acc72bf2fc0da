"""Webhooks of every kind over real servers: once good, once forged, once again."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.ingest.quarantine import Seals
from services.ingest.senders import WEBHOOKS
from shared.schemas.touches import QuarantinedRequest, RejectedEvent, Touch

pytestmark = pytest.mark.servers

SECRET = "a-secret-of-this-test"
MAIL = "taro@minato-seisakusho.co.jp"
SESSION = "00D000000000xyz!AQEAQHMmj3YskCh"
PUBLIC_URL = "https://hooks.hinode.example"
SENDGRID = ec.generate_private_key(ec.SECP256R1())
SENDGRID_KEY = b64encode(SENDGRID.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
SECRETS = {"sendgrid": SENDGRID_KEY, "standard_webhooks": "whsec_" + b64encode(SECRET.encode()).decode()}
MORE: dict[str, dict[str, Any]] = {
    "hmac": {"signature": {"header": "X-Signature", "prefix": "sha256=", "event_id": "X-Delivery"}},
    "hubspot": {"public_url": PUBLIC_URL},
}


@dataclass(frozen=True)
class Case:
    """A call of a kind's sender, and what becomes of it.

    sign: the headers and the query for a body at a time (s), under a secret
    """

    body: bytes
    sign: Callable[[bytes, int, str, str], tuple[dict[str, str], str]]
    type: str
    kind: str  # of the identity that it comes by
    channel: str | None = None


def digest(message: bytes, secret: str, name: str = "sha256") -> bytes:
    return hmac.digest(secret.encode(), message, name)


def hexed(header: str, prefix: str = "", name: str = "sha256", before: bytes = b"") -> Any:
    """A signature in hex over the body."""
    return lambda body, at, secret, path: ({header: prefix + digest(before + body, secret, name).hex()}, "")


def zoom(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    signature = "v0=" + digest(b"v0:%d:%s" % (at, body), secret).hex()
    return {"x-zm-signature": signature, "x-zm-request-timestamp": str(at)}, ""


def customerio(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    return {"X-CIO-Signature": digest(b"v0:%d:%s" % (at, body), secret).hex(), "X-CIO-Timestamp": str(at)}, ""


def calendly(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    return {"Calendly-Webhook-Signature": f"t={at},v1={digest(b'%d.%s' % (at, body), secret).hex()}"}, ""


def typeform(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    return {"Typeform-Signature": "sha256=" + b64encode(digest(body, secret)).decode()}, ""


def standard(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    key = b64decode(secret.removeprefix("whsec_"))
    signature = b64encode(hmac.digest(key, b"msg_1.%d.%s" % (at, body), "sha256")).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}, ""


def hubspot(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    message = f"POST{PUBLIC_URL}{path}".encode() + body + str(at * 1000).encode()
    signature = b64encode(digest(message, secret)).decode()
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": str(at * 1000)}, ""


def sendgrid(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    """Signed by a key of the vendor's, or, where the secret is another, by another one."""
    key = SENDGRID if secret == SENDGRID_KEY else ec.generate_private_key(ec.SECP256R1())
    signature = b64encode(key.sign(str(at).encode() + body, ec.ECDSA(SHA256()))).decode()
    header = "X-Twilio-Email-Event-Webhook"
    return {f"{header}-Signature": signature, f"{header}-Timestamp": str(at)}, ""


def in_query(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    return {}, "?" + urlencode({"secret": secret})


def in_header(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    return {"X-Baton-Secret": secret}, ""


def in_body(body: bytes, at: int, secret: str, path: str) -> tuple[dict[str, str], str]:
    return {}, ""


def moment(back: int = 60) -> int:
    return round(time()) - back


def mailgun_body(secret: str = SECRET, token: str = "token-1", **event: Any) -> bytes:
    at = str(moment(1))
    signature = {"timestamp": at, "token": token, "signature": digest((at + token).encode(), secret).hex()}
    told = {"event": "clicked", "recipient": MAIL, "timestamp": moment() + 0.5, "url": "https://x.example/a"} | event
    return dumped({"signature": signature, "event-data": told})


def google_body(secret: str = SECRET) -> bytes:
    columns = [{"column_id": "EMAIL", "string_value": MAIL}]
    return dumped({"lead_id": "lead-1", "user_column_data": columns, "google_key": secret, "campaign_id": 5})


def dumped(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode()


WEBINAR = {"uuid": "w==", "id": 97871060099, "topic": "検査工程のDX"}
REGISTERED = WEBINAR | {"registrant": {"id": "r-1", "email": MAIL, "last_name": "山田"}}
LEADGEN = {"leadgen_id": 1_234_567_890_123_456, "form_id": 5, "adgroup_id": 7, "created_time": moment()}
LINKEDIN = {
    "type": "LEAD_ACTION",
    "leadGenFormResponse": "urn:li:leadGenFormResponse:1",
    "leadAction": "CREATED",
    "leadType": "SPONSORED",
    "occurredAt": moment() * 1000,
}
SEGMENT = {"type": "track", "event": "Demo Requested", "messageId": "m-1", "userId": "u-1"}
SOAP = f"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D000000000xyzEAA</OrganizationId>
<SessionId>{SESSION}</SessionId><Notification><Id>04l1</Id>
<sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">
<sf:Id>00Q5000000AbCdEFGH</sf:Id><sf:Email>{MAIL}</sf:Email></sObject></Notification></notifications></soapenv:Body></soapenv:Envelope>
""".encode()
HUBSPOT = {"eventId": 1, "portalId": 2, "subscriptionId": 3, "objectId": 4, "subscriptionType": "contact.creation"}
ANSWER = {"type": "email", "email": MAIL, "field": {"id": "f", "type": "email"}}
TYPEFORM = {"form_id": "f", "token": "t", "definition": {"title": "資料", "fields": []}, "answers": [ANSWER]}
INTERCOM = {"type": "contact", "id": "c-1", "email": MAIL}
CALENDLY = {"uri": "https://api.calendly.com/scheduled_events/A/invitees/B", "email": MAIL, "name": "山田"}
CUSTOMER = {"identifiers": {"email": MAIL}, "recipient": MAIL}
UNBOUNCE = {
    "page_name": "デモ LP",
    "page_url": "https://lp.example.jp/demo",
    "data.json": json.dumps({"email": [MAIL]}),
}

CASES = {
    "zoom": Case(
        dumped(
            {"event": "webinar.registration_created", "event_ts": moment() * 1000, "payload": {"object": REGISTERED}}
        ),
        zoom,
        "webinar_registered",
        "external",
        "webinar",
    ),
    "meta_leads": Case(
        dumped({"object": "page", "entry": [{"id": "1", "changes": [{"field": "leadgen", "value": LEADGEN}]}]}),
        hexed("X-Hub-Signature-256", "sha256="),
        "ad_form_submitted",
        "external",
        "paid_social",
    ),
    "linkedin_leads": Case(
        dumped(LINKEDIN),
        hexed("X-LI-Signature", before=b"hmacsha256="),
        "ad_form_submitted",
        "external",
        "paid_social",
    ),
    "google_leads": Case(google_body(), in_body, "ad_form_submitted", "external", "paid_search"),
    "mailgun": Case(mailgun_body(), in_body, "email_clicked", "email", "email_nurture"),
    "mailchimp": Case(
        urlencode(
            {"type": "subscribe", "fired_at": "2026-09-21 00:00:00", "data[id]": "1", "data[email]": MAIL}
        ).encode(),
        in_query,
        "newsletter_subscribed",
        "email",
        "email_nurture",
    ),
    "segment_webhook": Case(dumped(SEGMENT), hexed("X-Signature", name="sha1"), "demo_requested", "user"),
    "unbounce": Case(urlencode(UNBOUNCE).encode(), in_query, "contact_requested", "email", "inbound_form"),
    "marketo": Case(
        dumped({"event": "Fills Out Form", "lead": {"id": 1, "email": MAIL}, "datetime": "2026-09-21 00:00:00"}),
        in_header,
        "contact_requested",
        "external",
    ),
    "salesforce_outbound": Case(SOAP, in_query, "identify", "external"),
    "hubspot": Case(dumped([HUBSPOT | {"occurredAt": moment() * 1000}]), hubspot, "identify", "external"),
    "sendgrid": Case(
        dumped([{"event": "click", "email": MAIL, "sg_event_id": "e", "timestamp": moment()}]) + b"\r\n",
        sendgrid,
        "email_clicked",
        "email",
        "email_nurture",
    ),
    "typeform": Case(
        dumped({"event_id": "e", "event_type": "form_response", "form_response": TYPEFORM}),
        typeform,
        "contact_requested",
        "email",
        "inbound_form",
    ),
    "calendly": Case(dumped({"event": "invitee.created", "payload": CALENDLY}), calendly, "meeting_booked", "email"),
    "intercom": Case(
        dumped({"type": "notification_event", "id": "n", "topic": "contact.user.created", "data": {"item": INTERCOM}}),
        hexed("X-Hub-Signature", "sha1=", "sha1"),
        "identify",
        "external",
    ),
    "customerio": Case(
        dumped({"event_id": "e", "object_type": "email", "metric": "opened", "timestamp": moment(), "data": CUSTOMER}),
        customerio,
        "email_opened",
        "email",
        "email_nurture",
    ),
    "standard_webhooks": Case(
        dumped({"type": "demo_requested", "data": {"email": MAIL}}), standard, "demo_requested", "email"
    ),
    "hmac": Case(
        dumped({"type": "quote_requested", "data": {"email": MAIL}}),
        lambda body, at, secret, path: (
            {"X-Signature": "sha256=" + digest(body, secret).hex(), "X-Delivery": "d-1"},
            "",
        ),
        "quote_requested",
        "email",
    ),
}
FORGED = {"google_leads": google_body("guessed"), "mailgun": mailgun_body("guessed")}


def test_every_kind_has_its_case():
    assert CASES.keys() == WEBHOOKS.keys()


@pytest.fixture
def policy(tmp_path: Path) -> dict[str, Any]:
    """A source of every kind, its secret in a file."""
    (tmp_path / "token").write_text("our verify token")
    sources = []
    for kind in CASES:
        (tmp_path / kind).write_text(SECRETS.get(kind, SECRET))
        secrets = [{"id": "main", "value": f"file:{tmp_path}/{kind}"}]
        if kind == "meta_leads":
            secrets.append({"id": "token", "value": f"file:{tmp_path}/token", "use": "verify_token"})
        sources.append({"id": kind, "kind": kind, "secrets": secrets} | MORE.get(kind, {}))
    return {"kind": "sources", "sources": sources}


@pytest.fixture
async def ingest(start, policy):
    return await start(policy)


@pytest.fixture
def send(ingest):
    """send(kind, body, secret): a call of the kind's sender."""

    async def make(kind: str, body: bytes | None = None, secret: str | None = None, **headers: str) -> httpx.Response:
        case, path = CASES[kind], path_of(ingest, kind)
        sent = case.body if body is None else body
        signed, query = case.sign(sent, moment(0), secret or SECRETS.get(kind, SECRET), path)
        return await ingest.http.post(ingest.url + path + query, content=sent, headers=signed | headers)

    return make


def path_of(ingest: Any, kind: str) -> str:
    return f"/hooks/{ingest.tenant}/{kind}"


def is_success(kind: str, answer: httpx.Response, what: str) -> bool:
    if kind == "salesforce_outbound":
        return answer.status_code == 200 and "<Ack>true</Ack>" in answer.text
    return answer.status_code == 200 and answer.json()[what] == 1


async def test_a_good_call_of_every_kind_is_a_touch_once_however_often_it_comes(ingest, send):
    for kind in CASES:
        first, again = await send(kind), await send(kind)
        assert is_success(kind, first, "accepted"), (kind, first.text)
        assert is_success(kind, again, "duplicate"), (kind, again.text)

    touches = await ingest.touches()
    assert len({touch["event_id"] for touch in touches}) == len(touches) == len(CASES)
    found = {touch["source_id"]: touch for touch in touches}
    for kind, case in CASES.items():
        touch = Touch.model_validate_json(found[kind]["_raw"])
        assert (kind, touch.type, touch.identity_kind) == (kind, case.type, case.kind)
        if case.channel:
            assert (kind, touch.channel) == (kind, case.channel)
    assert await ingest.written("ingest-quarantine") == []
    assert await ingest.written("ingest-rejected") == []


async def test_a_forged_call_of_every_kind_is_401_and_in_quarantine_and_nothing_else(ingest, send, identity_secret):
    for kind in CASES:
        secret = "whsec_" + b64encode(b"guessed").decode() if kind == "standard_webhooks" else "guessed"
        answer = await send(kind, FORGED.get(kind), secret)
        assert (kind, answer.status_code) == (kind, 401)

    assert await ingest.written("touchpoints") == []
    assert await ingest.written("ingest-rejected") == []
    kept = [
        QuarantinedRequest.model_validate_json(record["_raw"]) for record in await ingest.written("ingest-quarantine")
    ]
    assert {record.source_id: record.code for record in kept} == {
        kind: {
            "mailchimp": "wrong_credential",
            "unbounce": "wrong_credential",
            "marketo": "wrong_credential",
            "salesforce_outbound": "wrong_credential",
            "google_leads": "wrong_credential",
        }.get(kind, "bad_signature")
        for kind in CASES
    }
    seals = Seals(identity_secret.encode())
    opened = {record.source_id: seals.open(ingest.tenant, record.sealed) for record in kept}
    assert opened["zoom"].body == CASES["zoom"].body
    assert SESSION.encode() not in opened["salesforce_outbound"].body, (
        "a live credential is kept nowhere, not even sealed"
    )
    assert not any(MAIL.encode() in record["_raw"] for record in await ingest.written("ingest-quarantine"))


async def test_zoom_validates_the_address(ingest, send):
    body = dumped({"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    answer = await send("zoom", body)
    assert answer.json() == {
        "plainToken": "qgg8vlvZRS6UYooatFL8Aw",
        "encryptedToken": digest(b"qgg8vlvZRS6UYooatFL8Aw", SECRET).hex(),
    }
    assert (await send("zoom", body, "guessed")).status_code == 401
    oracle = await send("zoom", body.replace(b"qgg8vlvZRS6UYooatFL8Aw", b"v0:1790000000:{}"))
    assert (oracle.status_code, oracle.json()["code"]) == (400, "bad_challenge")
    assert await ingest.written("touchpoints") == []


async def test_meta_and_linkedin_validate_the_address(ingest):
    meta, linkedin = (ingest.url + path_of(ingest, kind) for kind in ("meta_leads", "linkedin_leads"))
    query = {"hub.mode": "subscribe", "hub.verify_token": "our verify token", "hub.challenge": "1158201444"}
    answer = await ingest.http.get(meta, params=query)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "1158201444", "text/plain")
    assert (await ingest.http.get(meta, params=query | {"hub.verify_token": "x"})).status_code == 401

    code = "890e4665-4dfe-4ab1-b689-ed553bceeed0"
    answer = await ingest.http.get(linkedin, params={"challengeCode": code})
    assert answer.json() == {"challengeCode": code, "challengeResponse": digest(code.encode(), SECRET).hex()}
    oracle = await ingest.http.get(linkedin, params={"challengeCode": "hmacsha256=" + dumped(LINKEDIN).decode()})
    assert (oracle.status_code, oracle.json()["code"]) == (400, "bad_challenge")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_whoever_only_looks_is_welcome(ingest, method):
    for kind in CASES:
        answer = await ingest.http.request(method, ingest.url + path_of(ingest, kind))
        assert (kind, answer.status_code) == (kind, 200)


async def test_a_source_is_found_by_its_id_alone_while_no_other_tenant_has_one_of_that_id(start, tmp_path, tenant):
    (tmp_path / "secret").write_text(SECRET)
    source = {"id": f"{tenant}-crm", "kind": "marketo", "secrets": [{"id": "s", "value": f"file:{tmp_path}/secret"}]}
    ingest = await start({"sources": [source]})
    body, headers = CASES["marketo"].body, {"X-Baton-Secret": SECRET}
    answer = await ingest.http.post(f"{ingest.url}/hooks/{tenant}-crm", content=body, headers=headers)
    assert answer.json()["accepted"] == 1
    answer = await ingest.http.post(f"{ingest.url}/hooks/nobodys", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_source")


async def test_another_event_under_a_token_that_mailgun_gave_once_counts_nothing(ingest, send):
    assert (await send("mailgun")).json()["accepted"] == 1
    forged = mailgun_body(recipient="hanako@other.example.co.jp", event="unsubscribed")
    assert (await send("mailgun", forged)).json()["duplicate"] == 1
    assert [touch["type"] for touch in await ingest.touches()] == ["email_clicked"]


async def test_of_a_batch_of_segments_the_unsigned_events_are_refused_and_kept(ingest, send):
    batch = dumped([SEGMENT, SEGMENT | {"messageId": "m-2"}])
    signature = digest(dumped(SEGMENT), SECRET, "sha1").hex()
    url = ingest.url + path_of(ingest, "segment_webhook")
    answer = await ingest.http.post(url, content=batch, headers={"X-Signature": signature})
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)
    assert answer.json()["results"][0]["code"] == "unsigned"
    (kept,) = await ingest.written("ingest-rejected")
    assert (kept["code"], kept["index"], kept["protocol"]) == ("unsigned", 1, "segment_webhook")

    vouched = {"X-Signature": signature, "X-Baton-Secret": SECRET}
    answer = await ingest.http.post(url, content=batch, headers=vouched)
    assert (answer.json()["accepted"], answer.json()["duplicate"]) == (1, 1)


async def test_a_broken_body_is_kept_without_the_credentials_in_it(ingest, send):
    broken = b'{"lead": {"name": "Taro "The Man" Yamada", "note": "' + SECRET.encode() + b'"}}'
    answer = await send("marketo", broken)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_json")
    assert (await send("zoom", b'{"event": "endpoint.url_validation"')).json()["code"] == "malformed_json"
    answer = await send("salesforce_outbound", SOAP.replace(b"</soapenv:Body>", b""))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/xml; charset=utf-8")
    assert "malformed_xml" in answer.text
    assert "<Ack>" not in answer.text

    kept = [RejectedEvent.model_validate_json(record["_raw"]) for record in await ingest.written("ingest-rejected")]
    raw = {record.source_id: b64decode(record.raw) for record in kept}
    assert raw.keys() == {"marketo", "zoom", "salesforce_outbound"}
    assert raw["marketo"] == broken.replace(SECRET.encode(), b"***")
    assert SESSION.encode() not in raw["salesforce_outbound"]
    assert b"00Q5000000AbCdEFGH" in raw["salesforce_outbound"]


async def test_bombs_of_xml_are_refused(ingest, send):
    laughs = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    bomb = b'<!DOCTYPE l [<!ENTITY l0 "lol">' + laughs + b"]><l>&l9;</l>"
    foreign = b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/hostname">]><l>&x;</l>'
    for body in (bomb, foreign):
        answer = await send("salesforce_outbound", body)
        assert (answer.status_code, "forbidden_xml" in answer.text) == (400, True)
    assert await ingest.touches() == []


async def test_no_secret_of_an_address_reaches_logs_or_topics(ingest, send, capfd):
    for kind in ("mailchimp", "unbounce", "salesforce_outbound"):
        await send(kind)
        await send(kind, b"\xff")
        await send(kind, secret="guessed")
    written = [
        record["_raw"]
        for topic in ("touchpoints", "ingest-rejected", "ingest-quarantine", "identity-links")
        for record in await ingest.written(topic)
    ]
    assert written
    logs = "".join(capfd.readouterr())
    for secret in (SECRET, SESSION):
        assert not any(secret.encode() in raw for raw in written)
        assert secret not in logs
