"""One lead travels the whole way, sent by the real client library."""

from __future__ import annotations

import subprocess
import sys
from uuid import uuid4

import pytest
from segment.analytics.client import Client

pytestmark = pytest.mark.servers

BANT = {"budget": "approved", "authority": "decision maker", "need": "routing is slow", "timeline": "3 months"}


@pytest.fixture
def person():
    """A mail address that nobody has had before."""
    return f"kato.{uuid4().hex[:8]}@kumo-systems.example"


@pytest.fixture
def send(baton):
    """A client that answers for each of its messages."""
    refused = []
    client = Client(
        baton.env["DEMO_WRITE_KEY"],
        host=baton.env["INGEST_URL"],
        sync_mode=True,
        on_error=lambda *error: refused.append(error),
    )
    yield client
    client.flush()
    assert not refused


def hot(send, mail):
    send.identify(mail, {"email": mail, "title": "課長", "company": {"name": "Kumo Systems", "employees": 450}})
    for number in range(3):
        send.page(mail, name="Pricing", properties={"path": "/pricing", "visit": number})
    send.track(mail, "Demo Requested", BANT)


def test_a_hot_lead_becomes_an_opportunity_that_somebody_is_offered(baton, send, person):
    hot(send, person)
    baton.until(lambda: (lead := baton.lead(person)) and baton.opportunities(lead["lead_id"]), "an opportunity")
    lead = baton.lead(person)
    opportunity = baton.opportunities(lead["lead_id"])[0]
    assert lead["score"]["grade"] == "B1"
    assert lead["score"]["fit"] == 50
    parts = lead["score"]["parts"]
    assert sum(part["points"] for part in parts["fit"]) == pytest.approx(lead["score"]["fit"])
    assert sum(part["points"] for part in parts["engagement"]) == pytest.approx(lead["score"]["engagement"])
    assert lead["decision"]["reasons"], "a decision without a reason"
    baton.until(lambda: baton.lead(person)["owner"], "an owner at the router")
    assert baton.lead(person)["owner"]["rep_id"] == opportunity["owner"]["rep_id"]
    clocks = {clock["kind"]: clock["state"] for clock in opportunity["clocks"]}
    assert clocks == {"accept": "running", "first_touch": "running"}


def test_a_single_page_view_stays_with_marketing_and_says_why(baton, send, person):
    send.identify(person, {"email": person, "title": "課長", "company": {"name": "Kumo Systems", "employees": 450}})
    send.page(person, name="Home", properties={"path": "/"})
    baton.until(lambda: (lead := baton.lead(person)) and lead["score"]["engagement"], "a score")
    lead = baton.lead(person)
    assert lead["owner"] is None
    assert lead["waiting"]["reason"] == "below_gate"
    assert baton.opportunities(lead["lead_id"]) == []


def test_what_was_seen_before_somebody_said_who_they_are_counts(baton, send, person):
    visitor = uuid4().hex
    for number in range(3):
        send.page(anonymous_id=visitor, name="Pricing", properties={"path": "/pricing", "visit": number})
    traits = {"email": person, "title": "課長", "company": {"employees": 450}}
    send.identify(person, traits, anonymous_id=visitor)
    baton.until(lambda: (lead := baton.lead(person)) and lead["score"]["engagement"] >= 23, "the visitor's points")


def test_a_declined_lead_goes_to_somebody_else_and_an_accepted_one_stays(baton, send, person):
    hot(send, person)
    baton.until(lambda: (lead := baton.lead(person)) and baton.opportunities(lead["lead_id"]), "an opportunity")
    lead = baton.lead(person)["lead_id"]
    first = baton.opportunities(lead)[0]
    url = f"{baton.env['HANDOFF_URL']}/v1/opportunities/{first['id']}"
    unknown = baton.api.post(f"{url}/decline", json={"reason": "no-such-reason"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_reason")
    assert baton.api.post(f"{url}/decline", json={"reason": "at_capacity"}).status_code == 200
    baton.until(
        lambda: (now := baton.opportunities(lead)[0]["owner"]) and now["rep_id"] != first["owner"]["rep_id"],
        "another rep",
    )
    assert baton.api.post(f"{url}/accept", json={}).status_code == 200
    touch = {"type": "call_connected", "id": "call-1", "note": "spoke to her"}
    assert baton.api.post(f"{url}/activities", json=touch).status_code in (200, 201)
    baton.until(
        lambda: {c["state"] for c in baton.api.get(url).json()["clocks"] if c["kind"] == "first_touch"} >= {"met"},
        "a met clock",
    )
    baton.until(lambda: baton.lead(person)["stage"] == "sal", "the stage at the router")
    assert len(baton.opportunities(lead)) == 1


def test_explain_says_it_in_words(baton, send, person):
    hot(send, person)
    baton.until(lambda: (lead := baton.lead(person)) and baton.opportunities(lead["lead_id"]), "an opportunity")
    command = [sys.executable, "-m", "baton", "explain", person]
    done = subprocess.run(command, capture_output=True, text=True, env=baton.own_environment(), check=False)
    assert done.returncode == 0, done.stderr
    assert "B1" in done.stdout
    nobody = [sys.executable, "-m", "baton", "explain", "nobody@nowhere.example"]
    refused = subprocess.run(nobody, capture_output=True, text=True, env=baton.own_environment(), check=False)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr


def test_timeline_tells_what_led_to_the_offer_in_order(baton, send, person):
    hot(send, person)
    baton.until(lambda: (lead := baton.lead(person)) and baton.opportunities(lead["lead_id"]), "an opportunity")
    command = [sys.executable, "-m", "baton", "timeline", person]

    def told():
        done = subprocess.run(command, capture_output=True, text=True, env=baton.own_environment(), check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    baton.until(lambda: " touch " in told(), "the touches at handoff", 30)
    kinds = [line.split()[3] for line in told().splitlines()]
    assert kinds.index("touch") < kinds.index("decision") < kinds.index("offer")
    without = subprocess.run([*command, "--no-touches"], capture_output=True, text=True, env=baton.own_environment())
    assert not {"touch", "identity"} & {line.split()[3] for line in without.stdout.splitlines()}
    assert "offer" in without.stdout
