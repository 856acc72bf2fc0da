"""Clocks of a deal: the next step that was said, and how long nothing has changed. They only tell, and stay with the deal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from services.handoff.domain import events
from services.handoff.domain.clocks import DEAL, Clock
from services.handoff.domain.opportunity import Change, Opportunity
from services.handoff.domain.terms import ClockKind, Promises


def watched(
    opportunity: Opportunity,
    due_on: Mapping[ClockKind, date | None],
    promises: Promises,
    now: int,
    stands: int = 0,
) -> Change:
    """The clocks of these kinds due on those days: one whose day is another now begins anew, None ends it.

    What was late by then is done late: the next step has another day, or the deal has moved after all.

    stands: until when the clocks are paused (ms), 0 where they are not: nothing is late on a day that ends before
    """
    change = Change(opportunity)
    for kind, day in due_on.items():
        change = change.then(_on(change.opportunity, kind, day, promises, now, stands))
    return change


def _on(
    opportunity: Opportunity, kind: ClockKind, day: date | None, promises: Promises, now: int, stands: int
) -> Change:
    known = next((clock for clock in opportunity.clocks if (clock.assignment, clock.kind) == (DEAL, kind)), None)
    if known and known.due_on == day and known.state in ("running", "breached") and known.done_at is None:
        # The days of rot are counted from the last change on, also where a pause makes them end on the same one.
        anew = kind == "stage_rot" and known.is_running()
        return Change(opportunity.with_clock(replace(known, started_at=now)) if anew else opportunity)
    change = Change(opportunity)
    if known:
        late = known.done(now)
        change = Change(opportunity.with_clock(late.cancelled(now)))
        if late is not known:
            told = events.of_clock(opportunity, "clock-met-late", now, opportunity.worker(), known)
            change = replace(change, events=(told,))
    if day is None or not opportunity.is_open():
        return change
    rep_id, lead_class = opportunity.worker().rep_id, opportunity.clocks[0].lead_class if opportunity.clocks else ""
    # Never due before it was set: a day whose work has ended by then is late when the next one's has.
    since = max(stands, now)
    started = Clock(DEAL, kind, now, now, rep_id=rep_id, lead_class=lead_class, due_on=day, counted_to=since)
    started = started.on_days(promises)
    others = tuple(clock for clock in change.opportunity.clocks if (clock.assignment, clock.kind) != (DEAL, kind))
    return replace(change, opportunity=replace(change.opportunity, clocks=(*others, started)))
