"""A replay accounts for everything that it sent."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from baton.replay.olist import DEAL_FIELDS, DEALS, LEADS

pytestmark = pytest.mark.servers
DATASETS = Path(os.environ.get("BATON_DATASETS") or Path(__file__).parents[4] / "shared" / "data")


def _summary(baton: Any, path: Path, *arguments: str) -> dict[str, Any]:
    done = baton.run("replay", *arguments, "--summary", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def test_a_file_of_touches_is_accounted_for_and_its_lead_explained(baton: Any, tmp_path: Path) -> None:
    address, mark = f"k.mori.{uuid4().hex[:6]}@aoi-kikai.example", uuid4().hex
    traits = {"email": address, "title": "Head of IT", "department": "IT", "company": {"name": "Aoi", "employees": 800}}
    messages = [
        {"type": "identify", "userId": mark, "traits": traits, "messageId": f"{mark}-1"},
        {"type": "track", "userId": mark, "event": "Demo Requested", "messageId": f"{mark}-2"},
        {"type": "track", "userId": mark, "event": "Demo Requested", "messageId": f"{mark}-2"},
        {"type": "track", "userId": mark, "event": "", "messageId": f"{mark}-3"},
    ]
    file = tmp_path / "touches.jsonl"
    file.write_text("\n\n".join(json.dumps(message) for message in messages))
    made = _summary(baton, tmp_path / "s.json", str(file), "--tenant", "northstar")
    assert (made["received"], made["accepted"], made["duplicate"], made["rejected"]) == (4, 2, 1, 1)
    assert (made["leads"], made["leads_scored"], made["routed"], made["opportunities"]) == (1, 1, 1, 1)

    told = baton.run("explain", address)
    assert told.returncode == 0, told.stderr
    assert "Demo requested" in told.stdout
    assert "accept by" in told.stdout
    assert "受領期限" in baton.run("explain", address, "--lang", "ja").stdout

    _who_has_it_leaves(baton, address)

    every = baton.run("fairness")
    assert every.returncode == 0, every.stderr
    assert "field-japan (fair)" in every.stdout
    assert "inside-global (fair)" in every.stdout
    one = baton.run("fairness", "field-japan", "--since", "2020-01-01", "--lang", "ja")
    assert "次の担当" in one.stdout, one.stdout + one.stderr
    unknown = baton.run("fairness", "nowhere")
    assert unknown.returncode == 1
    assert "has no pool nowhere: it has" in unknown.stderr


def _who_has_it_leaves(baton: Any, address: str) -> None:
    """Why not somebody, whether decisions repeat, and the lead's way to another when its rep leaves; who comes back at the end."""
    asked = baton.run("explain", address, "--why-not", "kobayashi")
    assert "Ren Kobayashi is not in pool" in asked.stdout, asked.stdout + asked.stderr
    mistyped = baton.run("explain", address, "--why-not", "kobayasi")
    assert (mistyped.returncode, mistyped.stdout) == (1, "")
    assert "has no rep `kobayasi`. Did you mean `kobayashi`?" in mistyped.stderr
    names = baton.names()
    headers = {"Authorization": f"Bearer {names['DEMO_API_TOKEN']}"}
    lead = httpx.get(f"{names['ROUTER_URL']}/v1/leads", params={"email": address}, headers=headers, timeout=10).json()
    holder = lead["owner"]["rep_id"]
    assert lead["decision"]["sentence"]["en"].startswith(f"{lead['owner']['name']} gets this lead: ")
    assert "each repeated from what was stored of it" in baton.run("explain", address, "--replay").stdout
    dry = baton.run("reps", "offboard", holder, "--dry-run")
    assert (dry.returncode, "open leads:" in dry.stdout) == (0, True), dry.stdout + dry.stderr
    assert " has this lead" in _why_not(baton, address, holder), "a dry run moves nothing"
    unasked = baton.run("reps", "offboard", holder)
    assert (unasked.returncode, "--yes moves the leads" in unasked.stderr) == (1, True), "nobody was there to be asked"
    assert " has this lead" in _why_not(baton, address, holder)
    done = baton.run("reps", "offboard", holder, "--yes", "--reason", "moves to marketing")
    assert (done.returncode, "0 still to go" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "had this lead before, and left" in _why_not(baton, address, holder)
    told = baton.run("explain", address).stdout
    assert "has left, and the lead moves on" in told
    assert "退職・異動により引き継ぎ" in baton.run("explain", address, "--lang", "ja").stdout
    assert "has not left" in baton.run("reps", "offboard", holder, "--undo").stdout
    nobody = baton.run("reps", "offboard", "nobody")
    assert (nobody.returncode, "has no rep nobody" in nobody.stderr) == (1, True)


def _why_not(baton: Any, address: str, rep: str) -> str:
    return str(baton.run("explain", address, "--why-not", rep).stdout)


def test_a_file_that_is_not_json_is_told_with_its_line(baton: Any, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('\n{"type": "track"\n')
    done = baton.run("replay", str(file))
    assert done.returncode == 1
    assert "bad.jsonl:2: this is not JSON" in done.stderr


def test_a_replay_started_again_is_the_same_replay(baton: Any, tmp_path: Path) -> None:
    leads = [(uuid4().hex, f"2018-05-{day:02d}", uuid4().hex, "social" if day % 3 else "") for day in range(1, 21)]
    with (tmp_path / LEADS).open("w", newline="") as out:
        csv.writer(out).writerows([("mql_id", "first_contact_date", "landing_page_id", "origin"), *leads])
    with (tmp_path / DEALS).open("w", newline="") as out:
        deals = [(lead[0], "2018-06-01 10:00", *[""] * len(DEAL_FIELDS)) for lead in leads[:3]]
        csv.writer(out).writerows([("mql_id", "won_date", *DEAL_FIELDS), *deals])
    arguments = ("--dataset", "olist", "--speed", "0", str(tmp_path))
    first = _summary(baton, tmp_path / "1.json", *arguments)
    assert (first["received"], first["accepted"], first["duplicate"]) == (43, 43, 0)
    assert first["leads"] == first["leads_scored"] == first["routed"] + first["nurtured"] + first["parked"] == 20
    assert first["unaccounted"] == []
    again = _summary(baton, tmp_path / "2.json", *arguments)
    assert (again["accepted"], again["duplicate"], again["leads"]) == (0, 43, 20)


@pytest.mark.dataset
@pytest.mark.timeout(900)
@pytest.mark.skipif(
    not (DATASETS / "olist_funnel").is_dir(), reason="the Olist funnel is not there (BATON_DATASETS names its folder)"
)
def test_eight_thousand_real_leads_go_through_and_none_is_lost(baton: Any, tmp_path: Path) -> None:
    made = _summary(baton, tmp_path / "s.json", "--dataset", "olist", "--again", "--speed", "0", str(DATASETS))
    assert made["received"] == made["accepted"] == 2 * 8000 + 842
    assert made["leads"] == made["leads_scored"] == 8000
    assert made["routed"] + made["nurtured"] + made["parked"] + made["closed"] == 8000
    assert made["opportunities"] >= made["routed"] > 0
