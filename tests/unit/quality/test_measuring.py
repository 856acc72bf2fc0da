"""A policy judged by the services' own code: on made leads of known quality, and on the real ones where they are there."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from baton.policies import read
from baton.quality import engine
from baton.quality.measuring import Judge, learn, measure
from baton.quality.olist import was_won
from baton.quality.ranking import auc, lift, precision, steps
from baton.quality.telling import tables
from baton.quality.writing import with_fit
from baton.replay.olist import Lead, load, messages

ROOT = Path(__file__).parents[3]
DATASETS = Path(os.environ.get("BATON_DATASETS") or ROOT.parent / "shared" / "data")
FOLDER = ROOT / "policies" / "olist"
START = datetime(2018, 1, 1, tzinfo=UTC)
needs_the_data = pytest.mark.skipif(
    not (DATASETS / "olist_funnel").is_dir(), reason="the Olist funnel is not there (BATON_DATASETS names its folder)"
)


def _made(count: int = 400) -> list[Lead]:
    """A lead every six hours: of page `good` 4 of 10 are won after two days, of page `bad` 1 of 10; all watched for long enough."""
    leads = []
    for number in range(count):
        page = "good" if number % 2 else "bad"
        won = number // 2 % 10 < (4 if page == "good" else 1)
        at = START + timedelta(hours=6 * number)
        leads.append(Lead(f"lead-{number}", at, page, "social", at + timedelta(days=2) if won else None))
    return [*leads, Lead("last", START + timedelta(days=400), "bad", "social")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The policies of the tenant, with `fit` as it follows from the made leads."""
    shutil.copytree(FOLDER, tmp_path / "olist")
    path = tmp_path / "olist" / "scoring.yaml"
    path.write_text(with_fit(path.read_text(), learn(_made()).section()))
    return tmp_path / "olist"


def test_on_leads_of_known_quality_the_figures_are_those_of_the_table_of_four(folder: Path) -> None:
    found = measure(_made(), folder)
    good, bad = 60, 60  # of the later leads; 24 and 6 of them won
    cut = found["cut"]
    assert (cut["day"], cut["judged"], cut["won"], cut["undecided"]) == ("2018-03-12", good + bad, 30, 1)
    pairs = 24 * (bad - 6) + (24 * (good - 24) + 6 * (bad - 6)) / 2
    value, low, high = found["policy"]["auc"]
    assert value == pytest.approx(pairs / (30 * 90), abs=1e-6)
    assert 0.5 < low < value < high < 0.9
    assert found["policy"]["precision"][0] == pytest.approx(24 / good)
    assert found["policy"]["lift"][0] == pytest.approx((24 / good) / 0.25)
    assert found["distinct_scores"] == 2
    assert found["policy_is_as_derived"]
    assert found["random"]["auc"][1] < 0.5 < found["random"]["auc"][2], "lots put either page first"
    assert found["brier"]["policy"] < found["brier"]["one_rate_for_all"]
    assert {round(share, 2): value for share, value, *_ in found["gains"]}[0.5] == pytest.approx(24 / 30)
    assert sum(row["leads"] for row in found["grades"]) == 120
    assert orjson.loads(orjson.dumps(found)) == found
    assert "judged on 120 leads from then on, 30 won (25.0%); 1 not decided" in " ".join(
        part for part in tables(found) if isinstance(part, str)
    )


def test_a_policy_that_was_changed_by_hand_is_told_to_be_so(folder: Path) -> None:
    path = folder / "scoring.yaml"
    path.write_text(path.read_text().replace("id: average, points: 50", "id: average, points: 51"))
    found = measure(_made(), folder)
    assert not found["policy_is_as_derived"]
    assert "NOT" in next(part for part in tables(found) if isinstance(part, str))


def test_a_lead_is_judged_as_it_stood_at_its_first_contact() -> None:
    policies = read(FOLDER).checked
    judge = Judge(learn(_made()).halves, engine.sender_of("olist", policies.sources))
    assert any(lead.won_at for lead in judge.leads)
    told = [touch for touches in judge._told for touch in touches]
    assert {touch.type for touch in told} == {"identify", "contact_requested"}, "the deal gives the answer away"
    points = judge.points(policies.scoring)
    assert {each.engagement for each in points} == {40_000}, "who just asked to join has lost nothing yet"
    assert {each.fit for each in points} == {35_000}, "the average, and what the origin is worth"


def test_a_message_that_ingest_refuses_is_told() -> None:
    sender = engine.sender_of("olist", read(FOLDER).checked.sources)
    message = next(iter(messages(_made(1)[0], timedelta()))) | {"type": "nothing"}
    with pytest.raises(ValueError, match="ingest refuses a message"):
        engine.touches([message], START, sender)


@pytest.mark.dataset
@needs_the_data
def test_the_policy_s_points_are_those_that_follow_from_the_first_part() -> None:
    written = (FOLDER / "scoring.yaml").read_text()
    assert with_fit(written, learn(load(DATASETS)).section()) == written


@pytest.mark.dataset
@needs_the_data
def test_on_the_later_leads_the_policy_does_as_well_as_the_results_say() -> None:
    kept = orjson.loads((ROOT / "bench/results/olist_quality.json").read_bytes())
    policies = read(FOLDER).checked
    judge = Judge(learn(load(DATASETS)).halves, engine.sender_of("olist", policies.sources))
    by_score = steps(judge.judged(judge.points(policies.scoring)))
    assert (len(judge.leads), sum(map(was_won, judge.leads))) == (kept["cut"]["judged"], kept["cut"]["won"])
    for name, figure in (("auc", auc), ("precision", precision), ("lift", lift)):
        assert figure(by_score) == pytest.approx(kept["policy"][name][0], abs=1e-6), name
