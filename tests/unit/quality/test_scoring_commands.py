"""`baton scoring quality`, `fit` and `picture`, as an operator calls them; nothing runs, and nothing has to."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baton.cli import main
from baton.replay.olist import DEAL_FIELDS, DEALS, LEADS

ROOT = Path(__file__).parents[3]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Called in a folder that holds only the policies of the tenant, and a place for results."""
    shutil.copytree(ROOT / "policies" / "olist", tmp_path / "policies" / "olist")
    (tmp_path / "bench" / "results").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BATON_DATASETS", str(tmp_path / "data"))

    def called(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["baton", "scoring", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()  # type: ignore[return-value]

    return called


@pytest.fixture
def data(tmp_path: Path) -> None:
    """Two hundred leads as the files have them: by page `good` every second is won after a day, by page `bad` hardly any."""
    start = datetime(2018, 1, 1, tzinfo=UTC)
    (tmp_path / "data").mkdir()
    with (
        (tmp_path / "data" / LEADS).open("w", newline="") as leads,
        (tmp_path / "data" / DEALS).open("w", newline="") as deals,
    ):
        told, won = csv.writer(leads), csv.writer(deals)
        told.writerow(["mql_id", "first_contact_date", "landing_page_id", "origin"])
        won.writerow(["mql_id", "won_date", *DEAL_FIELDS])
        for number in range(200):
            at = start + timedelta(days=number)
            told.writerow([number, f"{at:%Y-%m-%d}", "good" if number % 2 else "bad", "social"])
            if number % 4 == 1 or number in (0, 150):
                won.writerow([number, f"{at + timedelta(days=1):%Y-%m-%d %H:%M}", *[""] * len(DEAL_FIELDS)])
        won.writerow([198, "2019-06-01 00:00", *[""] * len(DEAL_FIELDS)])


@pytest.mark.parametrize("command", ["quality", "fit"])
def test_a_data_set_that_is_not_there_is_named(run: Run, command: str) -> None:
    code, _, told = run(command, "--dataset", "olist")
    assert code == 1
    assert "marketing_qualified_leads.csv cannot be read" in told
    assert "name the folder that holds" in told


def test_another_data_set_is_told_not_to_be_there(run: Run) -> None:
    assert run("quality", "--dataset", "bpi")[::2] == (
        1,
        "baton: there is no data set 'bpi' here: olist is the one there is.\n",
    )


@pytest.mark.usefixtures("data")
def test_points_are_derived_printed_and_written_and_their_quality_is_told_and_kept(run: Run, tmp_path: Path) -> None:
    code, printed, _ = run("fit")
    assert (code, printed.splitlines()[0]) == (0, "fit:")
    assert run("fit", "--write")[0] == 0
    written = (tmp_path / "policies/olist/scoring.yaml").read_text()
    assert written.endswith("\n" + printed)
    assert written.startswith("# Olist")
    code, told, _ = run("quality", "--write")
    assert code == 0
    assert "judged on 60 leads" in told
    assert "NOT" not in told
    kept = json.loads((tmp_path / "bench/results/olist_quality.json").read_text())
    assert kept["policy"]["lift"][0] > 1.5


@pytest.mark.usefixtures("data")
def test_without_the_tenant_s_policies_it_is_told_where_to_run(run: Run) -> None:
    code, _, told = run("quality", "--policies", "nowhere")
    assert code == 1
    assert "there is no nowhere/olist: run this where Baton's policies lie" in told


def test_pictures_are_drawn_into_the_folder_that_is_named(run: Run, tmp_path: Path) -> None:
    code, told, _ = run("picture", "--to", str(tmp_path / "drawn"))
    assert code == 0
    assert len(told.splitlines()) == len(list((tmp_path / "drawn").glob("*.svg"))) == 10
