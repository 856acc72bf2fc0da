"""How fast background work may go."""

from __future__ import annotations

from services.scoring.pace import Pace


def test_so_many_a_second_and_no_more() -> None:
    pace, now, done = Pace(200), 50.0, 0
    while now < 60:
        done += 100
        now += 0.015  # that the work itself takes
        now += pace.after(100, now)
    assert done == 2_000


def test_what_was_not_used_is_not_saved_up() -> None:
    pace = Pace(100)
    assert pace.after(50, 0.0) == 0.5
    assert pace.after(50, 1_000.0) == 0.5
    assert round(pace.after(10, 1_000.2), 6) == 0.4


def test_work_that_is_slower_than_allowed_does_not_wait() -> None:
    pace = Pace(1_000)
    pace.after(100, 0.0)
    assert pace.after(0, 5.0) == 0
