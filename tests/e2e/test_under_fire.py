"""P1 to P4 while processes die: what clients were told was accepted is there, once, and every lead ends up with one owner."""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from collections import Counter
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
import pytest
from ruamel.yaml import YAML

from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score
from services.scoring.domain.state import LeadState
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
LEADS = 24
VICTIMS = ("ingest", "scoring", "router", "handoff", "kafka")


class Sender(threading.Thread):
    """A marketing system that sends each event until it is told that it was taken, and remembers what it was told."""

    def __init__(self, url: str, key: str, run: str) -> None:
        super().__init__(daemon=True)
        self.answers: dict[str, list[int]] = {}
        self.accepted: list[dict] = []
        self.refused: list[tuple[str, int]] = []
        self._url, self._run = url, run
        self._auth = {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}
        self.stopping = threading.Event()

    def mail(self, lead: int) -> str:
        return f"lead{lead}.{self._run}@fire{lead}.example"

    def run(self) -> None:
        sequence = 0
        with httpx.Client(headers=self._auth, timeout=20) as client:
            while not self.stopping.is_set():
                for lead in range(LEADS):
                    self._send(client, self._event(lead, sequence))
                    if sequence % 3 == 0:  # an impatient sender: the same again, though it was taken
                        self._send(client, self._event(lead, sequence))
                sequence += 1

    def _event(self, lead: int, sequence: int) -> dict:
        mail = self.mail(lead)
        event = {"messageId": f"{self._run}-{lead}-{sequence}", "userId": mail, "type": "track"}
        if sequence == 0:
            return event | {
                "type": "identify",
                "traits": {"email": mail, "title": "部長", "company": {"employees": 800}},
            }
        names = {1: "Pricing Page Viewed", 2: "Demo Requested"}
        return event | {
            "event": names.get(sequence, "Whitepaper Downloaded"),
            "properties": {"campaign": f"c{sequence}"},
        }

    def _send(self, client: httpx.Client, event: dict) -> None:
        while True:
            try:
                status = client.post(f"{self._url}/v1/{event['type']}", json=event).status_code
            except httpx.HTTPError:
                status = 0
            self.answers.setdefault(event["messageId"], []).append(status)
            if status not in (0, 200, 503):
                self.refused.append((event["messageId"], status))
                return
            if status == 200:
                self.accepted.append(event)
                return
            time.sleep(0.05)  # a sender that backs off


@pytest.fixture(scope="module")
def everything(baton, whole_topic):
    """All records of a topic."""

    def read(topic: str) -> list[dict]:
        records = asyncio.run(whole_topic(baton.env["KAFKA_BOOTSTRAP_SERVERS"], topic))
        return [orjson.loads(record.value) for record in records]

    return read


@pytest.fixture(scope="module")
def stream(baton):
    """A stream of touches during which each service and Kafka is killed once."""
    sender = Sender(baton.env["INGEST_URL"], baton.env["DEMO_WRITE_KEY"], uuid4().hex[:8])
    sender.start()
    for victim in VICTIMS:
        before = len(sender.accepted)
        baton.until(
            lambda before=before: len(sender.accepted) > before + 2 * LEADS, f"touches before {victim} is killed"
        )
        baton.kill(victim)
    before = len(sender.accepted)
    baton.until(lambda: len(sender.accepted) > before + 2 * LEADS, "touches after the last kill")
    sender.stopping.set()
    sender.join(60)
    assert not sender.is_alive(), "the sender still waits for an answer"
    metrics = f"{baton.env['INGEST_URL']}/metrics"
    baton.until(lambda: "\nbaton_ingest_spool_rows 0.0\n" in httpx.get(metrics).text, "an empty spool")
    return sender


def recomputed(touches: list[dict]) -> tuple[float, float, str]:
    """Fit, engagement and grade of one lead from its touches alone, in the order in which they stand here, read once."""
    body = YAML(typ="safe").load((ROOT / "policies/northstar/scoring.yaml").read_text())
    rules = Rules(ScoringPolicy.model_validate(body), PolicyRef(sequence=1, hash="h"))
    lead = touches[0]["lead_id"]
    told = Told("northstar", lead, [(wire.decode("touchpoints", orjson.dumps(touch)), None) for touch in touches])
    scored = score(join(told, LeadState(), rules).finish(), lead, rules)
    return scored.fit.total / 1000, scored.engagement.total / 1000, scored.grade


def mine(records, sender):
    """Those of `records` that are events of the stream."""
    wanted = {ids.derived_id("event", "northstar", "website", event["messageId"]) for event in sender.accepted}
    return [record for record in records if record.get("event_id") in wanted]


def test_what_was_accepted_is_on_the_topic_with_one_body_per_event(baton, stream, everything):
    told = {event["messageId"] for event in stream.accepted}
    assert len(told) > len(VICTIMS) * LEADS
    assert stream.refused == [], "a good event was told to go away for good"
    assert any(0 in statuses or 503 in statuses for statuses in stream.answers.values()), "nobody noticed the kills"
    records = mine(everything("touchpoints"), stream)
    bodies: dict[str, set[bytes]] = {}
    for record in records:
        bodies.setdefault(record["event_id"], set()).add(orjson.dumps(record, option=orjson.OPT_SORT_KEYS))
    assert len(bodies) == len(told), "lost or invented"
    assert {len(versions) for versions in bodies.values()} == {1}, "two bodies of one event"


def test_every_score_equals_the_one_of_an_undisturbed_reading(baton, stream, everything):
    touches = mine(everything("touchpoints"), stream)
    by_lead: dict[str, list[dict]] = {}
    for touch in touches:
        by_lead.setdefault(touch["lead_id"], []).append(touch)
    assert len(by_lead) == LEADS
    for number in range(LEADS):
        lead = baton.lead(stream.mail(number))
        expected = recomputed(by_lead[lead["lead_id"]])

        def settled(number=number, expected=expected):
            score = baton.lead(stream.mail(number))["score"]
            return (score["fit"], score["engagement"], score["grade"]) == expected

        baton.until(settled, f"lead {number}: fit, engagement and grade {expected}", 120)


def test_every_lead_has_one_opportunity_and_one_owner_that_router_and_handoff_agree_on(baton, stream):
    for number in range(LEADS):
        mail = stream.mail(number)
        baton.until(
            lambda mail=mail: baton.opportunities(baton.lead(mail)["lead_id"]), f"an opportunity of {mail}", 120
        )

        def agreed(mail=mail):
            lead = baton.lead(mail)
            found = baton.opportunities(lead["lead_id"])
            return len(found) == 1 and lead["owner"] and lead["owner"]["rep_id"] == found[0]["owner"]["rep_id"]

        baton.until(agreed, f"one owner of {mail}", 120)


def test_a_lead_was_routed_once_per_assignment_and_its_opportunity_opened_once(baton, stream, everything):
    leads = {baton.lead(stream.mail(number))["lead_id"] for number in range(LEADS)}
    routed = everything("lead-routed")
    offers: dict[tuple[str, int], set[str]] = {}
    for record in routed:
        if record["lead_id"] in leads and record["record"] == "lead-routed":
            offers.setdefault((record["lead_id"], record["assignment"]), set()).add(record["rep_id"])
    assert {lead for lead, _ in offers} == leads
    assert all(len(reps) == 1 for reps in offers.values()), "one assignment, two reps"
    events = everything("handoff-events")
    opened = Counter(
        event["opportunity_id"] for event in events if event["kind"] == "offer-opened" and event["lead_id"] in leads
    )
    assert len(opened) == LEADS


def test_nothing_of_the_stream_went_to_the_dead_letters(baton, stream, everything):
    for topic in ("touchpoints-dlq", "lead-scored-dlq", "lead-routed-dlq", "handoff-events-dlq"):
        assert everything(topic) == []
