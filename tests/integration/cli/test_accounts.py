"""`baton accounts` on a whole running Baton."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

pytestmark = pytest.mark.servers
FILES = "docs/accounts"


def test_the_examples_go_in_once_and_are_shown(baton):
    dry = baton.run("accounts", "import", f"{FILES}/accounts.csv", "--dry-run")
    assert (dry.returncode, "7 new, 0 changed" in dry.stdout) == (0, True), dry.stdout + dry.stderr
    first = baton.run("accounts", "import", f"{FILES}/accounts.csv")
    again = baton.run("accounts", "import", f"{FILES}/accounts.csv")
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert "7 new, 0 changed" in first.stdout
    assert "0 new, 0 changed, 7 as they were" in again.stdout
    deals = baton.run("accounts", "import", f"{FILES}/deals.csv", "--deals")
    assert (deals.returncode, "1 new" in deals.stdout) == (0, True), deals.stdout + deals.stderr
    listed = json.loads(baton.run("accounts", "list", "--kind", "partner", "--json").stdout)
    assert [one["account_id"] for one in listed] == ["kaname"]
    shown = baton.run("accounts", "show", "umibe").stdout
    assert "registered by 要商事株式会社, protected until 2027-03-31T14:59:59.999Z" in shown
    nobody = baton.run("accounts", "show", "nobody")
    assert (nobody.returncode, "has no account nobody" in nobody.stderr) == (1, True)


def test_refused_rows_are_named_and_the_command_says_so(baton, tmp_path):
    file = tmp_path / "取引先.csv"
    file.write_bytes("取引先ID,会社名,種別\nx1,㈱髙﨑電機,競合\nx2,乙社,ライバル\n".encode("cp932"))
    done = baton.run("accounts", "import", str(file), "--tenant", "hinode")
    assert (done.returncode, "1 new" in done.stdout) == (1, True), done.stdout + done.stderr
    assert "row 3: there is no kind `ライバル`" in done.stdout
    assert "髙﨑電機" not in (tmp_path / "取引先.rejects.csv").read_bytes().decode("cp932")


def test_a_demo_request_from_a_named_account_is_assigned_to_its_owner_and_explained(baton, wait):
    baton.run("accounts", "import", f"{FILES}/accounts.csv")
    names, mark = baton.names(), uuid4().hex[:8]
    address = f"{mark}@aozora-kikai.example"
    traits = {
        "email": address,
        "company": "あおぞら機械(株)",
        "title": "情報システム部 部長",
        "employees": 1200,
        "country": "JP",
    }
    sent = {
        "type": "track",
        "event": "Form Submitted",
        "userId": mark,
        "messageId": mark,
        "properties": {"form": "demo"},
        "context": {"traits": traits},
    }
    headers = {"X-Write-Key": names["DEMO_SERVER_WRITE_KEY"]}
    assert httpx.post(f"{names['INGEST_URL']}/v1/track", json=sent, headers=headers, timeout=30).status_code == 200
    reader = httpx.Client(headers={"Authorization": f"Bearer {names['DEMO_API_TOKEN']}"}, timeout=10)

    def lead() -> dict[str, Any]:
        answer = reader.get(f"{names['ROUTER_URL']}/v1/leads", params={"email": address})
        return answer.json() if answer.is_success else {}

    def opportunities() -> list[dict[str, Any]]:
        asked = {"lead_id": lead().get("lead_id", "none")}
        return reader.get(f"{names['HANDOFF_URL']}/v1/opportunities", params=asked).json()["items"]

    wait(lambda: bool(lead().get("owner")), 60, lambda: json.dumps(lead(), ensure_ascii=False))
    assert (lead()["owner"]["rep_id"], lead()["decision"]["by"]) == ("watanabe", "named_account")
    wait(lambda: bool(opportunities()), 60, lambda: "handoff has no opportunity")
    [opportunity] = opportunities()
    assert (opportunity["owner"]["rep_id"], opportunity["pool_id"]) == ("watanabe", "account:named_account")
    told = baton.run("explain", address).stdout
    assert "account “あおぞら機械株式会社”, by the domain of the mail address" in told
    assert "named account: the account is Yuko Watanabe's; takes the lead" in told
    reader.close()
