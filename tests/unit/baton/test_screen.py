"""The table of `baton up`."""

from __future__ import annotations

import io

from rich.console import Console

from baton.run.numbers import Numbers, Reading
from baton.run.screen import ROWS, Screen, sentence, table

NUMBERS = Numbers(
    {"northstar": Reading(scored=5, routed=2, parked=1, running=4), "hinode": Reading(), "olist": Reading()},
    {"accepted": 12, "duplicate": 2, "rejected": 1},
)


def _drawn(numbers: Numbers) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(table(numbers))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_the_table_shows_every_number_per_tenant() -> None:
    drawn = _drawn(NUMBERS)
    assert "touches in since this start: 12 accepted, 2 duplicate, 1 rejected" in drawn
    assert all(label.strip() in drawn for label, _ in ROWS)
    assert "northstar" in drawn


def test_a_tenant_without_leads_that_no_demo_plays_for_has_no_column() -> None:
    assert "olist" not in _drawn(NUMBERS)
    assert "olist" in _drawn(Numbers({**NUMBERS.tenants, "olist": Reading(scored=1)}))


def test_numbers_that_cannot_be_refreshed_say_so() -> None:
    assert "ConnectError" in _drawn(Numbers(NUMBERS.tenants, NUMBERS.events, "ConnectError"))


def test_the_sentence_sums_over_tenants() -> None:
    told = sentence(Numbers({"a": Reading(scored=2), "b": Reading(scored=3)}))
    assert "5 leads scored" in told


def test_what_happened_last_stays_in_sight_on_a_low_terminal() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, height=24, force_terminal=True))
    screen.begin()
    for number in range(12):
        screen.say(f"event {number}")
    screen.show(NUMBERS)
    screen.end()
    assert "SLA clocks running" in out.getvalue()
    assert "event 11" in out.getvalue()
    assert "event 0" not in out.getvalue()


def test_where_there_is_no_terminal_lines_are_plain() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80))
    screen.begin()
    screen.say("x" * 100)
    screen.show(NUMBERS)
    screen.end()
    assert "x" * 100 in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_step_is_one_line_in_a_log() -> None:
    out = io.StringIO()
    Screen(Console(file=out, width=80)).step("x" * 100)
    assert "x" * 100 in out.getvalue()


def test_nothing_is_counted_before_anything_was_read() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80))
    screen.begin()
    screen.show(Numbers())
    screen.show(Numbers(problem="ConnectError"))
    assert out.getvalue() == ""
    screen.show(NUMBERS)
    assert "12 accepted" in out.getvalue(), "and then at once"
