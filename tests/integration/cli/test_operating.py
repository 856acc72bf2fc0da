"""What an operator sees of sources, and puts right, on a whole running Baton, with a tenant of its own."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.schemas.scores import LeadScored
from shared.schemas.topics import LEAD_SCORED

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[3]
HOOK = """
  - id: hook
    kind: hmac
    secrets: [{id: main, value: 'file:%s'}]
    signature: {header: X-Signature, event_id: X-Delivery, event: X-Event}
"""


@dataclass(frozen=True)
class Acme:
    """The tenant `acme`: a website whose key is `key`, and a webhook whose secret stands in the file `secret`."""

    baton: Any
    folder: Path
    key: str
    secret: Path
    wait: Callable[..., None]

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        url = self.baton.names()["INGEST_URL"]
        return httpx.post(f"{url}{path}", content=content, headers={"X-Write-Key": self.key} | headers, timeout=30)

    def hook(self, secret: str, delivery: str) -> int:
        body = json.dumps({"email": f"{delivery}@aoi.example"}).encode()
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        sent = {"X-Signature": signed, "X-Delivery": delivery, "X-Event": "signed"}
        return self.post("/hooks/acme/hook", body, **sent).status_code

    def run(self, *arguments: str) -> str:
        done = self.baton.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    def scores(self) -> dict[str, LeadScored]:
        """The latest score of each lead."""
        return asyncio.run(_scores(self.baton.names()["KAFKA_BOOTSTRAP_SERVERS"]))

    def source(self, name: str) -> dict[str, Any]:
        found = json.loads(self.run("sources", "--tenant", "acme", "--json"))
        return next(source for source in found if source["source_id"] == name)


async def _scores(bootstrap: str) -> dict[str, LeadScored]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        await consumer._client.set_topics([LEAD_SCORED.name])
        numbers = consumer.partitions_for_topic(LEAD_SCORED.name)
        partitions = [TopicPartition(LEAD_SCORED.name, number) for number in numbers]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        latest: dict[str, LeadScored] = {}
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    one = LeadScored.model_validate_json(record.value)
                    if one.tenant == "acme" and (
                        one.lead_id not in latest or one.version >= latest[one.lead_id].version
                    ):
                        latest[one.lead_id] = one
        return latest
    finally:
        await consumer.stop()


@pytest.fixture(scope="module")
def acme(baton: Any, tmp_path_factory: pytest.TempPathFactory, wait: Callable[..., None]) -> Acme:
    folder = tmp_path_factory.mktemp("policies")
    key, secret = folder / "key", folder / "secret"
    key.write_text(f"key-{uuid4().hex}")
    secret.write_text("not yet the right one")
    tenant = Path(shutil.copytree(ROOT / "policies" / "olist", folder / "acme"))
    sources = tenant / "sources.yaml"
    text = sources.read_text().replace("env:OLIST_WRITE_KEY", f"file:{key}").replace("trusted: true", "trusted: false")
    first, mark, rest = text.partition("\nmapping:")
    sources.write_text(first + HOOK % secret + mark + rest)
    found = Acme(baton, tenant, key.read_text(), secret, wait)
    found.run("policy", "apply", str(tenant))
    probe = {"userId": "probe", "messageId": "probe"}
    wait(lambda: found.post("/v1/identify", probe).status_code == 200, 60, baton.log.read_text)
    return found


def web(acme: Acme) -> str:
    """The id of the source that is no webhook."""
    found = json.loads(acme.run("sources", "--tenant", "acme", "--json"))
    return next(str(source["source_id"]) for source in found if source["kind"] == "segment")


def test_sources_tell_what_they_sent_and_what_is_wrong_with_them(acme: Acme) -> None:
    name = web(acme)
    for _ in range(3):
        acme.post("/v1/batch", {"batch": [{"type": "track", "userId": "u", "messageId": uuid4().hex}]})
    before = acme.source(name)["today"]
    acme.wait(lambda: acme.source(name)["today"]["rejected"].get("no_event_name", 0) >= 3, 30, lambda: str(before))
    shown = acme.run("sources", "--tenant", "acme")
    line = next(line for line in shown.splitlines() if f" {name} " in line)
    assert "no_event_name" in line
    assert acme.key not in shown + acme.run("sources", "--json")
    assert "never called" in acme.run("sources", "--tenant", "hinode")


def test_a_source_is_followed_as_it_is_understood(acme: Acme) -> None:
    address = f"taro.{uuid4().hex[:6]}@hinode.example"
    command = [sys.executable, "-m", "baton", "tail", web(acme), "--tenant", "acme"]
    seen = acme.folder.parent / "tail"
    with seen.open("wb") as out, (acme.folder.parent / "tail.err").open("wb") as err:
        following = subprocess.Popen(command, cwd=ROOT, env=acme.baton.environ, stdout=out, stderr=err)
    try:
        acme.wait(lambda: b"Following" in Path(err.name).read_bytes(), 60, Path(err.name).read_text)
        event = {"type": "track", "event": "Demo Requested", "userId": uuid4().hex, "messageId": uuid4().hex}
        acme.post("/v1/track", event | {"properties": {"email": address}})
        acme.post("/v1/batch", {"batch": [{"type": "nonsense"}]})
        acme.wait(lambda: b"unknown_type" in seen.read_bytes(), 60, seen.read_text)
        acme.wait(lambda: b"demo_requested" in seen.read_bytes(), 60, seen.read_text)
    finally:
        following.send_signal(signal.SIGINT)
        status = following.wait(30)
    text = seen.read_text()
    assert status == 0, "Ctrl-C is how it ends"
    assert "Traceback" not in Path(err.name).read_text()
    assert address not in text
    assert "t***@hinode.example" in text
    revealed = acme.run("tail", web(acme), "--tenant", "acme", "--since", "10", "--most", "1", "--json")
    assert json.loads(revealed)["source_id"] == web(acme)
    piped = f"{sys.executable} -m baton tail {web(acme)} --tenant acme --since 10 | head -c 0; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", piped], cwd=ROOT, env=acme.baton.environ, capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr.count(b"\n")) == (0, 1), ended.stderr.decode()
    mistyped = acme.baton.run("tail", f"{web(acme)}s", "--tenant", "acme")
    assert (mistyped.returncode, f"Did you mean `{web(acme)}`?" in mistyped.stderr) == (1, True)


def test_a_refused_event_is_shown_mended_and_taken(acme: Acme) -> None:
    name, mark = web(acme), uuid4().hex
    event = {"type": "track", "userId": mark, "messageId": mark, "traits": {"email": f"{mark}@x.example"}}
    acme.post("/v1/batch", {"batch": [event, {"type": "nothing", "userId": mark}]})
    assert name in acme.run("dlq", "list", "--topic", "ingest-rejected")
    listed = acme.run("dlq", "list", "--source", name, "--tenant", "acme", "--each")
    letters = [line.split()[0] for line in listed.splitlines() if line.startswith("ingest-rejected/")]
    mine = next(letter for letter in letters if mark in acme.run("dlq", "show", letter, "--reveal"))
    shown = acme.run("dlq", "show", mine)
    assert f"{mark}@x.example" not in shown
    assert "no_event_name" in shown

    refused = acme.baton.run("dlq", "replay", "--letter", mine)
    assert refused.returncode == 1
    assert "1 refused again" in refused.stdout
    assert f"{mine}  no_event_name" in refused.stdout
    mended = acme.run("dlq", "replay", "--letter", mine, "--set", "event=Demo Requested", "--set", "properties.n=3")
    assert mended.startswith("Events: 1 taken,")
    assert "nothing to give again" in acme.run("dlq", "replay", "--letter", mine, "--set", "event=Demo Requested")
    again = acme.run("dlq", "replay", "--letter", mine, "--set", "event=Demo Requested", "--again")
    assert "0 taken, 1 taken before" in again
    assert "(taken since)" in acme.run("dlq", "list", "--topic", "ingest-rejected", "--each")


def test_a_refused_event_is_mended_in_the_operators_editor(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = uuid4().hex
    acme.post("/v1/batch", {"batch": [{"type": "tarck", "event": mark, "userId": mark, "messageId": mark}]})
    listed = acme.run("dlq", "list", "--tenant", "acme", "--each")
    letters = [line.split()[0] for line in listed.splitlines() if line.startswith("ingest-rejected/")]
    mine = next(letter for letter in letters if mark in acme.run("dlq", "show", letter, "--reveal"))
    monkeypatch.setitem(acme.baton.environ, "EDITOR", "sed -i s/tarck/track/")
    monkeypatch.delitem(acme.baton.environ, "VISUAL", raising=False)
    assert acme.run("dlq", "replay", "--letter", mine, "--edit").startswith("Events: 1 taken,")
    monkeypatch.setitem(acme.baton.environ, "EDITOR", "true")
    done = acme.baton.run("dlq", "replay", "--letter", mine, "--edit", "--again")
    assert (done.returncode, done.stderr) == (1, "baton: nothing was changed, so nothing was done.\n")


def test_webhooks_that_failed_are_taken_when_the_secret_is_mended(acme: Acme) -> None:
    deliveries = [uuid4().hex for _ in range(2)]
    assert [acme.hook("the right one", delivery) for delivery in deliveries] == [401, 401]
    assert acme.source("hook")["today"]["unverified"] is not None
    order = ("ingest", "requeue-unverified", "hook", "--tenant", "acme")
    assert "2 still not verified: bad_signature" in acme.run(*order)
    acme.secret.write_text("the right one")
    assert "2 verified: 2 events accepted" in acme.run(*order)
    assert "0 events accepted, 2 duplicates" in acme.run(*order)
    assert acme.baton.run("ingest", "requeue-unverified", web(acme), "--tenant", "acme").returncode == 1
    misspelt = acme.baton.run("ingest", "requeue-unverified", "hok", "--tenant", "acme")
    assert (misspelt.returncode, "Did you mean `hook`?" in misspelt.stderr) == (1, True)


def test_a_conflict_is_listed_resolved_and_undone(acme: Acme) -> None:
    mark = uuid4().hex
    address = f"{mark}@hinode.example"
    acme.post("/v1/identify", {"userId": mark, "messageId": f"{mark}-1"})
    acme.post("/v1/identify", {"anonymousId": mark, "traits": {"email": address}, "messageId": f"{mark}-2"})
    acme.post("/v1/identify", {"userId": mark, "traits": {"email": address}, "messageId": f"{mark}-3"})

    waiting = json.loads(acme.run("identity", "conflicts", "--tenant", "acme", "--json"))
    (mine,) = [each for each in waiting if each["open"]]
    assert mine["source_id"] == web(acme)
    assert mine["lead_id"] in acme.run("identity", "conflicts", "--tenant", "acme")
    assert "They are one lead now" in acme.run("identity", "link", f"user:{mark}", address, "--tenant", "acme")
    assert "no conflicts that wait" in acme.run("identity", "conflicts", "--tenant", "acme")
    everything = json.loads(acme.run("identity", "conflicts", "--tenant", "acme", "--all", "--json"))
    assert [each["open"] for each in everything] == [False]

    lead = min(mine["lead_id"], mine["other_lead_id"])
    assert lead in acme.run("identity", "show", address, "--tenant", "acme")
    own = address if "its own lead" in _line_of(acme, address, "email") else f"user:{mark}"
    assert "of its own again" in acme.run("identity", "unlink", own, "--from", lead, "--tenant", "acme")
    done = acme.baton.run("identity", "unlink", own, "--from", lead, "--tenant", "acme")
    assert done.returncode == 1
    assert "elsewhere" in done.stderr
    assert acme.baton.run("identity", "show", "user:nobody-knows", "--tenant", "acme").returncode == 1


def _line_of(acme: Acme, who: str, kind: str) -> str:
    shown = acme.run("identity", "show", who, "--tenant", "acme")
    return next(line for line in shown.splitlines() if line.strip().startswith(kind))


def test_leads_that_are_parted_have_their_own_scores_again(acme: Acme) -> None:
    mark = uuid4().hex
    address = f"{mark}@hinode.example"
    asked = {"type": "track", "event": "First Contact"}
    acme.post("/v1/track", asked | {"userId": mark, "messageId": f"{mark}-1"})
    acme.post("/v1/track", asked | {"properties": {"email": address, "origin": "unknown"}, "messageId": f"{mark}-2"})
    leads = [acme.run("identity", "show", who, "--tenant", "acme").split()[1] for who in (f"user:{mark}", address)]

    def scored() -> list[LeadScored | None]:
        known = acme.scores()
        return [known.get(lead) for lead in leads]

    def apart() -> bool:
        return all(one is not None and one.merged_into is None and len(one.touches) == 1 for one in scored())

    acme.wait(apart, 60, lambda: str(scored()))
    before = [_own(one) for one in scored()]
    assert before[0] != before[1]

    acme.run("identity", "link", f"user:{mark}", address, "--tenant", "acme")
    survivor, loser = sorted(leads)
    acme.wait(lambda: len(acme.scores()[survivor].touches) == 2, 60, lambda: str(scored()))
    acme.wait(lambda: acme.scores()[loser].merged_into == survivor, 60, lambda: str(scored()))

    moved = f"user:{mark}" if leads[0] == loser else address
    acme.run("identity", "unlink", moved, "--from", survivor, "--tenant", "acme")
    acme.wait(apart, 60, lambda: str(scored()))
    assert [_own(one) for one in scored()] == before


def _own(one: LeadScored | None) -> tuple[Any, ...]:
    """What of a score does not change with time."""
    assert one
    parts = [(part.rule_id, part.times, part.given) for part in one.fit.parts]
    engaged = [(part.rule_id, part.times) for part in one.engagement.parts]
    return [touch.event_id for touch in one.touches], parts, engaged, one.identities, one.attributes


def test_a_source_without_its_secret_does_not_come_into_force(acme: Acme, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(acme.folder, tmp_path / "elsewhere"))
    sources = folder / "sources.yaml"
    text = sources.read_text()
    sources.write_text(text.replace(f"file:{acme.secret}", "env:DEMO_WRITE_KYE"))
    foretold = acme.baton.run("policy", "apply", "--dry-run", str(folder))
    done = acme.baton.run("policy", "apply", str(folder))
    assert (done.returncode, foretold.returncode, foretold.stderr) == (1, 1, done.stderr)
    line = next(n for n, each in enumerate(sources.read_text().splitlines(), 1) if "DEMO_WRITE_KYE" in each)
    assert (
        f"sources.yaml:{line}: source `hook`: there is no DEMO_WRITE_KYE in the environment or in .baton/secrets. Did you mean"
        in done.stderr
    )
    assert "of tenant `acme`: nobody could tell them apart" in done.stderr
    assert acme.key not in done.stdout + done.stderr
    assert acme.baton.run("policy", "show", "sources", "--tenant", "elsewhere").returncode == 1, "nothing was stored"
    (tmp_path / "other-key").write_text(uuid4().hex)
    key = os.fspath(tmp_path / "other-key")
    sources.write_text(sources.read_text().replace(f"file:{acme.folder.parent / 'key'}", f"file:{key}"))
    done = acme.baton.run("policy", "apply", "--secrets-elsewhere", str(folder))
    assert done.returncode == 0, done.stderr
    assert "nobody looked whether the write keys and secrets" in done.stdout
