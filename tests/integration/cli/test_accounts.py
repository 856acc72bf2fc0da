"""`baton accounts` on a whole running Baton."""

from __future__ import annotations

import json

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
