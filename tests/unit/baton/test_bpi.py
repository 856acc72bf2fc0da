"""The work items of BPI Challenge 2012 as arrivals; the counts of the whole data set where it is there."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest

from baton.errors import OperatorError
from baton.replay.bpi import load, read

ROOT = Path(__file__).parents[3]
DATASETS = Path(os.environ.get("BATON_DATASETS") or ROOT.parent / "shared" / "data")


def event(case: str, at: str) -> dict[str, str]:
    return {"CaseID": case, "ActivityID": "1", "CompleteTimestamp": at}


def test_a_case_arrives_with_its_first_event_by_the_clocks_of_the_bank() -> None:
    found = read(
        [event("b", "2011-10-03 19:00:00"), event("a", "2011-10-04 20:00:00"), event("b", "2011-10-01 18:10:25")]
    )
    assert [(one.case_id, one.at) for one in found] == [
        ("b", datetime.fromisoformat("2011-10-01T08:10:25")),
        ("a", datetime.fromisoformat("2011-10-04T10:00:00")),
    ]


def test_a_folder_without_the_file_is_told_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"bpi_12_w/events\.csv.*https://doi\.org/"):
        load(tmp_path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("a,b\n1,2\n")
    with pytest.raises(OperatorError, match="does not hold the work items"):
        load(tmp_path)


@pytest.mark.dataset
@pytest.mark.skipif(
    not (DATASETS / "bpi_12_w").is_dir(), reason="BPI Challenge 2012 is not there (BATON_DATASETS names its folder)"
)
def test_the_whole_data_set_has_the_cases_that_were_published() -> None:
    found = load(DATASETS)
    assert len(found) == 9_658
    assert (found[0].at, found[-1].at) == (
        datetime.fromisoformat("2011-10-01T08:10:25"),
        datetime.fromisoformat("2012-03-01T18:24:23"),
    )
