"""What operators see and put right, over real servers."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.kit.kafka import EMBEDDED_PARTITIONS
from shared.kit.partitioner import by_murmur2
from shared.schemas import ids
from shared.schemas.base import record_key

pytestmark = pytest.mark.servers

TOKEN = "an-admin-token"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
MAIL = {"email": "taro.yamada@hinode-soft.co.jp"}
GITHUB_LIKE = {"header": "X-Signature", "prefix": "sha256=", "event": "X-Event", "event_id": "X-Delivery"}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("the wrong secret")
    return path


@pytest.fixture
def policy(secret: Path, tenant: str) -> dict[str, Any]:
    """A website, a server of ours, and a signed webhook whose secret is in a file."""
    return {
        "kind": "sources",
        "sources": [
            {"id": "web", "write_keys": [f"{tenant}-web"]},
            {"id": "server", "write_keys": [f"{tenant}-server"], "trusted": True},
            {
                "id": "hook",
                "kind": "hmac",
                "secrets": [{"id": "main", "value": f"file:{secret}"}],
                "signature": GITHUB_LIKE,
            },
        ],
    }


@pytest.fixture
async def ingest(start, policy):
    return await start(policy, ingest_admin_token=TOKEN)


@pytest.fixture
def admin(ingest):
    """admin(method, path, body): the answer to an operator of this test's tenant."""

    async def call(method: str, path: str, body: Any = None, **options: Any) -> Any:
        parameters = options.pop("params", {"tenant": ingest.tenant})
        content = None if body is None else orjson.dumps(body)
        headers = options.pop("headers", ADMIN)
        url = f"{ingest.url}/admin{path}"
        return await ingest.http.request(method, url, content=content, params=parameters, headers=headers)

    return call


@pytest.fixture
def hook(ingest):
    """hook(secret, delivery): a call of the webhook's sender."""

    async def send(secret: str, delivery: str, body: bytes = b'{"email":"h.sato@aoi.example","event":"signed"}') -> Any:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": f"sha256={signature}", "X-Delivery": delivery, "X-Event": "signed"}
        return await ingest.http.post(f"{ingest.url}/hooks/{ingest.tenant}/hook", content=body, headers=headers)

    return send


async def source(admin, name: str) -> dict[str, Any]:
    answer = await admin("GET", "/sources")
    assert answer.status_code == 200, answer.text
    return next(each for each in answer.json() if each["source_id"] == name)


def lead_of(identity_secret: str, tenant: str, kind: str, value: str) -> str:
    secret = ids.tenant_secret(identity_secret.encode(), tenant)
    return ids.lead_id(ids.identity_id(secret, tenant, kind, value))


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_without_the_token_nobody_is_admitted(admin, headers):
    for method, path in (("GET", "/sources"), ("POST", "/replay"), ("POST", "/identity/link")):
        answer = await admin(method, path, {"anything": 1}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unknown_token")


async def test_an_ingest_without_a_token_of_its_own_admits_nobody(start, policy):
    ingest = await start(policy)
    answer = await ingest.http.get(f"{ingest.url}/admin/sources", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "no_admin_token")


async def test_what_was_seen_of_a_source_is_told(ingest, admin, hook, wait_until):
    person = {"email": "k.mori@aoi-kikai.example", "name": "森 健", "company": "葵機械", "title": "部長"}
    batch = [
        {"type": "identify", "userId": "u-1", "traits": person, "messageId": "m-1"},
        {"type": "identify", "userId": "u-2", "traits": {"email": "x@aoi-kikai.example"}, "messageId": "m-2"},
        {"type": "track", "userId": "u-1", "messageId": "m-3"},
    ]
    await ingest.send("batch", {"batch": batch, "sentAt": "2026-01-01T00:00:00Z"})
    await ingest.send("batch", {"batch": batch})
    await ingest.send("track", b"no JSON")
    await hook("the wrong one", "d-1")
    await hook("the wrong secret", "d-2")

    async def seen() -> Any:
        web = await source(admin, "web")
        return web["today"]

    expected = {
        "accepted": 2,
        "duplicate": 2,
        "rejected": {"no_event_name": 2, "malformed_json": 1},
        "unverified": {},
    }
    await wait_until(seen, expected)
    web = await source(admin, "web")
    assert web["week"] == expected
    assert (web["kind"], web["trusted"]) == ("segment", False)
    assert web["last_call_at"]
    assert web["per_minute"] > 0
    assert web["clock"]["shifted"] == 3
    assert web["clock"]["largest_skew_seconds"] > 86_400
    assert web["completeness"]["looked_at"] == 2
    assert web["completeness"]["missing"]["name"] == 1
    assert web["completeness"]["share"] == round(1 - sum(web["completeness"]["missing"].values()) / 12, 4)
    signed = await source(admin, "hook")
    assert signed["today"]["unverified"] == {"bad_signature": 1}
    assert [secret["id"] for secret in signed["secrets"]] == ["main"]
    assert signed["secrets"][0]["last_verified_at"]
    assert (await source(admin, "server"))["last_call_at"] is None


async def test_two_processes_add_up(ingest, start, policy, admin, wait_until):
    other = await start(policy, ingest_admin_token=TOKEN)
    await ingest.send("identify", {"userId": "u-1", "messageId": "m-1"})
    await other.send("identify", {"userId": "u-1", "messageId": "m-2"})

    async def accepted() -> int:
        return (await source(admin, "web"))["today"]["accepted"]

    await wait_until(accepted, 2)


async def test_keys_and_secrets_are_never_told(ingest, admin, hook):
    await ingest.send("identify", {"userId": "u-1", "messageId": "m-1"})
    text = (await admin("GET", "/sources")).text
    assert ingest.key not in text
    assert "the wrong secret" not in text


async def test_a_tenant_that_is_not_there_is_told(admin):
    for path in ("/sources", "/identity/show"):
        method = "GET" if path == "/sources" else "POST"
        answer = await admin(method, path, {"who": "u-1"}, params={"tenant": "nobody"})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_tenant")
    answer = await admin("POST", "/identity/show", {"who": "u-1"}, params={})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_requests_that_failed_are_taken_when_the_secret_is_right(ingest, admin, hook, secret):
    for delivery in ("d-1", "d-2"):
        assert (await hook("the right secret", delivery)).status_code == 401
    assert (await hook("of a stranger", "d-3")).status_code == 401
    assert (await hook("the wrong secret", "d-4")).status_code == 200
    assert len(await ingest.touches()) == 1

    assert (await requeued(admin))["verified"] == 0
    secret.write_text("the right secret")
    assert (await requeued(admin))["accepted"] == 2
    done = await requeued(admin)
    assert done["still_unverified"] == {"bad_signature": 1}
    assert (done["requests"], done["accepted"], done["duplicate"], done["done"]) == (3, 0, 2, True)
    touches = await ingest.touches()
    assert len(touches) == 3
    assert len({touch["event_id"] for touch in touches}) == 3
    (first, second) = sorted(await ingest.written("ingest-quarantine"), key=lambda record: record["received_at"])[:2]
    assert {first["received_at"], second["received_at"]} <= {touch["received_at"] for touch in touches}
    assert b"h.sato" not in first["_raw"]


async def test_of_a_partition_only_the_sources_own_requests_are_requeued(start, policy, tenant, secret):
    """Two sources under one secret, side by side in the quarantine."""
    numbers = list(range(EMBEDDED_PARTITIONS))
    place = by_murmur2(record_key(tenant, "hook"), numbers, ())
    names = (f"hook-{number}" for number in range(1000))
    other = next(name for name in names if by_murmur2(record_key(tenant, name), numbers, ()) == place)
    hook = policy["sources"][-1]
    ingest = await start(policy | {"sources": [*policy["sources"], hook | {"id": other}]}, ingest_admin_token=TOKEN)
    body = b'{"email":"h.sato@aoi.example","event":"signed"}'
    for name in ("hook", other):
        signature = hmac.new(b"the right secret", body, hashlib.sha256).hexdigest()
        headers = {"X-Signature": f"sha256={signature}", "X-Delivery": "d-1", "X-Event": "signed"}
        answer = await ingest.http.post(f"{ingest.url}/hooks/{tenant}/{name}", content=body, headers=headers)
        assert answer.status_code == 401
    secret.write_text("the right secret")
    answer = await ingest.http.post(
        f"{ingest.url}/admin/sources/hook/requeue-unverified", params={"tenant": tenant}, headers=ADMIN
    )
    done = orjson.loads(answer.content.splitlines()[-1])
    assert (done["requests"], done["accepted"]) == (1, 1)
    assert [touch["source_id"] for touch in await ingest.touches()] == ["hook"]


async def requeued(admin) -> dict[str, Any]:
    answer = await admin("POST", "/sources/hook/requeue-unverified")
    assert answer.status_code == 200, answer.text
    return orjson.loads(answer.content.splitlines()[-1])


async def test_strangers_cannot_fill_the_quarantine(start, policy, tenant):
    ingest = await start(policy, ingest_admin_token=TOKEN, ingest_quarantine_per_minute=3)
    url = f"{ingest.url}/hooks/{tenant}/hook"
    answers = [await ingest.http.post(url, content=b"{}", headers={"X-Signature": "sha256=00"}) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {401}
    assert 3 <= len(await ingest.written("ingest-quarantine")) <= 6, "the minute may have changed meanwhile"


async def test_a_tracking_source_has_nothing_to_requeue(admin):
    answer = await admin("POST", "/sources/web/requeue-unverified")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_webhook")
    answer = await admin("POST", "/sources/nothing/requeue-unverified")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_source")


def refused_event(record: dict[str, Any], raw: bytes | None = None) -> dict[str, Any]:
    names = ("tenant", "source_id", "protocol", "call", "index", "received_at")
    told = {name: record.get(name) for name in names}
    return {**told, "id": record["code"], "raw": b64encode(raw).decode() if raw is not None else record["raw"]}


async def test_a_refused_event_is_mended_and_taken_once(ingest, admin):
    batch = [{"type": "track", "userId": "u-1", "messageId": "m-1"}, {"type": "nonsense", "userId": "u-1"}]
    await ingest.send("batch", {"batch": batch})
    rejected = {record["code"]: record for record in await ingest.written("ingest-rejected")}
    mended = {**batch[0], "event": "Demo Requested"}
    events = [
        refused_event(rejected["unknown_type"]),
        refused_event(rejected["no_event_name"], orjson.dumps(mended)),
        refused_event(rejected["no_event_name"], b"\xff"),
    ]

    first = (await admin("POST", "/replay", {"events": events}, params={})).json()
    assert [result["status"] for result in first] == ["rejected", "accepted", "rejected"]
    assert [result["code"] for result in first] == ["unknown_type", None, "malformed_json"]
    again = (await admin("POST", "/replay", {"events": events}, params={})).json()
    assert [result["status"] for result in again] == ["rejected", "duplicate", "rejected"]
    (touch,) = await ingest.touches()
    assert touch["type"] == "demo_requested"
    assert touch["received_at"] == rejected["no_event_name"]["received_at"]
    assert len(await ingest.written("ingest-rejected")) == 2, "a replay leaves no further record"


async def test_a_body_that_was_refused_is_mended_as_a_whole(ingest, admin):
    await ingest.send("track", b'{"event": "Demo Requested", "userId": "u-1"')
    await ingest.send("batch", b'{"batch": 1}')
    single, many = sorted(await ingest.written("ingest-rejected"), key=lambda record: record["received_at"])
    whole = {"batch": [{"type": "track", "event": "x", "userId": "u-1", "messageId": f"m-{n}"} for n in range(3)]}
    alone = {"event": "y", "userId": "u-1", "messageId": "m-9"}
    events = [refused_event(many, orjson.dumps(whole)), refused_event(single, orjson.dumps(alone))]
    done = (await admin("POST", "/replay", {"events": events}, params={})).json()
    assert [(result["status"], result["accepted"]) for result in done] == [("accepted", 3), ("accepted", 1)]
    assert sorted(touch["event"] for touch in await ingest.touches()) == ["x", "x", "x", "y"]


async def test_what_was_cut_is_not_replayed(ingest, admin):
    long = {"type": "track", "userId": "u-1", "properties": {"text": "x" * 70_000}, "messageId": "m-1"}
    await ingest.send("batch", {"batch": [long]})
    (record,) = await ingest.written("ingest-rejected")
    (result,) = (await admin("POST", "/replay", {"events": [refused_event(record)]}, params={})).json()
    assert (result["status"], result["code"]) == ("rejected", "cut")
    whole = orjson.dumps({**long, "event": "x"})
    (result,) = (await admin("POST", "/replay", {"events": [refused_event(record, whole)]}, params={})).json()
    assert result["status"] == "accepted"


async def two_leads(ingest) -> None:
    await ingest.send("identify", {"userId": "u-1", "anonymousId": "a-1", "messageId": "m-1"})
    await ingest.send("identify", {"anonymousId": "a-2", "traits": MAIL, "messageId": "m-2"})


async def test_a_person_links_two_leads_and_parts_them_again(ingest, admin, identity_secret):
    await two_leads(ingest)
    by_user = lead_of(identity_secret, ingest.tenant, "user", "u-1")
    by_mail = lead_of(identity_secret, ingest.tenant, "email", MAIL["email"])
    survivor, loser = sorted([by_user, by_mail])

    linked = (await admin("POST", "/identity/link", {"one": "u-1", "other": MAIL["email"].upper()})).json()
    assert (linked["outcome"], linked["lead_id"], linked["earlier_lead_id"]) == ("done", survivor, loser)
    assert {identity["kind"] for identity in linked["identities"]} == {"user", "email", "anonymous"}
    assert len(linked["identities"]) == 4
    assert all(identity["told"] for identity in (await shown(admin, "u-1"))["identities"])
    again = (await admin("POST", "/identity/link", {"one": survivor, "other": f"user:{'u-1'}"})).json()
    assert (again["outcome"], again["changed"]) == ("same", 0)
    moved = [link for link in await ingest.links() if link["owner"] == survivor and link["lead_id"] == loser]
    assert moved, "the lead that lost its identities was told"

    lost = "u-1" if loser == by_user else f"email:{MAIL['email']}"
    parted = (await admin("POST", "/identity/unlink", {"identity": lost, "lead": survivor})).json()
    assert (parted["outcome"], parted["lead_id"], parted["earlier_lead_id"]) == ("done", loser, survivor)
    assert (await shown(admin, lost))["lead_id"] == loser
    await ingest.send("track", {"event": "x", "userId": "u-1", "messageId": "m-3"})
    assert (await ingest.touches())[-1]["lead_id"] in (by_user, by_mail)
    last = {}
    for link in await ingest.written("identity-links"):
        if link["sequence"] > last.get(link["identity_id"], {"sequence": 0})["sequence"]:
            last[link["identity_id"]] = link
    kept = {link["identity_kind"]: link["owner"] for link in last.values() if link["identity_kind"] != "anonymous"}
    assert kept == {"user": by_user, "email": by_mail}


async def shown(admin, who: str) -> dict[str, Any]:
    answer = await admin("POST", "/identity/show", {"who": who})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_conflict_is_resolved_by_linking_and_does_not_come_again(ingest, admin):
    await two_leads(ingest)
    await ingest.send("identify", {"userId": "u-1", "traits": MAIL, "messageId": "m-3"})
    (conflict,) = await ingest.written("identity-conflicts")
    answer = await admin(
        "POST", "/identity/link", {"one": f"lead:{conflict['lead_id']}", "other": f"lead:{conflict['other_lead_id']}"}
    )
    assert answer.json()["outcome"] == "done"
    await ingest.send("identify", {"userId": "u-1", "traits": MAIL, "messageId": "m-4"})
    assert len(await ingest.written("identity-conflicts")) == 1


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("link", {"one": "u-1", "other": "nobody-knows"}, 404, "unknown_other"),
        ("link", {"one": "nobody-knows", "other": "u-1"}, 404, "unknown"),
        ("link", {"one": "email:nothing", "other": "u-1"}, 400, "bad_person"),
        ("unlink", {"identity": "u-1"}, 409, "own"),
        ("unlink", {"identity": "a-1", "lead": "01234567-89ab-5cde-8f01-23456789abcd"}, 409, "elsewhere"),
        ("unlink", {"identity": "lead:01234567-89ab-5cde-8f01-23456789abcd"}, 400, "bad_person"),
        ("show", {"who": "nobody-knows"}, 404, "unknown"),
        ("show", {"whom": "x"}, 422, "invalid_request"),
    ],
)
async def test_what_cannot_be_done_is_told(ingest, admin, path, body, status, code):
    await two_leads(ingest)
    if body.get("identity") == "a-1":
        body = {**body, "identity": "anonymous:a-1"}
    answer = await admin("POST", f"/identity/{path}", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_lead_holds_no_more_identities_by_hand_than_by_events(ingest, admin):
    await two_leads(ingest)
    for number in range(48):
        anonymous = {"userId": "u-1", "anonymousId": f"more-{number}", "messageId": f"n-{number}"}
        await ingest.send("identify", anonymous)
    answer = await admin("POST", "/identity/link", {"one": "u-1", "other": f"email:{MAIL['email']}"})
    assert (answer.status_code, answer.json()["code"]) == (409, "full")


async def test_an_unlink_that_nobody_heard_of_is_told_when_it_is_repeated(start, policy, kafka_url, tenant):
    from shared.kit.kafka import KafkaPublisher

    class Breaking(KafkaPublisher):
        """Loses the next write."""

        broken = False

        async def publish(self, records):
            if self.broken:
                from aiokafka.errors import KafkaError

                raise KafkaError("gone")
            await super().publish(records)

    publisher = Breaking(kafka_url)
    await publisher.start()
    try:
        ingest = await start(policy, ingest_admin_token=TOKEN, publisher=publisher)
        await ingest.send("identify", {"userId": "u-1", "traits": MAIL, "messageId": "m-1"})
        url = f"{ingest.url}/admin/identity/unlink?tenant={tenant}"
        body = orjson.dumps({"identity": MAIL["email"]})
        publisher.broken = True
        answer = await ingest.http.post(url, content=body, headers=ADMIN)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        told = len(await ingest.written("identity-links"))
        publisher.broken = False
        answer = await ingest.http.post(url, content=body, headers=ADMIN)
        assert (answer.status_code, answer.json()["changed"]) == (200, 1)
        assert len(await ingest.written("identity-links")) == told + 1
    finally:
        await publisher.stop()
