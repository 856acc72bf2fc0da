"""What a score leaves out since the policy changed, in words of both languages."""

from __future__ import annotations

import pytest

from baton.commands.explain import _lacking
from baton.explaining.lacking import Lacking, words
from baton.home import Names
from services.scoring.recorded import ALWAYS, Before, Kept, Partly

DAY = 86_400_000
NOW = 1_790_000_000_000
RULE = Kept("k.3.1.1.1", "paper", 70 * DAY)
LABEL = {"en": "White paper", "ja": "資料"}


def told(before: Before | None, lang: str = "en", *, past: bool = False) -> str:
    return words([Lacking(LABEL, Partly(RULE, NOW, before))], lang=lang, zone="Asia/Tokyo", past=past)


def test_a_rule_that_changed_says_since_when_it_counts_and_until_when_that_holds() -> None:
    assert told(None) == (
        "“White paper” counts only what came in since 2026-09-21 23:13:20 JST, when the policy changed: until 2026-11-30, or until"
        " `baton scoring rebuild`."
    )
    assert told(None, "ja") == (
        "「資料」が数えるのは、ポリシーが変わった 2026-09-21 23:13:20 JST 以降の行動だけです(2026-11-30 まで、または"
        " `baton scoring rebuild` の実行まで)。"
    )


def test_one_that_came_back_says_what_it_lacks() -> None:
    assert "lacks what came in from 2026-09-20 23:13:20 JST to 2026-09-21" in told(Before(ALWAYS, NOW - DAY))
    assert "lacks what came in before 2026-09-19 23:13:20 JST, and from 2026-09-20" in told(
        Before(NOW - 2 * DAY, NOW - DAY)
    )
    assert "2026-09-19 23:13:20 JST より前と" in told(Before(NOW - 2 * DAY, NOW - DAY), "ja")


def test_where_it_cannot_be_known_the_lead_is_told_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    _lacking(Names({}), "northstar", "en", "UTC", past=False)
    _lacking(Names({"DATABASE_URL": "postgres://127.0.0.1:1/baton"}), "northstar", "en", "UTC", past=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("whether its rules count all that came in is not known: ") == 2


def test_below_a_score_of_the_past_it_is_said_that_the_one_of_now_is_meant() -> None:
    first, second = told(None, past=True).splitlines()
    assert first == "The score of now does not count all:"
    assert second.startswith("  “White paper” counts only")
    assert words([], lang="en", zone="UTC", past=True) == ""
