"""A rebuild in words: what it would read and miss, how far it is, how it ended."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from baton.rebuilding import counts_only, shown, words_of, words_of_end, words_of_losses, words_of_standing
from services.scoring.rebuild import Progress, Report, Standing
from services.scoring.recorded import ALWAYS, HAND_RAISE, Before, Kept, Partly
from services.scoring.survey import Loss, Survey

DAY = 86_400_000
NOW = 1_790_000_000_000
RULE = Kept("k.3.1.1.1", "pricing", 70 * DAY)


def survey(**more: Any) -> Survey:
    given: dict[str, Any] = {
        "records": {"touchpoints": 1_200, "score-transfers": 34, "handoff-events": 0},
        "oldest": NOW - 90 * DAY,
        "began": None,
        "subjects": 500,
        "bytes": 2_000_000,
        "room": 1_000_000_000,
    }
    return Survey(**given | more)


def test_a_whole_log_is_told_with_what_there_is_to_read_and_what_room_it_takes() -> None:
    lines = words_of(survey(), fresh=False)
    assert lines[0] == "1,234 records are to be read: 34 of score-transfers, 1,200 of touchpoints."
    assert "Nothing has left the log yet" in lines[2]
    assert "500 leads and accounts" in lines[3]
    assert "2.0 MB" in lines[3]
    assert words_of(survey(records={}, oldest=None), fresh=False)[0] == "0 records are to be read."


def test_a_log_that_was_cut_is_told_with_what_becomes_of_it() -> None:
    assert "carried over" in words_of(survey(began=NOW), fresh=False)[2]
    assert "which identities belong together" in words_of(survey(began=NOW), fresh=True)[2]


def test_a_loss_names_the_rule_how_far_it_looks_back_and_since_when_it_could_count() -> None:
    raised = Kept(f"{HAND_RAISE}chat_started", "chat_started", 400 * DAY)
    assert words_of_losses([Loss("acme", RULE, NOW), Loss("acme", raised, NOW)]) == [
        "acme: rule pricing looks back 70 days, and only what came in since 2026-09-21T14:13:20.000Z could be counted",
        "acme: hand-raise chat_started looks back 400 days, and only what came in since 2026-09-21T14:13:20.000Z could be "
        "counted",
    ]


def test_the_end_says_what_is_in_force_and_what_still_counts_in_part() -> None:
    lines = words_of_end(Report(3, 10_000, 7, 2, 900, 4.0, {"acme": [Partly(RULE, NOW)]}))
    assert lines[0] == (
        "Epoch 3 is in force: 900 leads and accounts, 7 of them carried over from the epoch before, from 10,000 records in 4.0 s "
        "(2,500 a second)."
    )
    assert lines[2].startswith("2 records cannot be read")
    assert lines[3] == (
        "acme: rule pricing counts only what came in since 2026-09-21T14:13:20.000Z, until 2026-11-30. Its policy came while the "
        "log was read: rebuild again."
    )


def test_the_standing_says_which_rules_wait_for_a_rebuild() -> None:
    assert words_of_standing(Standing(0, 0, {}, False, [], {}), "scoring") == ["Epoch 0 of scoring is in force."]
    lines = words_of_standing(Standing(2, NOW, {"acme": [Partly(RULE, NOW)]}, False, [1], {}), "scoring")
    assert lines == [
        "Epoch 2 of scoring is in force since 2026-09-21T14:13:20.000Z.",
        "Others still take room in Redis (1): `baton scoring rebuild --drop-old` frees it.",
        "acme: rule pricing counts only what came in since 2026-09-21T14:13:20.000Z, until 2026-11-30",
        "`baton scoring rebuild` counts that, too.",
    ]
    assert words_of_standing(Standing(2, NOW, {}, True, [3], {}), "scoring")[1:] == ["A rebuild is under way."]


def test_a_rule_that_came_back_lacks_only_what_came_in_meanwhile() -> None:
    back = Partly(RULE, NOW, Before(ALWAYS, NOW - DAY))
    assert counts_only(back) == (
        "rule pricing lacks what came in from 2026-09-20T14:13:20.000Z to 2026-09-21T14:13:20.000Z, while a policy without it was "
        "in force, until 2026-11-30"
    )
    assert counts_only(back._replace(before=Before(NOW - 2 * DAY, NOW - DAY))).startswith(
        "rule pricing lacks what came in before 2026-09-19T14:13:20.000Z, and what came in from 2026-09-20T"
    )


def steps() -> list[Progress]:
    reading = [Progress("reading", done, 100, done / 10) for done in range(0, 101, 10)]
    return [*reading, Progress("settling", 0, 0, 11), Progress("switching over", 0, 0, 13)]


def test_without_a_terminal_a_line_comes_now_and_then() -> None:
    out = io.StringIO()
    with shown(Console(file=out, width=80)) as tell:
        for step in steps():
            tell(step)
    assert out.getvalue().splitlines() == ["reading: 0 of 100 records after 0 s", "settling", "switching over"]


def test_in_a_terminal_there_is_a_bar_per_step() -> None:
    out = io.StringIO()
    with shown(Console(file=out, width=100, force_terminal=True)) as tell:
        for step in steps():
            tell(step)
    assert "100/100" in out.getvalue()
    assert "switching over" in out.getvalue()
