"""The Olist funnel as tracking calls; the counts of the whole data set where it is there."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from baton.errors import OperatorError
from baton.replay.olist import DEAL_FIELDS, load, messages, newest, read

ROOT = Path(__file__).parents[3]
DATASETS = Path(os.environ.get("BATON_DATASETS") or ROOT.parent / "shared" / "data")


def _deal(mql_id: str, won: str, **more: str) -> dict[str, str]:
    return {**dict.fromkeys(DEAL_FIELDS, ""), "mql_id": mql_id, "won_date": won, **more}


LEADS = [
    {"mql_id": "b", "first_contact_date": "2018-03-08", "landing_page_id": "page-2", "origin": ""},
    {"mql_id": "a", "first_contact_date": "2018-03-01", "landing_page_id": "page-1", "origin": "social"},
]
DEALS = [_deal("b", "2018-03-06 19:38", seller_id="s", business_segment="pet")]


def test_leads_come_by_first_contact_and_know_their_deal() -> None:
    first, second = read(LEADS, DEALS)
    assert (first.mql_id, first.won_at) == ("a", None)
    assert second.deal == {"seller_id": "s", "business_segment": "pet"}


def test_a_lead_won_before_its_first_contact_keeps_both_moments() -> None:
    lead = read(LEADS, DEALS)[1]
    calls = list(messages(lead, timedelta()))
    assert [call["type"] for call in calls] == ["identify", "track", "track"]
    assert calls[1]["timestamp"] == datetime(2018, 3, 8, tzinfo=UTC)
    assert calls[2]["timestamp"] == datetime(2018, 3, 6, 19, 38, tzinfo=UTC)


def test_an_origin_that_was_left_empty_is_unknown() -> None:
    assert next(messages(read(LEADS, DEALS)[1], timedelta()))["traits"] == {
        "landing_page": "page-2",
        "origin": "unknown",
    }


def test_dates_move_together_and_a_moved_event_has_an_id_of_its_own() -> None:
    lead = read(LEADS, DEALS)[0]
    stay, move = list(messages(lead, timedelta())), list(messages(lead, timedelta(days=10)))
    assert [b["timestamp"] - a["timestamp"] for a, b in zip(stay, move, strict=True)] == [timedelta(days=10)] * 2
    assert {call["messageId"] for call in stay}.isdisjoint(call["messageId"] for call in move)
    assert list(messages(lead, timedelta(days=10))) == move


def test_a_deal_without_its_lead_is_refused() -> None:
    with pytest.raises(ValueError, match="1 closed deals have no lead"):
        read(LEADS, [_deal("c", "2018-03-06")])


def test_a_folder_without_the_files_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="name the folder that holds"):
        load(tmp_path)


@pytest.mark.dataset
@pytest.mark.skipif(
    not (DATASETS / "olist_funnel").is_dir(), reason="the Olist funnel is not there (BATON_DATASETS names its folder)"
)
def test_the_whole_funnel_has_8000_leads_of_which_842_were_won() -> None:
    leads = load(DATASETS / "olist_funnel")
    won = [lead for lead in leads if lead.won_at]
    assert (len(leads), len({lead.mql_id for lead in leads}), len(won)) == (8000, 8000, 842)
    assert sum(lead.won_at < lead.first_contact for lead in won if lead.won_at) == 1
    assert newest(leads) == datetime(2018, 11, 14, 18, 4, tzinfo=UTC)
    assert sum(len(list(messages(lead, timedelta()))) for lead in leads) == 2 * 8000 + 842
