"""The past, asked of a whole running Baton: what scoring said is found again in the topics, record by record, and told in words."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from baton.explaining.history import History, historian
from baton.explaining.past import Question, answer
from services.scoring.history import past
from shared.kit.clock import iso
from shared.kit.kafka import EMBEDDED_PARTITIONS, KafkaPublisher, Outgoing
from shared.kit.partitioner import by_murmur2
from shared.schemas.base import record_key
from shared.schemas.handoff import HandoffEvent
from shared.schemas.scores import LeadScored
from shared.schemas.topics import HANDOFF_EVENTS, LEAD_SCORED, TOUCHPOINTS

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[3]
QUIET_SECONDS = 1.0  # after which nothing more comes of what was sent
SOURCES = """
kind: sources
sources:
  - id: website
    kind: segment
    write_keys: ['file:{folder}/website']
  - id: crm
    kind: segment
    write_keys: ['file:{folder}/crm']
    trusted: true
mapping: []
"""
# A chat is forgotten within seconds, so that time alone changes the grade while one looks.
SCORING = """
kind: scoring
zone_offset_minutes: 540
hand_raises: [demo_requested]
engagement:
  cap: 100
  groups: {{web: 20, inquiry: 60, sales: 40, chat: 30}}
  rules:
    - {{id: pricing, points: 8, half_life_days: 14, limit: 3, group: web, when: {{touch.type: {{eq: pricing_page_viewed}}}},
       label: {{en: Pricing page viewed, ja: 価格ページ閲覧}}}}
    - {{id: demo, points: {demo}, half_life_days: 30, group: inquiry, when: {{touch.type: {{eq: demo_requested}}}},
       label: {{en: Demo requested, ja: デモ依頼}}}}
    - {{id: chat, points: 30, half_life_days: 0.00003, group: chat, when: {{touch.type: {{eq: chat_started}}}}}}
    - {{id: junk, points: -25, half_life_days: 90, per: cycle, group: sales,
       when: {{touch.type: {{eq: sales_rejected_quality}}}}}}
fit:
  rules:
    - {{id: head, points: 50, when: {{lead.level: {{eq: head}}}}, label: {{en: Head, ja: 部長級}}}}
"""

Wait = Callable[..., None]
Whole = Callable[[str, str], Awaitable[list[Any]]]


@dataclass
class Town:
    """A tenant of its own on a running Baton, and all scores that were said of it, in the order of each lead."""

    baton: Any
    tenant: str
    folder: Path
    whole: Whole
    wait: Wait
    said: dict[str, list[LeadScored]] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        done = self.baton.run(*arguments, "--tenant", self.tenant)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    def apply(self, demo: int) -> None:
        (self.folder / self.tenant / "scoring.yaml").write_text(SCORING.format(demo=demo))
        done = self.baton.run("policy", "apply", str(self.folder / self.tenant))
        assert done.returncode == 0, done.stdout + done.stderr

    def send(self, source: str, call: str, **body: Any) -> None:
        key = (self.folder / source).read_text()
        body |= {"messageId": uuid4().hex}
        url = f"{self.baton.names()['INGEST_URL']}/v1/{call}"
        answered = httpx.post(url, json=body, headers={"X-Write-Key": key}, timeout=30)
        assert answered.status_code == 200, answered.text

    def track(self, name: str, user: str) -> None:
        self.send("website", "track", event=name, userId=user)

    def settle(self, *, until: Callable[[], bool] = lambda: True) -> None:
        """Wait until it holds, and until then nothing is said any more."""
        last = [-1, time.monotonic()]

        def quiet() -> bool:
            self.look()
            count = sum(map(len, self.said.values()))
            if count != last[0]:
                last[:] = [count, time.monotonic()]
            return until() and time.monotonic() - last[1] > QUIET_SECONDS

        self.wait(quiet, 60, lambda: "\n".join(map(self._latest, self.said)))

    def look(self) -> None:
        self.said = {}
        records = asyncio.run(self.whole(self.baton.names()["KAFKA_BOOTSTRAP_SERVERS"], LEAD_SCORED.name))
        for record in records:
            if record.key and record.key.startswith(f"{self.tenant}/".encode()):
                score = LeadScored.model_validate_json(record.value)
                self.said.setdefault(score.lead_id, []).append(score)

    def latest(self, lead: str) -> LeadScored:
        return max(self.said[lead], key=lambda score: score.version)

    def _latest(self, lead: str) -> str:
        score = self.latest(lead)
        parts = {part.rule_id: (part.given, part.kept) for part in score.engagement.parts}
        return f"{lead} {score.version} {score.cause} {score.grade} {parts} {score.merged_into}"

    def lead_of(self, who: str) -> str:
        return self.run("identity", "show", who).split()[1]

    def ask(self, who: str, question: Question) -> Any:
        return asyncio.run(answer(self.baton.names(), self.tenant, who, question))


def now() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Story:
    """What happened: `loser` was merged into `survivor`, by then all had been `said`, and then parted from it again.

    addresses: of survivor and loser;  first, second: moments before the second policy and after it
    """

    town: Town
    survivor: str
    loser: str
    addresses: tuple[str, str]
    said: dict[str, list[LeadScored]]
    first: int
    merged: int
    second: int


@pytest.fixture(scope="module")
def story(baton: Any, tmp_path_factory: pytest.TempPathFactory, wait: Wait, whole_topic: Whole) -> Iterator[Story]:
    folder, tenant = tmp_path_factory.mktemp("past"), f"past-{uuid4().hex[:6]}"
    shutil.copytree(ROOT / "policies" / "northstar", folder / tenant)
    for source in ("website", "crm"):
        (folder / source).write_text(f"key-{uuid4().hex}")
    (folder / tenant / "sources.yaml").write_text(SOURCES.format(folder=folder))
    town = Town(baton, tenant, folder, whole_topic, wait)
    town.apply(demo=40)
    url, key = f"{baton.names()['INGEST_URL']}/v1/identify", (folder / "crm").read_text()
    known = {"X-Write-Key": key}
    wait(lambda: httpx.post(url, json={"userId": "probe", "messageId": "p"}, headers=known).status_code == 200, 60, str)

    people = [(f"user-{n}", f"person-{n}-{tenant}@kumo.example") for n in range(2)]
    for user, address in people:
        town.send(
            "crm", "identify", userId=user, traits={"email": address, "title": "部長" if user == "user-0" else ""}
        )
        town.settle()
        for name in ("Pricing Page Viewed", "Pricing Page Viewed", "Demo Requested"):
            town.track(name, user)
            town.settle()
    first = now()
    leads = {address: town.lead_of(address) for _, address in people}
    survivor, loser = sorted(leads.values())
    addresses = sorted(leads, key=lambda address: leads[address])
    town.run("identity", "link", *addresses)
    town.settle(until=lambda: town.latest(loser).merged_into == survivor)
    merged = now()
    for user, _ in people:
        town.track("Pricing Page Viewed", user)
        town.settle()
    _says_junk(town, loser)
    junk = {"junk"}
    town.settle(until=lambda: bool(junk & {part.rule_id for part in town.latest(survivor).engagement.parts}))
    town.track("Chat Started", "user-0")
    town.settle(until=lambda: any(score.cause == "time" for score in town.said[survivor]))
    town.apply(demo=55)
    town.settle(until=lambda: any(score.cause == "policy" for score in town.said[survivor]))
    second, said = now(), town.said
    of_loser = next(user for user, address in people if address == addresses[1])
    for identity in (addresses[1], f"user:{of_loser}"):
        town.run("identity", "unlink", identity, "--from", survivor)
    town.settle(until=lambda: town.latest(loser).merged_into is None)
    return Story(town, survivor, loser, (addresses[0], addresses[1]), said, first, merged, second)


def _says_junk(town: Town, lead: str) -> None:
    """As sales says it of the lead that was merged away: it follows the person."""
    event = HandoffEvent(
        tenant=town.tenant, kind="offer-declined", event_id=uuid4().hex, lead_id=lead, opportunity_id="o", cycle=1,
        assignment=1, at=now(), rep_id="sato", reason="junk",
    )  # fmt: skip

    async def publish() -> None:
        publisher = KafkaPublisher(town.baton.names()["KAFKA_BOOTSTRAP_SERVERS"])
        await publisher.start()
        await publisher.publish([Outgoing(HANDOFF_EVENTS.name, event.key(), event.model_dump_json().encode())])
        await publisher.stop()

    asyncio.run(publish())


def content(score: LeadScored) -> dict[str, Any]:
    return score.model_dump(exclude={"version", "cause", "change_id"})


def test_every_score_that_was_said_is_found_again_in_the_topics(story: Story) -> None:
    """The last one of each moment: until then some of what had been received was still on its way."""
    said: dict[tuple[str, int, int], LeadScored] = {}
    for lead, scores in story.said.items():
        for score in sorted(scores, key=lambda score: score.version):
            if score.merged_into is None:
                said[lead, score.as_of, score.policy.sequence] = score
    assert {score.cause for score in said.values()} == {"input", "time", "policy"}
    assert any(part.cut for score in said.values() for part in score.engagement.parts)
    assert any(part.rule_id == "junk" for score in said.values() for part in score.engagement.parts)
    assert len(said) >= 14

    async def found() -> list[LeadScored]:
        names, records = story.town.baton.names(), []
        history = History(story.town.tenant)
        async with historian(names["KAFKA_BOOTSTRAP_SERVERS"]) as reader:
            for lead in story.said:
                await reader.gather(history, lead)
        assert history.log_begins is None
        for (lead, as_of, policy), score in said.items():
            rules = await _rules(story.town, policy)
            was = past(story.town.tenant, lead, history.records, rules, as_of=as_of, known_at=as_of)
            assert was is not None
            assert was.known
            records.append(was.score)
            assert content(was.score) == content(score)
        return records

    assert len(asyncio.run(found())) == len(said)


async def _rules(town: Town, sequence: int) -> Any:
    from baton.explaining.past import _policy, rules_of

    return rules_of(await _policy(town.baton.names()["DATABASE_URL"], town.tenant, Question(0, 0, sequence)))


def test_the_command_says_what_was_said_then_in_both_languages(story: Story) -> None:
    score = max((s for s in story.said[story.survivor] if s.as_of <= story.first), key=lambda s: s.version)
    moment = iso(score.as_of)
    asked = ("explain", story.addresses[0], "--as-of", moment, "--known-at", moment, "--zone", "UTC")
    told, ja = story.town.run(*asked), story.town.run(*asked, "--lang", "ja")
    fit, engaged = (f"{side.total / 1000:.3f}".rstrip("0").rstrip(".") for side in (score.fit, score.engagement))
    assert f"Score {score.grade} · hot · " in told
    assert f"fit {fit}, engagement {engaged}" in told
    assert f"As of {moment[:10]} {moment[11:-1]} UTC, by all that was received by then" in told
    assert f"Scoring policy {score.policy.sequence}, in force since" in told
    assert "Demo requested (hand-raise): +40 points" in told
    assert f"適合度 {fit}、関心度 {engaged}" in ja
    assert "デモ依頼(手挙げ): +40点" in ja
    assert "その時点までに受信した情報による" in ja


def test_a_merge_that_is_known_today_holds_for_a_moment_before_it_and_not_by_what_was_known_then(story: Story) -> None:
    loser = story.addresses[1]
    then = story.town.ask(loser, Question(story.first, story.first))
    assert [lead["lead_id"] for lead in then.leads] == [story.loser]
    after = story.town.ask(loser, Question(story.first, story.merged))
    assert [lead["lead_id"] for lead in after.leads] == [story.survivor]
    assert _pricing(after) == 3, "four, of which three count"
    by_id = story.town.ask(story.loser, Question(story.first, story.merged))
    assert [(lead["lead_id"], lead["merged_into"]) for lead in by_id.leads] == [
        (story.loser, story.survivor),
        (story.survivor, None),
    ]
    parted = story.town.ask(story.survivor, Question(story.first, now()))
    assert _pricing(parted) == 2, "they were parted since"
    assert story.town.ask(story.loser, Question(story.first, now())).leads[0]["merged_into"] is None


def _pricing(found: Any) -> int:
    parts = found.leads[-1]["score"]["parts"]["engagement"]
    return next(int(part["times"]) for part in parts if part["rule_id"] == "pricing")


def test_the_policy_is_the_one_in_force_at_known_at_unless_another_is_named(story: Story) -> None:
    who = story.addresses[0]

    def demo(question: Question) -> tuple[int, float]:
        found = story.town.ask(who, question)
        parts = found.leads[0]["score"]["parts"]["engagement"]
        return found.sequence, next(part["given"] for part in parts if part["rule_id"] == "demo")

    old, new = demo(Question(story.first, story.first)), demo(Question(story.first, story.second))
    assert old[0] < new[0]
    assert 39 < old[1] <= 40
    assert 54 < new[1] <= 55
    assert demo(Question(story.first, story.second, old[0])) == old
    assert demo(Question(story.first, story.first, new[0])) == new
    refused = story.town.baton.run("explain", who, "--tenant", story.town.tenant, "--known-at", "2020-01-01")
    assert refused.stderr.rstrip().endswith("; it has 2, 9; name one of these with --policy.")
    assert (refused.returncode, "had no policy `scoring` yet: its first, version" in refused.stderr) == (1, True)


def test_what_nobody_has_heard_of_and_what_is_no_time_are_sentences(story: Story) -> None:
    told = story.town.run("explain", "nobody@kumo.example", "--as-of", "now")
    assert "By then nothing was known of this lead." in told
    before = story.town.run("explain", story.addresses[0], "--as-of", "2020-01-01")
    assert "By then nothing was known of this lead." in before, "its links came later and make it no D4"
    assert "D4" not in before
    for wrong in (("--as-of", "soon"), ("--policy", "999"), ("--as-of", "now", "--zone", "Mars")):
        done = story.town.baton.run("explain", story.addresses[0], "--tenant", story.town.tenant, *wrong)
        assert done.returncode == 1
        assert done.stderr.startswith("baton: ")
        assert "fault of Baton" not in done.stderr


def test_a_log_that_begins_too_late_is_said(story: Story) -> None:
    """Last of all: the beginning of one partition of `touchpoints` is gone afterwards."""
    key = record_key(story.town.tenant, story.survivor)
    place = TopicPartition(TOUCHPOINTS.name, by_murmur2(key, list(range(EMBEDDED_PARTITIONS)), ()))
    bootstrap = story.town.baton.names()["KAFKA_BOOTSTRAP_SERVERS"]

    async def cut() -> int:
        mine = [
            record
            for record in await story.town.whole(bootstrap, TOUCHPOINTS.name)
            if record.key == key and json.loads(record.value)["record"] == "touch"
        ]
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        await admin.delete_records({place: RecordsToDelete(before_offset=mine[1].offset)})
        await admin.close()
        return int(mine[1].timestamp)

    begins = asyncio.run(cut())
    found = story.town.ask(story.survivor, Question(story.first, story.first))
    assert found.log_begins == begins
    assert "The log begins at" in story.town.run("explain", story.survivor, "--as-of", iso(story.first))
    assert "より前の記録は保存期間を過ぎている" in story.town.run(
        "explain", story.survivor, "--as-of", "now", "--lang", "ja"
    )
