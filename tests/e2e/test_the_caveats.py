"""What a score alone gets wrong, and what the gate makes of it: each a story from the first page view to the words that say why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from ruamel.yaml import YAML
from segment.analytics.client import Client

from services.router.domain.exploring import drawn

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parent.parent.parent
OURS = {"lead.domain": {"suffix": "-caveats.example"}}  # so that no lead of another test is concerned
SEGMENT = {
    "id": "caveats",
    "when": {**OURS},
    "mql": ["B1", "B2", "B3"],
    "one_person": {"people": 2, "verdict": "inside_sales_check"},
    "falling": "inside_sales_check",
    "explore": {"share": 0.5, "grades": ["C3"]},
}
EXCLUDE = [
    {"id": "rival", "when": OURS | {"lead.kind": {"eq": "competitor"}}, "outcome": "never"},
    {"id": "student", "when": OURS | {"lead.kind": {"eq": "student"}}, "outcome": "disqualify"},
]


@pytest.fixture(scope="module")
def gate(baton, tmp_path_factory):
    """Northstar's gate, with the caveats of leads of these stories."""
    folder = tmp_path_factory.mktemp("policies") / "northstar"
    shutil.copytree(ROOT / "policies" / "northstar", folder)
    yaml, file = YAML(typ="safe"), folder / "qualification.yaml"
    policy = yaml.load(file)
    policy["gate"] |= {"segments": [SEGMENT], "exclude": EXCLUDE}
    file.write_text(json.dumps(policy, indent=1))  # which is YAML, without its anchors
    command = [sys.executable, "-m", "baton", "policy", "apply", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=baton.own_environment(), cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def company():
    return f"{uuid4().hex[:8]}-caveats.example"


@pytest.fixture
def tell(baton, gate):
    """tell(mail, traits, views): a person makes themselves known, and looks at prices, so many days ago."""
    refused = []
    client = Client(
        baton.env["DEMO_WRITE_KEY"],
        host=baton.env["INGEST_URL"],
        sync_mode=True,
        on_error=lambda *error: refused.append(error),
    )

    def say(mail, *, title="課長", days_ago=0, demo=False, **traits):
        at = datetime.now(UTC) - timedelta(days=days_ago)
        company = {"name": "Kumo", "employees": 450}
        client.identify(mail, {"email": mail, "title": title, "company": company, **traits}, timestamp=at)
        for number in range(3):
            client.page(mail, name="Pricing", properties={"path": "/pricing", "visit": number}, timestamp=at)
        if demo:
            client.track(mail, "Demo Requested", {})

    yield say
    client.flush()
    assert not refused


def decided(baton, mail, code, **detail):
    """The lead, once its latest decision says this."""
    found = {}

    def told():
        lead = baton.lead(mail)
        reasons = lead["decision"]["reasons"] if lead and lead["decision"] else []
        found.update({"lead": lead, "reasons": [(reason["code"], reason["detail"]) for reason in reasons]})
        return any(
            one == code and all(said.get(name) == value for name, value in detail.items())
            for one, said in found["reasons"]
        )

    baton.until(told, f"{code} {detail}", 60)
    return found["lead"]


def test_one_persons_private_interest_is_looked_at_by_inside_sales_until_a_colleague_comes(baton, tell, company):
    tell(f"kato@{company}")
    alone = decided(baton, f"kato@{company}", "gate_inside_sales_check", lowered_by=["one_person"])
    assert (alone["stage"], alone["leg"]) == ("aql", "is")
    tell(f"mori@{company}")
    colleague = decided(baton, f"mori@{company}", "gate_mql")
    assert colleague["stage"] == "mql"


def test_who_did_much_and_does_nothing_any_more_is_no_mql(baton, tell, company):
    tell(f"kato@{company}", days_ago=16)  # more than a half-life
    lead = decided(baton, f"kato@{company}", "gate_inside_sales_check")
    [gated] = [one for one in lead["decision"]["reasons"] if one["code"] == "gate_inside_sales_check"]
    assert (lead["trend"], gated["detail"]["lowered_by"]) == ("falling", ["falling"])


@pytest.mark.parametrize(
    ("rule", "traits", "waiting"),
    [("rival", {"kind": "competitor"}, "below_gate"), ("student", {"title": "大学院生"}, "disqualified")],
)
def test_a_competitor_or_student_who_wants_a_demo_gets_none(baton, tell, company, rule, traits, waiting):
    tell(f"kato@{company}", demo=True, **traits)
    lead = decided(baton, f"kato@{company}", "gate_nurture", by="excluded", rule=rule)
    assert (lead["owner"], lead["waiting"]["reason"]) == (None, waiting)
    assert baton.opportunities(lead["lead_id"]) == []


def test_a_share_of_what_the_gate_leaves_below_it_is_looked_at_all_the_same(baton, tell, company):
    people = [f"p{n}@{company}" for n in range(6)]
    for mail in people:
        tell(mail, title="")
    for mail in people:
        baton.until(lambda mail=mail: (lead := baton.lead(mail)) and lead["grade"] == "C3", f"the grade of {mail}")
        lead = baton.lead(mail)
        explored = "explored" in [reason["code"] for reason in lead["decision"]["reasons"]]
        assert explored is drawn("northstar", lead["lead_id"], 0.5), "which ones follows from the lead alone"
        assert (lead["stage"], lead["leg"]) == (("aql", "is") if explored else ("inquiry", None))
        assert explored or lead["waiting"]["reason"] == "below_gate"


def test_who_asks_to_be_called_later_is_with_sales_again_at_that_very_moment(baton, tell, company):
    mail = f"kato@{company}"
    tell(mail, demo=True)
    baton.until(lambda: (lead := baton.lead(mail)) and baton.opportunities(lead["lead_id"]), "an opportunity")
    [first] = baton.opportunities(baton.lead(mail)["lead_id"])
    until = datetime.now(UTC) + timedelta(seconds=20)
    url = f"{baton.env['HANDOFF_URL']}/v1/opportunities/{first['id']}/decline"
    answer = baton.api.post(url, json={"reason": "not_now", "until": until.isoformat()})
    assert answer.status_code == 200, answer.text
    seen = []

    def is_on_hold():
        seen.append(baton.lead(mail)["waiting"])
        return seen[-1] and seen[-1]["reason"] == "on_hold"

    baton.until(is_on_hold, "the news at the router")
    assert abs(datetime.fromisoformat(seen[-1]["until"]) - until) < timedelta(milliseconds=2)
    lead = decided(baton, mail, "call_later")
    assert datetime.fromisoformat(lead["decision"]["at"]) >= until - timedelta(milliseconds=2)
    assert lead["cycle"] == 2
    baton.until(lambda: len(baton.opportunities(lead["lead_id"])) == 2, "an opportunity of its own")
