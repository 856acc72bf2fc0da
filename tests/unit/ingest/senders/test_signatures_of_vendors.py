"""The vendors' own libraries sign, ingest verifies; and the examples that vendors publish."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hubspot.utils.signature import Signature as HubSpotSignature
from sendgrid.helpers.eventwebhook import EventWebhook
from stripe import WebhookSignature

from services.ingest.domain.touch import Draft
from services.ingest.hooks import Hooks
from services.ingest.intake import Intake
from services.ingest.quarantine import Seals
from services.ingest.request import Request
from services.ingest.sources import Sources
from shared.kit.clock import FakeClock
from shared.kit.kafka import Outgoing
from shared.schemas.policies import SourcesPolicy

NOW = 1_790_000_000_000
SECONDS = NOW // 1000
URL = "https://hooks.hinode.example/hooks/hook"
TEXTS = {
    "0 B": "",
    "1 B": "x",
    "an object": '{"a":1}',
    "CRLF at its end": '[{"event":"open"}]\r\n',
    "Japanese": '{"会社名":"株式会社日の出機械","氏名":"髙橋 さくら"}',
    "emoji, quotes and escapes": '{"a":"👩‍👩‍👧 \\"\\\\ \\u0000 {t}.{body}"}',
    "right to left, combining": '{"a":"שלום é n\u0303"}',
    "64 KiB": '{"a":"' + "あ" * 21_000 + '"}',
    "1 MiB": '{"a":"' + "x" * (1024 * 1024 - 8) + '"}',
}


class Signer(NamedTuple):
    """A vendor's way to sign.

    sign:  body, secret, time (s) -> headers;  secret: makes one from a number
    timed: whether a time is signed;  where: of the headers the one with the signature
    """

    kind: str
    sign: Callable[[str, str, int], dict[str, str]]
    secret: Callable[[int], str]
    timed: bool
    where: str
    source: dict[str, Any]


def _standard(prefix: str, library: Any) -> Callable[[str, str, int], dict[str, str]]:
    def sign(body: str, secret: str, at: int) -> dict[str, str]:
        made = library(secret).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
        return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(at), f"{prefix}-signature": made}

    return sign


def _stripe(body: str, secret: str, at: int) -> dict[str, str]:
    return {"Stripe-Signature": WebhookSignature.generate_signature_header(body, secret, at)}


def _hubspot(version: str) -> Callable[[str, str, int], dict[str, str]]:
    def sign(body: str, secret: str, at: int) -> dict[str, str]:
        time = str(at * 1000)
        made = HubSpotSignature.get_signature(secret, body, version, URL, "POST", time)
        if version == "v3":
            return {"X-HubSpot-Signature-v3": made, "X-HubSpot-Request-Timestamp": time}
        return {"X-HubSpot-Signature": made, "X-HubSpot-Signature-Version": version}

    return sign


def _private(seed: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(seed + 1, ec.SECP256R1())


_PRIVATE = {}  # public key as SendGrid shows it -> private key


def _sendgrid_key(seed: int) -> str:
    private = _private(seed)
    public = b64encode(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    _PRIVATE[public] = private
    return public


def _sendgrid(body: str, secret: str, at: int) -> dict[str, str]:
    """SendGrid's library only verifies: what is signed here has to hold for it."""
    made = b64encode(_PRIVATE[secret].sign(f"{at}{body}".encode(), ec.ECDSA(SHA256()))).decode()
    assert EventWebhook(secret).verify_signature(body, made, str(at))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": made,
        "X-Twilio-Email-Event-Webhook-Timestamp": str(at),
    }


STRIPE_LIKE = {
    "header": "Stripe-Signature",
    "separator": ",",
    "field": "v1",
    "signed": "{t}.{body}",
    "timestamp": "t",
}


def _whsec(seed: int) -> str:
    return "whsec_" + b64encode(bytes([seed + 1]) * 32).decode()


def _text(seed: int) -> str:
    return f"a secret, 秘密 no. {seed}"


SIGNERS = {
    "standardwebhooks": Signer(
        "standard_webhooks", _standard("webhook", standardwebhooks.Webhook), _whsec, True, "webhook-signature", {}
    ),
    "svix": Signer("standard_webhooks", _standard("svix", svix.webhooks.Webhook), _whsec, True, "svix-signature", {}),
    "stripe": Signer("hmac", _stripe, _text, True, "Stripe-Signature", {"signature": STRIPE_LIKE}),
    "hubspot v1": Signer("hubspot", _hubspot("v1"), _text, False, "X-HubSpot-Signature", {}),
    "hubspot v2": Signer("hubspot", _hubspot("v2"), _text, False, "X-HubSpot-Signature", {"public_url": URL}),
    "hubspot v3": Signer("hubspot", _hubspot("v3"), _text, True, "X-HubSpot-Signature-v3", {"public_url": URL}),
    "sendgrid": Signer("sendgrid", _sendgrid, _sendgrid_key, True, "X-Twilio-Email-Event-Webhook-Signature", {}),
}
TIMED = {name: signer for name, signer in SIGNERS.items() if signer.timed}


@pytest.fixture(params=SIGNERS)
def signer(request):
    return SIGNERS[request.param]


@pytest.fixture(params=TIMED)
def timed(request):
    return TIMED[request.param]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_a_vendor_signs_is_verified(hook, signer, text):
    secret = signer.secret(0)
    here = hook(signer.kind, secret, **signer.source)
    request = here.request(text.encode(), signer.sign(text, secret, SECONDS))
    assert here.refused(request) is None
    assert here.refused(request._replace(body=request.body + b" ")) == "bad_signature"


@pytest.mark.parametrize("flipped", ["first", "middle", "last"])
@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_of_the_body_is_seen(hook, signer, flipped, bit):
    text = TEXTS["Japanese"]
    secret = signer.secret(0)
    here = hook(signer.kind, secret, **signer.source)
    body = bytearray(text.encode())
    body[{"first": 0, "middle": len(body) // 2, "last": -1}[flipped]] ^= 1 << bit
    assert here.refused(here.request(bytes(body), signer.sign(text, secret, SECONDS))) == "bad_signature"


def test_a_flipped_byte_anywhere_in_the_signature_is_seen(hook, signer):
    text = TEXTS["an object"]
    secret = signer.secret(0)
    here = hook(signer.kind, secret, **signer.source)
    headers = signer.sign(text, secret, SECONDS)
    good = headers[signer.where].encode()
    before, after = good[:-12], b""
    for index in range(max(0, len(before) - 8), len(before)):
        after = bytearray(good)
        after[index] = ord("A") if after[index] != ord("A") else ord("B")
        code = here.refused(here.request(text.encode(), headers | {signer.where: bytes(after)}))
        assert code in ("bad_signature", "bad_signature_format")


def test_a_time_that_was_not_signed_is_seen(hook, timed):
    text = TEXTS["an object"]
    secret = timed.secret(0)
    here = hook(timed.kind, secret, **timed.source)
    headers = {
        name: value.replace(str(SECONDS), str(SECONDS + 1)) for name, value in timed.sign(text, secret, SECONDS).items()
    }
    assert here.refused(here.request(text.encode(), headers)) == "bad_signature"


@pytest.mark.parametrize(
    ("off", "code"),
    [
        (0, None),
        (-299, None),
        (299, None),
        (-301, "stale_timestamp"),
        (301, "future_timestamp"),
        (10**8, "future_timestamp"),
    ],
)
def test_times_count_within_the_tolerance_on_both_sides(hook, timed, off, code):
    text = TEXTS["an object"]
    secret = timed.secret(0)
    here = hook(timed.kind, secret, **timed.source)
    assert here.refused(here.request(text.encode(), timed.sign(text, secret, SECONDS + off))) == code


def test_the_tolerance_is_the_sources_own(hook, timed):
    text = TEXTS["an object"]
    secret = timed.secret(0)
    here = hook(timed.kind, secret, tolerance_seconds=10, **timed.source)
    assert here.refused(here.request(text.encode(), timed.sign(text, secret, SECONDS - 11))) == "stale_timestamp"


def test_a_doubled_signature_is_refused(hook, signer):
    text = TEXTS["an object"]
    secret = signer.secret(0)
    here = hook(signer.kind, secret, **signer.source)
    request = here.request(text.encode(), signer.sign(text, secret, SECONDS))
    again = [pair for pair in request.headers if pair[0] == signer.where.lower().encode()]
    assert here.refused(request._replace(headers=request.headers + again)) == "many_signatures"


@pytest.mark.parametrize(
    "text", ["é", "v1=é", "v1,é", "t=1,v1=ａｂ", "", " ", "nan", "v1,", "sha256=", "\x00", "," * 9000]
)
def test_a_signature_that_is_none_is_refused(hook, signer, text):
    here = hook(signer.kind, signer.secret(0), **signer.source)
    headers = signer.sign("{}", signer.secret(0), SECONDS)
    for value in (text.encode(), text.encode("utf-16"), b"\xff" + text.encode()):
        assert here.refused(here.request(b"{}", headers | {signer.where: value}))


def test_while_secrets_are_exchanged_both_hold_and_then_only_the_new_one(hook, signer):
    text = TEXTS["an object"]
    old, new = signer.secret(1), signer.secret(2)
    here = hook(signer.kind, (old, "2026-09-21T14:13:21Z"), new, **signer.source)  # one second after NOW
    by_old = here.request(text.encode(), signer.sign(text, old, SECONDS))
    by_new = here.request(text.encode(), signer.sign(text, new, SECONDS))
    assert here.refused(by_old) is None
    assert here.refused(by_new) is None
    assert here.refused(by_old, NOW + 999) is None
    assert here.refused(by_old, NOW + 1000) == "bad_signature"
    assert here.refused(by_new, NOW + 1000) is None


def test_when_all_secrets_are_past_their_time_nothing_holds(hook, signer):
    secret = signer.secret(1)
    here = hook(signer.kind, (secret, "2026-09-21T14:13:19Z"), **signer.source)
    assert here.refused(here.request(b"{}", signer.sign("{}", secret, SECONDS))) == "no_secret"


def test_a_secret_that_was_not_set_proves_nothing(hook, signer):
    here = hook(signer.kind, "", **signer.source)
    assert here.refused(here.request(b"{}", signer.sign("{}", signer.secret(0), SECONDS))) == "no_secret"


def test_one_secret_that_is_no_key_does_not_spoil_the_other(hook):
    key = _sendgrid_key(5)
    here = hook("sendgrid", "not a key", key)
    assert here.refused(here.request(b"[]", _sendgrid("[]", key, SECONDS))) is None


def test_a_public_key_may_be_pem(hook):
    key = _sendgrid_key(6)
    pem = _PRIVATE[key].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    here = hook("sendgrid", pem)
    assert here.refused(here.request(b"[]", _sendgrid("[]", key, SECONDS))) is None


def test_a_key_on_another_curve_proves_nothing(hook):
    other = ec.derive_private_key(7, ec.SECP384R1())
    key = b64encode(other.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    made = b64encode(other.sign(f"{SECONDS}[]".encode(), ec.ECDSA(SHA256()))).decode()
    here = hook("sendgrid", key)
    headers = {"X-Twilio-Email-Event-Webhook-Signature": made, "X-Twilio-Email-Event-Webhook-Timestamp": str(SECONDS)}
    assert here.refused(here.request(b"[]", headers)) == "no_secret"


# What vendors publish: a body, a secret, and the signature that has to come of them.


def test_standard_webhooks_published_example(hook):
    here = hook("standard_webhooks", "whsec_plJ3nmyCDGBKInavdOK15jsl")
    headers = {
        "webhook-id": "msg_loFOjxBNrRLzqYUf",
        "webhook-timestamp": "1731705121",
        "webhook-signature": "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
    }
    request = here.request(b'{"event_type":"ping","data":{"success":true}}', headers)
    assert here.refused(request, 1_731_705_121_000) is None


def test_svix_published_example(hook):
    here = hook("standard_webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v2,ignored v1,bm9ldHU= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert here.refused(here.request(b'{"test": 2432232314}', headers), 1_614_265_330_000) is None


def test_sendgrid_published_example(hook):
    here = hook(
        "sendgrid",
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
    )
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": (
            "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
        ),
        "X-Twilio-Email-Event-Webhook-Timestamp": "1600112502",
    }
    body = (
        b'[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",'
        b'"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",'
        b'"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",'
        b'"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]\r\n'
    )
    assert here.refused(here.request(body, headers), 1_600_112_502_000) is None
    assert here.refused(here.request(body.rstrip(), headers), 1_600_112_502_000) == "bad_signature"


HUBSPOT_SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"


def test_hubspot_published_example_of_v1(hook):
    here = hook("hubspot", HUBSPOT_SECRET)
    body = (
        b'[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,'
        b'"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM",'
        b'"changeFlag":"NEW","appId":54321}]'
    )
    headers = {
        "X-HubSpot-Signature": "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de",
        "X-HubSpot-Signature-Version": "v1",
    }
    assert here.refused(here.request(body, headers)) is None


@pytest.mark.parametrize(
    ("method", "body", "signature"),
    [
        ("GET", b"", "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
        (
            "POST",
            b'{"example_field":"example_value"}',
            "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
        ),
    ],
)
def test_hubspot_published_examples_of_v2(hook, method, body, signature):
    here = hook("hubspot", HUBSPOT_SECRET, public_url="https://www.example.com/webhook_uri")
    headers = {"X-HubSpot-Signature": signature, "X-HubSpot-Signature-Version": "v2"}
    assert here.refused(here.request(body, headers, method=method)) is None


def test_github_published_example(hook):
    scheme = {"header": "X-Hub-Signature-256", "prefix": "sha256="}
    here = hook("hmac", "It's a Secret to Everybody", signature=scheme)
    headers = {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    assert here.refused(here.request(b"Hello, World!", headers)) is None


# Standard Webhooks with public keys: no library of the vendors' signs them in Python.


def _v1a(private: Ed25519PrivateKey, body: str) -> str:
    return "v1a," + b64encode(private.sign(f"msg_1.{SECONDS}.{body}".encode())).decode()


def _whpk(private: Ed25519PrivateKey) -> str:
    return "whpk_" + b64encode(private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_standard_webhooks_may_be_signed_with_ed25519(hook, text):
    private, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(SECONDS)}
    here = hook("standard_webhooks", _whpk(other), _whpk(private))
    good = here.request(text.encode(), headers | {"webhook-signature": f"v1,AAAA {_v1a(private, text)}"})
    assert here.refused(good) is None
    assert here.refused(good._replace(body=good.body + b"\n")) == "bad_signature"
    assert hook("standard_webhooks", _whpk(other)).refused(good) == "bad_signature"


def test_a_public_key_is_no_secret_under_which_others_could_sign(hook):
    """Whoever knows a public key could otherwise sign `v1` with it."""
    public = _whpk(Ed25519PrivateKey.generate())
    headers = SIGNERS["standardwebhooks"].sign("{}", public.removeprefix("whpk_"), SECONDS)
    here = hook("standard_webhooks", public)
    assert here.refused(here.request(b"{}", headers)) == "bad_signature_format"


def test_secrets_and_public_keys_may_stand_side_by_side(hook):
    private = Ed25519PrivateKey.generate()
    here = hook("standard_webhooks", _whsec(1), _whpk(private))
    by_key = {"webhook-id": "msg_1", "webhook-timestamp": str(SECONDS), "webhook-signature": _v1a(private, "{}")}
    assert here.refused(here.request(b"{}", by_key)) is None
    assert here.refused(here.request(b"{}", SIGNERS["standardwebhooks"].sign("{}", _whsec(1), SECONDS))) is None


def test_a_signature_of_svix_does_not_cover_an_id_of_standard_webhooks(hook):
    here = hook("standard_webhooks", _whsec(1))
    headers = SIGNERS["svix"].sign("{}", _whsec(1), SECONDS)
    assert here.refused(here.request(b"{}", headers | {"webhook-id": "msg_2"})) is None
    read = here.read(here.request(b'{"type":"a","data":{"email":"a@b.example"}}', headers | {"webhook-id": "msg_2"}))
    same = here.read(here.request(b'{"type":"a","data":{"email":"a@b.example"}}', headers))
    assert read.drafts[0].event_id == same.drafts[0].event_id


# The whole way of a call, with nothing behind ingest but lists.

WHO = {"email": "haruka.mori@aozora.example"}
EVENTS: dict[str, Any] = {
    "standard_webhooks": {"type": "demo.requested", "data": WHO},
    "hmac": {"type": "demo.requested", "id": "evt_1", "data": {"object": WHO}},
    "hubspot": [
        {
            "eventId": 1,
            "subscriptionType": "contact.propertyChange",
            "objectId": 2,
            "propertyName": "email",
            "propertyValue": WHO["email"],
        }
    ],
    "sendgrid": [WHO | {"event": "click", "sg_event_id": "e-1", "timestamp": SECONDS}],
}


@dataclass
class Taken:
    hooks: Hooks
    seals: Seals
    drafts: list[Draft] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)

    async def handle(self, drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        known = {draft.event_id for draft in self.drafts}
        accepted = [draft.event_id not in known for draft in drafts]
        self.drafts += [draft for draft, new in zip(drafts, accepted, strict=True) if new]
        self.others += [json.loads(record.value) for record in others]
        return accepted


@pytest.fixture
def taken(signer) -> Taken:
    source = {"id": "hook", "kind": signer.kind, "secrets": [{"id": "s", "value": "env:S"}]} | signer.source
    sources = Sources(b"a master secret of 32 bytes or more", {"S": signer.secret(0)})
    sources.load("hinode", SourcesPolicy.model_validate({"sources": [source]}))
    seals = Seals(b"a master secret of 32 bytes or more")

    async def handle(drafts: Sequence[Draft], others: Sequence[Outgoing]) -> list[bool]:
        return await made.handle(drafts, others)

    hooks = Hooks(sources, Intake(handle), FakeClock(NOW), seals, body_bytes=1_048_576, complete=lambda: True)
    made = Taken(hooks, seals)
    return made


def _call(headers: dict[str, str], body: bytes) -> Request:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return Request("POST", "/hooks/hook", b"", pairs, body)


async def test_a_signed_call_is_accepted_once_and_a_replay_is_told_so_with_success(signer, taken):
    body = json.dumps(EVENTS[signer.kind])
    call = _call(signer.sign(body, signer.secret(0), SECONDS), body.encode())
    first, again = await taken.hooks.answer(call), await taken.hooks.answer(call)
    assert (first.status, again.status) == (200, 200)
    assert [json.loads(answer.body)["accepted"] for answer in (first, again)] == [1, 0]
    assert json.loads(again.body)["duplicate"] == 1
    assert len(taken.drafts) == 1
    assert not taken.others


async def test_a_forged_call_is_401_and_kept_sealed(signer, taken):
    body = json.dumps(EVENTS[signer.kind])
    call = _call(signer.sign(body, signer.secret(1), SECONDS), body.encode())
    answer = await taken.hooks.answer(call)
    assert (answer.status, json.loads(answer.body)["code"]) == (401, "bad_signature")
    assert not taken.drafts
    [kept] = taken.others
    assert (kept["record"], kept["code"]) == ("quarantined", "bad_signature")
    assert WHO["email"] not in json.dumps(kept)
    assert taken.seals.open("hinode", kept["sealed"]) == call


async def test_a_signed_body_that_is_no_json_is_400_and_kept_without_the_secret(signer, taken):
    secret = signer.secret(0)
    body = "{" + secret
    answer = await taken.hooks.answer(_call(signer.sign(body, secret, SECONDS), body.encode()))
    assert (answer.status, json.loads(answer.body)["code"]) == (400, "malformed_json")
    [kept] = taken.others
    assert kept["record"] == "rejected"
    assert b64decode(kept["raw"]).startswith(b"{")
    assert secret.encode() not in b64decode(kept["raw"])
