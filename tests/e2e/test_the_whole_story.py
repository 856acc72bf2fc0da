"""Three leads from their first page view on: one is won and handed to the account manager, one is sent back by field sales, one
rests and comes again. Chat and webhooks are real: what is told, is told once, and adds up to what happened."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from ruamel.yaml import YAML
from segment.analytics.client import Client
from standardwebhooks import Webhook

from shared.kit.auth import token_hash

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parent.parent.parent
TENANT = f"story-{uuid4().hex[:8]}"
WRITE_KEY = f"wk_{uuid4().hex}"
PHONE_KEY = f"wk_{uuid4().hex}"
ACCEPT = 40  # seconds in which an offer by score is to be accepted; whoever asks to be called is given long enough
INSIDE, FIELD, MANAGER, ACCOUNTS = ("mori", "noda"), ("sato", "tanaka"), "ueda", "abe"
HANDOVER = {
    "first_meeting": (datetime.now(UTC) + timedelta(days=10)).isoformat(timespec="seconds"),
    "participants": ["田辺 舞", "木村 部長"],
    "memo": "棚卸の手間が課題。来期の予算化を検討中",
}
BANT = {"N1": "stated", "T1": "3m", "A1": "decision", "B1": "applied"}
CONFIRMED = [
    *("users-met", "it-met", "decision-maker-named", "rivals-known", "demo-done", "proposal-delivered"),
    *("decision-maker-met", "terms-agreed", "security-legal-done", "ringi-pack-given", "ringi-drafted"),
    *("ringi-route-known", "ringi-approved"),
]
STORY = [  # of the lead that is won: what happens, and by whom or to whom
    *(("offer.opened", "missed"), ("clock.reminder", "missed"), ("clock.escalated", "missed")),
    *(("clock.breached", "missed"), ("offer.expired", "missed")),
    *(("offer.opened", "inside"), ("offer.accepted", "inside"), ("activity.logged", "inside")),
    *[("answer.recorded", "inside")] * 4,
    ("lead.qualified", "inside"),
    *(("offer.opened", "field"), ("offer.accepted", "field"), ("activity.logged", "field"), ("deal.changed", "field")),
    *[("stakeholder.changed", None)] * 2,
    *[("approval.changed", None)] * 4,
    *(("deal.changed", "field"), ("deal.handed.over", "field")),
]
IN_MORE_WORDS = {"stakeholder.changed", "approval.changed"}  # the timeline says which way
POLICIES = {
    "sources": {
        "sources": [
            {"id": "website", "kind": "segment", "write_keys": ["file:$HERE/key"]},
            {"id": "telephone", "kind": "segment", "write_keys": ["file:$HERE/phone"], "trusted": True},
        ],
        "campaigns": [],
    },
    "teams": {
        "channels": [{"id": "chat", "url": "file:$HERE/chat", "personal": True}],
        "reps": [
            {"id": rep, "name": rep.title(), "zone": "Asia/Tokyo", "notify": [{"channel": "chat", "to": rep}]}
            | ({} if rep == MANAGER else {"manager": MANAGER})
            for rep in (*INSIDE, *FIELD, MANAGER, ACCOUNTS)
        ],
        "pools": [
            {"id": "inside", "members": [{"rep": rep} for rep in INSIDE]},
            {"id": "field", "members": [{"rep": rep} for rep in FIELD]},
        ],
    },
    "routing": {
        "rules": [
            {"id": "inside", "legs": ["is"], "when": {}, "pool": "inside"},
            {"id": "field", "legs": ["fs"], "when": {}, "pool": "field"},
        ]
    },
    "sla": {
        "classes": [
            {"id": "hand_raise", "touch_types": ["demo_requested"], "accept": 600, "first_touch": 1200},
        ],
        "default": {
            "id": "score",
            "accept": ACCEPT,
            "first_touch": 600,
            "remind": [50],
            "escalate": [{"at": 75, "do": "tell_manager"}],
        },
    },
    "qualification": {"handover": ["first_meeting", "participants", "memo"]},
}  # the rest is Northstar's


class Told:
    """Chat and webhooks in one: a server that keeps what it is sent."""

    def __init__(self) -> None:
        self.chat: list[tuple[str, str]] = []  # to whom, what
        self.hooks: list[tuple[dict[str, str], bytes]] = []
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                where, _, who = self.path.strip("/").partition("/")
                if where == "chat":
                    message = json.loads(body)
                    told.chat.append((who, f"{message['title']}\n{message['message']}"))
                else:
                    told.hooks.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Company:
    """The tenant: its website, its reps with a token each, and what a system of theirs sees."""

    def __init__(self, baton, told: Told) -> None:
        self.baton, self.told = baton, told
        tokens = {name: uuid4().hex for name in (*INSIDE, *FIELD, MANAGER, "crm")}
        asyncio.run(self._let_in(tokens))
        self.people = {name: self._client(token) for name, token in tokens.items()}
        self.crm = self.people["crm"]
        self.refused: list[object] = []
        self.website, self.telephone = (self._sender(key) for key in (WRITE_KEY, PHONE_KEY))

    def _sender(self, key: str) -> Client:
        where = self.baton.env["INGEST_URL"]
        return Client(key, host=where, sync_mode=True, on_error=lambda *error: self.refused.append(error))

    async def _let_in(self, tokens: dict[str, str]) -> None:
        owner = await asyncpg.connect(self.baton.env["DATABASE_URL"])
        roles = {"crm": "api", MANAGER: "manager"}
        try:
            await owner.executemany(
                "INSERT INTO auth.tokens (tenant, hash, name, roles) VALUES ($1, $2, $3, $4)",
                [(TENANT, token_hash(token), name, [roles.get(name, "rep")]) for name, token in tokens.items()],
            )
        finally:
            await owner.close()

    def _client(self, token: str) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.baton.env["HANDOFF_URL"], headers=headers, timeout=30)

    def visits(self, mail: str, *, asks: bool = False) -> None:
        """Somebody makes themselves known, looks at prices three times, and reads on, or asks for a demo."""
        company = {"name": f"{mail.partition('@')[0]} 機械", "employees": 450}
        self.website.identify(mail, {"email": mail, "title": "課長", "company": company})
        for number in range(3):
            self.website.page(mail, name="Pricing", properties={"path": "/pricing", "visit": number})
        self.website.track(mail, "Demo Requested" if asks else "Whitepaper Downloaded", {})

    def lead(self, mail: str) -> dict | None:
        answer = self.crm.get(f"{self.baton.env['ROUTER_URL']}/v1/leads", params={"email": mail})
        return answer.json() if answer.status_code == 200 else None

    def of(self, mail: str) -> list[dict]:
        """The opportunities of a lead, the newest first."""
        lead = self.lead(mail)
        found = self.crm.get("/v1/opportunities", params={"lead_id": lead["lead_id"]}).json() if lead else {"items": []}
        return found["items"]

    def offered(self, mail: str, leg: str, *, cycle: int = 1) -> dict:
        """The opportunity, once somebody of this leg is asked."""
        self.baton.until(lambda: self._is_with(mail, leg, cycle), f"an offer of {mail} to {leg}", 30)
        return self._is_with(mail, leg, cycle)

    def _is_with(self, mail: str, leg: str, cycle: int) -> dict | None:
        found = [one for one in self.of(mail) if one["cycle"] == cycle and one["leg"] == leg and one["owner"]]
        return found[0] if found else None

    def does(self, who: str, method: str, path: str, *, status: int = 200, **more) -> dict:
        """Somebody asks for something, and is answered so."""
        answer = self.people[who].request(method, f"/v1/opportunities/{path}", **more)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def met(self, mail: str) -> set[str]:
        """Criteria that are met as the router knows it, by what inside sales said."""
        criteria = self.lead(mail)["qualification"]["criteria"]
        return {
            name
            for name, one in criteria.items()
            if one["state"] == "met" and {said["source"] for said in one["answers"]} == {"handoff/inside_sales"}
        }

    def listens(self) -> str:
        """The CRM wants to hear everything; the secret by which it knows who speaks."""
        url = f"http://127.0.0.1:{self.told.port}/hooks"
        made = self.crm.post("/v1/endpoints", json={"url": url})
        assert made.status_code == 201, made.text
        return made.json()["secret"]

    def events(self) -> list[dict]:
        """The change feed, page by page from its beginning."""
        found, after = [], {}
        while page := (answer := self.crm.get("/v1/events", params={"limit": 20} | after).json())["items"]:
            found += page
            after = {"after": answer["next"]}
        return found

    def hears(self, who: str, *words: str) -> str:
        """What somebody is told in chat with all of these words; waited for."""

        def found() -> list[str]:
            return [text for to, text in self.told.chat if to == who and all(word in text for word in words)]

        try:
            self.baton.until(found, "the message", 30)
        except pytest.fail.Exception:
            pytest.fail(f"{who} did not hear of {words}; this was said: {self.told.chat}")
        return found()[0]


@pytest.fixture(scope="module")
def company(baton, tmp_path_factory):
    told = Told()
    here = tmp_path_factory.mktemp("story")
    (here / "key").write_text(WRITE_KEY)
    (here / "phone").write_text(PHONE_KEY)
    (here / "chat").write_text(f"json://127.0.0.1:{told.port}/chat/{{to}}?rto=60&cto=60")
    folder = here / TENANT
    shutil.copytree(ROOT / "policies" / "northstar", folder)
    yaml = YAML(typ="safe")
    for kind, other in POLICIES.items():
        file = folder / f"{kind}.yaml"
        file.write_text(json.dumps(yaml.load(file) | other, default=str).replace("$HERE", str(here)))  # which is YAML
    apply = [sys.executable, "-m", "baton", "policy", "apply", str(folder)]
    done = subprocess.run(apply, capture_output=True, text=True, env=baton.own_environment(), cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = Company(baton, told)
    yield made
    told.stop()
    for client in made.people.values():
        client.close()
    assert not made.refused


def test_three_leads_from_the_first_page_view_to_their_end_and_everybody_hears_of_it_once(company):
    won, back, rests = (f"{name}@{name}-kikai.example" for name in ("tanabe", "kimura", "ogawa"))
    secret = company.listens()

    deal, inside = nobody_reacts_and_the_next_rep_takes_it_by_the_link(company, won)
    inside_sales_asks_and_passes_it_on(company, won, deal, inside)
    field = field_sales_takes_it(company, won, deal)
    stages_ask_for_what_is_missing(company, deal, field)
    the_customer_decides(company, deal, field)
    it_is_won_and_handed_over(company, won, deal, field)

    returned = field_sales_sends_it_back(company, back)
    first, again = it_rests_and_comes_again(company, rests)

    events = company.events()
    who = {"missed": next(rep for rep in INSIDE if rep != inside), "inside": inside, "field": field}
    the_feed_tells_it_all(events, deal, who)
    each_has_one_owner_at_a_time(events, [deal, returned, first, again])
    webhooks_say_the_same(company, events, secret)
    nobody_is_told_twice(company)
    the_timeline_tells_it_all(company, deal, who)


def nobody_reacts_and_the_next_rep_takes_it_by_the_link(company, mail):
    company.visits(mail)
    first = company.offered(mail, "is")["owner"]["rep_id"]
    second = next(rep for rep in INSIDE if rep != first)
    missed = link_in(company.hears(first, "リードのご案内", "tanabe 機械"))
    company.hears(first, "期限のリマインド", "50%")
    company.hears(MANAGER, "対応遅れのお知らせ", "75%", first.title())
    company.hears(first, "期限切れによる担当解除")

    link = link_in(company.hears(second, "リードのご案内", "tanabe 機械"))
    opportunity = company.offered(mail, "is")["id"]
    for scanner in ("HEAD", "GET", "GET"):
        assert httpx.request(scanner, link, timeout=60).status_code == 200
    assert company.does(second, "GET", opportunity)["owner"]["state"] == "offered", "looking at it accepts nothing"
    assert httpx.post(missed, data={"do": "accept"}, timeout=60).status_code == 409, "too late"
    assert httpx.post(link, data={"do": "accept"}, timeout=60).status_code == 200
    owner = company.does(second, "GET", opportunity)["owner"]
    assert owner == {"rep_id": second, "name": second.title(), "state": "accepted"}
    again = httpx.post(link, data={"do": "decline", "reason": "at_capacity"}, timeout=60)
    assert again.status_code == 409, "it works once"
    return opportunity, second


def inside_sales_asks_and_passes_it_on(company, mail, deal, rep):
    company.does(rep, "POST", f"{deal}/calls", json={"result": "connected", "note": "棚卸に120時間"})
    for question, value in BANT.items():
        said = {"question": question, "value": value, "source": "inside_sales"}
        known = company.does(rep, "POST", f"{deal}/answers", json=said)
    assert known["enough"]
    company.baton.until(lambda: company.met(mail) == {"need", "timeline", "authority", "budget"}, "BANT at the router")
    lacking = company.does(rep, "POST", f"{deal}/qualify", json={"memo": HANDOVER["memo"]}, status=422)
    assert lacking["missing"] == ["first_meeting", "participants"]
    company.does(rep, "POST", f"{deal}/qualify", json=HANDOVER)


def field_sales_takes_it(company, mail, deal):
    offered = company.offered(mail, "fs")
    rep = offered["owner"]["rep_id"]
    assert offered["id"] == deal
    company.hears(rep, "リードのご案内", "tanabe 機械")
    for _ in range(2):  # the answer got lost, say: sent again, it is done once
        seen = company.does(rep, "POST", f"{deal}/accept", json={}, headers={"idempotency-key": '"taken"'})
    assert (rep in FIELD, seen["stage"]) == (True, "accepted")
    heard = {(one["criterion"], one["code"]) for one in seen["evidence"] if one["source_id"] == "handoff/inside_sales"}
    assert heard == set(BANT.items()), "what inside sales was told came with the lead"
    [told] = seen["handovers"]
    assert (told["participants"], told["memo"]) == (HANDOVER["participants"], HANDOVER["memo"])
    company.telephone.track(mail, "Call Connected", {"rep_id": rep})
    company.baton.until(
        lambda: "met" in first_touches(company, rep, deal), "the call that the telephone system told of"
    )
    company.does(rep, "POST", f"{deal}/activities", json={"type": "meeting_held", "id": "first meeting"})
    return rep


def first_touches(company, rep, deal):
    """The states of the first-touch clocks of whoever has it now."""
    seen = company.does(rep, "GET", deal)
    last = seen["offers"][-1]["assignment"]
    return [one["state"] for one in seen["clocks"] if (one["kind"], one["assignment"]) == ("first_touch", last)]


def stages_ask_for_what_is_missing(company, deal, rep):
    refused = company.does(rep, "POST", f"{deal}/deal/move", json={"to": "discovery"}, status=409)
    assert fields(refused) == {"problem", "amount", "expected_close"}, "the first meeting was handed over"
    known = {
        "problem": "棚卸に毎月120時間",
        "amount": "12000",
        "expected_close": (datetime.now(UTC) + timedelta(days=120)).date().isoformat(),
    }
    company.does(rep, "PATCH", f"{deal}/deal", json=known, status=428)
    company.does(rep, "PATCH", f"{deal}/deal", json=known, headers={"if-match": '"0"'})
    company.does(rep, "PATCH", f"{deal}/deal", json={"amount": "9000"}, headers={"if-match": '"0"'}, status=412)
    assert company.does(rep, "POST", f"{deal}/deal/move", json={"to": "discovery"})["in_pipeline"]
    refused = company.does(rep, "POST", f"{deal}/deal/move", json={"to": "ringi"}, status=409)
    assert {"impact", "success_criteria", "confirmed.users-met"} < fields(refused)
    known = {
        "impact": "月40万円",
        "decision_process": "課長起案、役員決裁",
        "success_criteria": "棚卸を半分の時間で",
        "confirmed": dict.fromkeys(CONFIRMED[:-1], True),  # all but the approval itself
    }
    company.does(rep, "PATCH", f"{deal}/deal", json=known, headers={"if-match": '"2"'})
    company.does(rep, "POST", f"{deal}/deal/move", json={"to": "ringi"})


def fields(refused):
    return {one["field"] for one in refused["missing"]}


def the_customer_decides(company, deal, rep):
    people = {
        "tanabe": {
            "name": "田辺 舞",
            "department": "情報システム課",
            "roles": ["drafter", "champion"],
            "stance": "support",
        },
        "kimura": {"name": "木村 一郎", "department": "経営企画部", "roles": ["decision_maker"], "stance": "neutral"},
    }
    company.does(rep, "PUT", f"{deal}/stakeholders/tanabe", json=people["tanabe"])
    risks = company.does(rep, "GET", f"{deal}/stakeholders")["risks"]
    assert "no_decision_maker" in {risk["code"] for risk in risks}
    company.does(rep, "PUT", f"{deal}/stakeholders/kimura", json=people["kimura"])
    risks = company.does(rep, "GET", f"{deal}/stakeholders")["risks"]
    assert "no_decision_maker" not in {risk["code"] for risk in risks}

    route = {"steps": [{"part": "drafter", "stakeholder": "tanabe"}]}
    company.does(rep, "PUT", f"{deal}/approval", json=route)
    company.does(rep, "POST", f"{deal}/approval/state", json={"state": "submitted"}, status=409)
    route["steps"].append({"part": "approver", "stakeholder": "kimura"})
    company.does(rep, "PUT", f"{deal}/approval", json=route)
    for state in ("submitted", "approved"):
        assert company.does(rep, "POST", f"{deal}/approval/state", json={"state": state})["state"] == state


def it_is_won_and_handed_over(company, mail, deal, rep):
    approved = {"confirmed": {CONFIRMED[-1]: True}}
    company.does(rep, "PATCH", f"{deal}/deal", json=approved, headers={"if-match": "*"})
    refused = company.does(rep, "POST", f"{deal}/deal/win", json={}, status=409)
    assert [one["field"] for one in refused["missing"]] == ["ordered_on"]
    ordered = datetime.now(UTC).date().isoformat()
    assert company.does(rep, "POST", f"{deal}/deal/win", json={"ordered_on": ordered})["stage"] == "won"
    refused = company.does(rep, "POST", f"{deal}/deal/hand-over", json={"account_manager": ACCOUNTS}, status=409)
    lacking = [one["field"].removeprefix("handover.") for one in refused["missing"]]
    assert lacking == ["contract", "onboarding", "stakeholders", "promises"]
    told = {"account_manager": ACCOUNTS, "items": dict.fromkeys(lacking, "申し送り済み")}
    assert company.does(rep, "POST", f"{deal}/deal/hand-over", json=told)["handed_over_at"]
    company.baton.until(lambda: company.lead(mail)["stage"] == "won", "the news at the router")


def field_sales_sends_it_back(company, mail):
    company.visits(mail, asks=True)
    offered = company.offered(mail, "is")
    deal, inside = offered["id"], offered["owner"]["rep_id"]
    company.does(inside, "POST", f"{deal}/accept", json={})
    company.does(inside, "POST", f"{deal}/qualify", json=HANDOVER)
    field = company.offered(mail, "fs")["owner"]["rep_id"]
    company.does(field, "POST", f"{deal}/calls", json={"result": "send_back", "reason": "insufficient_info"})
    company.hears(inside, "リードの差し戻し", "kimura 機械", "情報不足")
    again = company.offered(mail, "is")
    assert (again["id"], again["stage"]) == (deal, "offered")
    company.hears(again["owner"]["rep_id"], "リードのご案内", "kimura 機械")
    company.does(again["owner"]["rep_id"], "POST", f"{deal}/accept", json={})
    return deal


def it_rests_and_comes_again(company, mail):
    company.visits(mail, asks=True)
    offered = company.offered(mail, "is")
    rep = offered["owner"]["rep_id"]
    company.does(rep, "POST", f"{offered['id']}/accept", json={})
    given_back = datetime.now(UTC)
    company.does(rep, "POST", f"{offered['id']}/decline", json={"reason": "reorganisation"})
    company.baton.until(lambda: (company.lead(mail)["waiting"] or {}).get("reason") == "recycled", "rest at the router")
    until = datetime.fromisoformat(company.lead(mail)["waiting"]["until"])
    assert timedelta(0) <= until - given_back - timedelta(days=90) < timedelta(minutes=1)
    assert company.does(rep, "GET", offered["id"])["stage"] == "recycled"

    company.website.track(mail, "Demo Requested", {"again": True})  # sooner than that
    again = company.offered(mail, "is", cycle=2)
    assert again["id"] != offered["id"]
    company.does(again["owner"]["rep_id"], "POST", f"{again['id']}/accept", json={})
    return offered["id"], again["id"]


def the_feed_tells_it_all(events, deal, who):
    told = [event for event in events if event["data"]["opportunity_id"] == deal]
    heard = [(event["type"], event["data"].get("rep_id")) for event in told]
    assert missing(heard, [(kind, who.get(by)) for kind, by in STORY]) is None
    stages = [event["data"]["stage"] for event in told if event["type"] == "stage.changed"]
    assert stages == ["offered", "accepted", "offered", "accepted", "discovery", "ringi", "won"]


def each_has_one_owner_at_a_time(events, opportunities):
    assert {event["data"]["opportunity_id"] for event in events} == set(opportunities)
    for opportunity in opportunities:
        told = [event for event in events if event["data"]["opportunity_id"] == opportunity]
        holder = None
        for kind, data in ((event["type"], event["data"]) for event in told):
            if kind == "offer.opened":
                assert holder is None, "it was somebody's already"
                holder = (data["assignment"], data["rep_id"])
            elif kind == "offer.accepted":
                assert holder == (data["assignment"], data["rep_id"])
            elif kind in ("offer.declined", "offer.expired", "offer.withdrawn", "lead.qualified"):
                assert holder is not None
                assert holder[0] == data["assignment"]
                holder = None


def webhooks_say_the_same(company, events, secret):
    told = company.told
    company.baton.until(lambda: len(told.hooks) >= len(events), "all webhooks", 30)
    heard = [(headers["webhook-id"], Webhook(secret).verify(body, headers)) for headers, body in told.hooks]
    assert Counter(name for name, _ in heard) == Counter(event["id"] for event in events), "each of them, once"
    says = {event["id"]: {name: event[name] for name in ("type", "timestamp", "data")} for event in events}
    assert dict(heard) == says


def nobody_is_told_twice(company):
    chat = company.told.chat

    def log():
        return company.crm.get("/v1/notifications", params={"limit": 200}).json()["items"]

    company.baton.until(lambda: not [one for one in log() if one["state"] == "pending"], "all that is to be told", 30)
    rows = log()
    assert {one["state"] for one in rows} <= {"told", "dropped"}
    told = [one for one in rows if one["state"] == "told"]
    assert {len(one["tries"]) for one in told} == {1}
    what = Counter((one["rep_id"], one["kind"], one["opportunity_id"], one["assignment"], one["share"]) for one in told)
    assert max(what.values()) == 1
    together = sum(int(found[1]) if (found := re.search(r"お知らせ (\d+)件", text)) else 1 for _, text in chat)
    assert together == len(told)


def the_timeline_tells_it_all(company, deal, who):
    items, after = [], {}
    while after is not None:
        page = company.does("crm", "GET", f"{deal}/timeline", params={"limit": 10} | after)
        items += page["items"]
        after = {"after": page["next"]} if page["next"] else None
    assert all(item["words"]["ja"] and item["words"]["en"] for item in items)
    told = [(item["what"].replace("-", "."), item["who"]) for item in reversed(items)]
    assert missing(told, [(kind, who[by]) for kind, by in STORY if kind not in IN_MORE_WORDS]) is None
    assert {"stakeholder.entered", "approval.submitted", "approval.approved"} <= {what for what, _ in told}
    heard = [item["words"]["en"] for item in items if item["what"] == "touch"]
    assert sum(text.endswith(" · website · /pricing") for text in heard) == 3
    assert "White paper downloaded · website" in {text.split(" · /")[0] for text in heard}
    called = [item["what"] for item in items if item["facts"].get("type") == "call_connected"]
    assert called == ["activity-logged"] * 2, "by the rep, and by the telephone system, each once"
    assert told.count(("lead.routed", who["field"])) == 1


def missing(told, wanted):
    """The first of what is wanted that does not come, in this order; None where all does."""
    rest = iter(told)
    return next((one for one in wanted if one not in rest), None)


def link_in(text):
    [link] = re.findall(r"http://\S+/o/\S+", text)
    return link
