"""What happened to a lead, joined and told in words."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from baton.explaining.timeline import KINDS, Row, Told, anew, decided, handed, words

LEAD = "11111111-1111-5111-8111-111111111111"
AT = 1_775_020_500_000  # 2026-04-01T05:15Z


def item(what, at="2026-04-01T05:15:00.000Z", kind="offer"):
    said = {"en": what, "ja": what}
    of = {"opportunity_id": None if kind in ("touch", "identity") else "o", "lead_id": LEAD}
    return {"at": at, "kind": kind, "what": what, "words": said, "link": "/v1/opportunities/o"} | of


DECISIONS = {
    "decisions": [
        {"at": "2026-04-01T05:15:00.000Z", "decision_id": "d-1", "sentence": {"en": "To Sato.", "ja": "佐藤へ。"}}
    ],
    "history": [
        {
            "at": "2026-04-01T05:15:00.000Z", "seq": 1, "decision_id": "d-1",
            "from": {"stage": "inquiry", "disposition": "nurture"}, "to": {"stage": "mql", "disposition": "active"},
        },
        {
            "at": "2026-03-01T05:15:00.000Z", "seq": 0, "decision_id": "d-0",
            "from": {"stage": None, "disposition": None}, "to": {"stage": "inquiry", "disposition": "nurture"},
        },
    ],
}  # fmt: skip


def test_things_stand_in_order_and_of_one_moment_causes_stand_before_what_they_cause():
    later = "2026-04-01T05:15:01.000Z"
    rows = [
        *handed(
            [
                item("second touch", later, kind="touch"),
                *(item("second"), item("first", kind="stage")),
                *(item("touch", kind="touch"), item("belongs", kind="identity")),
            ]
        ),
        *decided(DECISIONS, "/v1/leads/x/decisions"),
    ]
    lines = words(Told([(LEAD, rows)]), lang="en", zone="Asia/Tokyo").splitlines()
    assert [line[:23] for line in lines] == [
        "2026-03-01 14:15:00 JST", *["2026-04-01 14:15:00 JST"] * 5, "2026-04-01 14:15:01 JST",
    ]  # fmt: skip
    assert [line[25:33].strip() for line in lines] == [
        "decision", "identity", "touch", "decision", "stage", "offer", "touch",
    ]  # fmt: skip
    assert "inquiry / nurture" in lines[0]
    assert lines[2].endswith("touch     touch")
    linked = words(Told([(LEAD, rows)]), lang="en", zone="Asia/Tokyo", links=True).splitlines()
    assert linked[2] == f"{lines[2]}  [/v1/opportunities/o]"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_columns_stand_below_each_other_whatever_kind_and_however_long_the_name_of_the_zone(lang):
    rows = [Row(AT - winter, kind, "n", ("|", "|"), "") for kind in KINDS for winter in (0, 60 * 86_400_000)]
    lines = words(Told([(LEAD, rows)]), lang=lang, zone="Europe/Berlin").splitlines()
    assert {cell_len(line) for line in lines} == {cell_len(lines[0])}
    assert {line.split()[2] for line in lines} == {"CET", "CEST"}


def test_what_is_no_longer_kept_is_said_and_what_the_lead_became_follows():
    other = "2" + LEAD[1:]
    told = words(
        Told([(LEAD, []), (other, handed([item("デモ依頼", kind="touch")]))], AT), lang="ja", zone="UTC"
    ).splitlines()
    assert "2026-04-01 05:15:00" in told[0]
    assert LEAD in told[1]
    assert other in told[3]
    assert "接点" in told[4]
    assert "デモ依頼" in told[4]


def test_what_two_leads_had_that_became_one_is_told_once():
    of_one, of_both = item("offered"), item("offered") | {"opportunity_id": "survivors"}
    told = anew({"merged": [of_one, of_one], "survivor": [of_both, of_one, of_one]})
    assert told == {"merged": [of_one, of_one], "survivor": [of_both]}
    touched = item("viewed", kind="touch")
    told = anew({"merged": [touched, of_one], "survivor": [touched | {"lead_id": "survivor"}, of_one, touched]})
    assert told["survivor"] == [touched | {"lead_id": "survivor"}]
