"""What was asked of the past, and what is answered, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from baton.errors import OperatorError
from baton.explaining.past import Answer, Question, by_then, moment
from baton.explaining.telling import past_words

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = round(datetime(2026, 4, 20, 3, tzinfo=UTC).timestamp() * 1000)
THEN = round(datetime(2026, 4, 1, 0, 30, tzinfo=UTC).timestamp() * 1000)
MARCH = round(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
LEAD = "11111111-1111-5111-8111-111111111111"


def lead(**more: Any) -> dict[str, Any]:
    return {"lead_id": LEAD, "heard": True, "merged_into": None, "score": None} | more


def told(question: Question, *leads: dict[str, Any], lang: str = "en", log_begins: int | None = None) -> list[str]:
    answer = Answer(list(leads) or [lead()], 5, MARCH, 10, log_begins)
    return past_words(question, answer, lang=lang, zone="Asia/Tokyo", now=NOW).splitlines()


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-04-01T09:30", THEN),
        ("2026-04-01 09:30:00.007", THEN + 7),
        ("2026-04-01T00:30:00.007Z", THEN + 7),
        ("2026-04-01T02:30:00+02:00", THEN),
        ("2026-04-01", THEN - 9 * 3_600_000 - 1_800_000),
        (" now ", NOW),
    ],
)
def test_a_time_is_read_as_people_write_it_in_the_tenants_zone(text: str, at: int) -> None:
    assert moment(text, TOKYO, NOW) == at


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("2026-04-01", "Asia/Tokyo", "2026-04-01T14:59:59.999+00:00"),
        ("2026-04-01", "UTC", "2026-04-01T23:59:59.999+00:00"),
        ("2026-03-29", "Europe/Berlin", "2026-03-29T21:59:59.999+00:00"),
        ("2026-04-19", "Asia/Tokyo", "2026-04-19T14:59:59.999+00:00"),
        ("2026-04-20", "Asia/Tokyo", "2026-04-20T03:00:00+00:00"),
        ("2026-04-19", "America/Los_Angeles", "2026-04-20T03:00:00+00:00"),
        ("2026-04-21", "Asia/Tokyo", "2026-04-21T14:59:59.999+00:00"),
        ("2026-04-01T00:00", "Asia/Tokyo", "2026-03-31T15:00:00+00:00"),
        (" now ", "Asia/Tokyo", "2026-04-20T03:00:00+00:00"),
    ],
)
def test_a_day_alone_is_its_end_in_the_zone_and_today_is_now(text: str, zone: str, at: str) -> None:
    assert by_then(text, ZoneInfo(zone), NOW) == round(datetime.fromisoformat(at).timestamp() * 1000)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "0001-01-01", "9999-12-31T25:00", "1969-12-30"])
def test_what_is_no_time_is_told_in_a_sentence(text: str) -> None:
    for read in (moment, by_then):
        with pytest.raises(OperatorError, match=r"is no time: write it like 2026-04-01, .* or now$"):
            read(text, TOKYO, NOW)


def test_the_answer_begins_with_what_was_asked_and_under_which_policy() -> None:
    assert told(Question(THEN, NOW))[:2] == [
        "As of 2026-04-01 09:30:00 JST, by all that was received until now",
        "Scoring policy 5, in force since 2026-03-01 09:00:00 JST",
    ]
    assert told(Question(THEN + 7, THEN + 7, 5))[:2] == [
        "As of 2026-04-01 09:30:00.007 JST, by all that was received by then",
        "Scoring policy 5 of 2026-03-01 09:00:00 JST, as asked for",
    ]
    assert told(Question(THEN, THEN + 60_000), lang="ja")[:2] == [
        "2026-04-01 09:30:00 JST 時点の評価(2026-04-01 09:31:00 JST までに受信した情報による)",
        "スコアリングポリシー 第5版(2026-03-01 09:00:00 JST から適用)",
    ]


def test_a_moment_that_has_not_come_and_a_log_that_begins_too_late_are_said() -> None:
    lines = told(Question(NOW + 1, NOW), log_begins=THEN)
    assert lines[1] == "That has not come yet: it is the score if nothing more happens."
    assert lines[3].startswith("The log begins at 2026-04-01 09:30:00 JST: what was told of the lead before")
    assert (
        "2026-04-01 09:30:00 JST より前の記録は保存期間を過ぎているため"
        in told(Question(NOW, NOW), lang="ja", log_begins=THEN)[2]
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (lead(heard=False), "By then nothing was known of this lead."),
        (lead(), "By then it was an anonymous visitor, of whom scoring says nothing."),
        (lead(merged_into="other"), "This lead became part of other"),
    ],
)
def test_a_lead_without_a_score_says_why(found: dict[str, Any], says: str) -> None:
    assert told(Question(THEN, THEN), found)[3:] == [LEAD, "", says]


def test_what_a_merge_led_to_comes_after_what_it_led_from() -> None:
    lines = told(Question(THEN, NOW), lead(merged_into="other"), lead(lead_id="other", heard=False))
    assert lines[-3:] == ["other", "", "By then nothing was known of this lead."]
