"""SLA clocks: each ends once, never early (P5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from services.handoff.domain.terms import SECOND, ClockKind, Doing, Promises, Terms, shared
from shared.availability.calendar import ALWAYS

DEAL = 0  # the `assignment` of a clock that is the deal's, whoever has it
ClockState = Literal["running", "met", "breached", "cancelled"]
Reminder = tuple[int, int]  # percent of the time, and when that has passed (ms): above 100 after a breach


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise of one offer: what must have happened by `due_at`. Times in ms since the epoch, UTC.

    assignment: the offer that it belongs to;  rep_id: whose;  lead_class: by which promise
    terms:      by which `due_at` and `reminders` were found; None for what is older than terms are, and stays as it is
    elapsed:    time counted before `counted_to` (ms), by the terms of that time;  head: of it, before the offer was made
    paused:     plain time (ms) that it stood still, and will until `counted_to` where that lies ahead
    reminders:  steps still to come, in order: before the breach, or after one that left the lead with its holder
    reminded:   the highest share told already
    ended_at:   when it was met or cancelled; for a breach the due time, however late it was noticed
    done_at:    for a breach: when what it waits for happened after all, while the same rep held the lead
    done_by:    by what it was met or done, where that is not what it waits for: `stage`, the deal moved to another stage
    due_on:     for a clock of a deal, which has no terms: the day, or a later one that does not end before `counted_to`
    manager_at: when the manager is told of its breach
    """

    assignment: int
    kind: ClockKind
    started_at: int
    due_at: int
    state: ClockState = "running"
    ended_at: int | None = None
    rep_id: str = ""
    lead_class: str = ""
    terms: Terms | None = None
    elapsed: int = 0
    head: int = 0
    counted_to: int = 0
    reminders: tuple[Reminder, ...] = ()
    reminded: int = 0
    paused: int = 0
    done_at: int | None = None
    due_on: date | None = None
    manager_at: int | None = None
    done_by: str | None = None

    def is_running(self) -> bool:
        return self.state == "running"

    def is_due(self, now: int) -> bool:
        return self.is_running() and self.due_at <= now

    def met(self, now: int, by: str | None = None) -> Clock:
        """The clock after what it waits for has happened; one that has ended stays as it ended."""
        met = self.is_running()
        return replace(self, state="met", ended_at=now, reminders=(), done_by=by) if met else self

    def cancelled(self, now: int) -> Clock:
        """The clock of an offer that ended otherwise; one that has ended stays as it ended."""
        return replace(self, state="cancelled", ended_at=now, reminders=()) if self.is_running() else self

    def breached(self) -> Clock:
        """The clock after its time has passed; one that has ended stays as it ended."""
        return replace(self, state="breached", ended_at=self.due_at, reminders=()) if self.is_running() else self

    def followed(self) -> Clock:
        """The clock that was breached and left the lead with its holder: with the steps that follow, in the time of its terms."""
        if self.manager_at is not None:
            return replace(self, reminders=((200, self.manager_at),))
        if self.terms is None:
            return self
        promised, calendar = self.terms.promised(self.kind, self.head) or 0, self.terms.calendar()
        after = [(share, promised * (share - 100) // 100) for share in self.terms.shares() if share > 100]
        begins = max(self.due_at, self.counted_to)  # breached in a pause, because less was promised: it holds on
        moments = ((share, calendar.add_open(begins, time), time) for share, time in after)
        # Who is never at work again has plain time, as before the breach.
        return replace(self, reminders=tuple((s, begins + time if at is None else at) for s, at, time in moments))

    def ends(self) -> Clock:
        """The clock of an offer that ended: nothing follows any more."""
        return replace(self, reminders=()) if self.reminders else self

    def reminder(self, now: int) -> Reminder | None:
        """The last step whose moment has come and that has not been done; those before it are done with it."""
        coming = (step for step in reversed(self.reminders) if (step[0] < 100) == self.is_running())
        return next((step for step in coming if step[1] <= now), None)

    def doing(self, reminder: Reminder) -> Doing:
        if self.due_on is not None:
            return "tell_manager"
        return self.terms.doing(reminder[0]) if self.terms else "remind"

    def done(self, now: int, by: str | None = None) -> Clock:
        """The clock that was breached, after what it waits for has happened; once."""
        late = self.state == "breached" and self.done_at is None
        return replace(self, done_at=now, reminders=(), done_by=by) if late else self

    def takes_back(self) -> bool:
        """Whether its breach takes the lead from the holder, instead of being told to their manager."""
        untouched = self.terms.untouched if self.terms else "take_back"
        return self.kind == "accept" or (self.kind == "first_touch" and untouched == "take_back")

    def told(self, reminder: Reminder) -> Clock:
        later = tuple(one for one in self.reminders if one[0] > reminder[0])
        return replace(self, reminders=later, reminded=reminder[0])

    def under(self, terms: Terms, now: int) -> Clock:
        """The clock by `terms` from `now` on. What has been counted stays counted: of the time since, what was open by the terms
        until now and is by the new ones, so that what is said a little late takes nothing from the holder."""
        if not self.is_running() or self.terms is None or self.terms == terms:
            return self
        promised = terms.promised(self.kind, self.head)
        if promised is None:  # not promised any more
            return self.cancelled(now)
        counted = shared(self.terms.hours, terms.hours)
        elapsed = self.elapsed + counted.open_time(self.counted_to, now)
        moved = replace(self, elapsed=elapsed, counted_to=max(self.counted_to, now))._due(terms)
        if elapsed < promised:
            return moved
        # It has been over for a while, unnoticed; or the new terms are shorter, and it is over now.
        over = counted.add_open(self.counted_to, promised - self.elapsed)
        return replace(moved, due_at=max(terms.closing(over or now), min(self.due_at, now)))

    def standing(self, now: int, until: int) -> Clock:
        """The clock that does not count from `now` until `until`; `counts` ends it sooner."""
        if not self.is_running() or self.terms is None:
            return self
        elapsed = self.elapsed + self.terms.calendar().open_time(self.counted_to, now)
        stands = replace(self, elapsed=elapsed, counted_to=until, paused=self.paused + until - now)
        return stands._due(self.terms)

    def counts(self, now: int) -> Clock:
        """The clock that counts again from `now` on."""
        if not self.is_running() or self.terms is None or self.counted_to <= now:
            return self
        return replace(self, counted_to=now, paused=self.paused - (self.counted_to - now))._due(self.terms)

    def held(self, promises: Promises | None, since: int, until: int) -> Clock:
        """What is due on days, and what follows a breach, with all that was to count from `since` on counting from `until` on:
        `since` is when a pause begins and `until` its end, or `until` is when somebody ends it before `since`, its end.

        A working day at whose end the clocks stand does not count. The day of the next step was said, so it stays; it is late once
        work ends on a day of its holder's on which the clocks count.
        """
        if self.state == "breached":
            return self._steps_held(promises, since, until)
        if self.due_on is None or not self.is_running() or promises is None:
            return self
        day = self.due_on
        if self.kind == "stage_rot":
            # A pause of who had the deal before may still hold.
            day = promises.held_day(self.rep_id, self.started_at, day, max(since, self.counted_to), until)
        return replace(self, due_on=day, counted_to=until).on_days(promises)

    def _steps_held(self, promises: Promises | None, since: int, until: int) -> Clock:
        if not self.reminders:
            return self
        if self.manager_at is not None and promises:
            day = promises.day_of(self.rep_id, self.manager_at - 1)
            at = promises.closes(self.rep_id, promises.held_day(self.rep_id, self.due_at - 1, day, since, until))
            return replace(self, manager_at=at, reminders=tuple((share, at) for share, _ in self.reminders))
        calendar = self.terms.calendar() if self.terms else ALWAYS

        def later(at: int) -> int:
            missing = calendar.open_time(since, at)
            # Of who is never at work again, plain time counts.
            return (missing and calendar.add_open(until, missing)) or at + until - since

        return replace(self, reminders=tuple((share, later(at)) for share, at in self.reminders))

    def on_days(self, promises: Promises) -> Clock:
        """The clock of a deal, due at the end of its day as whoever has the deal is at work by what is known now."""
        if self.due_on is None or not self.is_running():
            return self
        due_at, wait = (
            promises.closes(self.rep_id, self.due_on, self.counted_to),
            promises.sla.deals and promises.sla.deals.manager_after,
        )
        if not wait:
            return replace(self, due_at=due_at, manager_at=None)
        day = promises.working_day(self.rep_id, due_at - 1, wait)
        return replace(self, due_at=due_at, manager_at=promises.closes(self.rep_id, day))

    def _due(self, terms: Terms) -> Clock:
        """The clock with its moments as of `counted_to`, by `terms`."""
        promised, calendar = terms.promised(self.kind, self.head) or 0, terms.calendar()
        due_at = calendar.add_open(self.counted_to, promised - self.elapsed)
        if due_at is None:  # never at work again: the lead does not wait for ever
            calendar, due_at = ALWAYS, self.counted_to + promised - self.elapsed
        else:
            due_at = terms.closing(due_at)
        if terms.at_most is not None:
            due_at = min(due_at, max(self.counted_to, self.started_at + terms.at_most * SECOND + self.paused))
        before = (share for share in terms.shares() if self.reminded < share < 100)
        shares = ((share, promised * share // 100 - self.elapsed) for share in before)
        moments = ((share, calendar.add_open(self.counted_to, missing)) for share, missing in shares if missing > 0)
        coming = tuple((share, at) for share, at in moments if at is not None and at < due_at)
        return replace(self, terms=terms, due_at=due_at, reminders=coming)


def start_clocks(
    terms: Terms, *, assignment: int, rep_id: str, lead_class: str, to_accept: bool, qualifying_at: int, now: int
) -> tuple[Clock, ...]:
    """The clocks of an offer made at `now`, in the order in which they fire when both are overdue.

    The first touch is due from the receipt of the qualifying touch on, because that is what the lead waits for; yet never before
    the offer may be accepted, or a lead that was routed late would be lost to a rep who did nothing wrong.
    """
    head = terms.calendar().open_time(qualifying_at, now)

    def start(kind: ClockKind, head: int) -> Clock:
        clock = Clock(assignment, kind, now, now, rep_id=rep_id, lead_class=lead_class, elapsed=head, head=head)
        return replace(clock, counted_to=now)._due(terms)

    first_touch = start("first_touch", head)
    return (start("accept", 0), first_touch) if to_accept else (first_touch,)


def start_qualifying(first_touch: Clock, now: int) -> Clock | None:
    """The clock of inside sales who accepted at `now`; None where nothing is promised. first_touch: of the same offer"""
    terms = first_touch.terms
    if terms is None or terms.qualify is None:
        return None
    rep_id, lead_class = first_touch.rep_id, first_touch.lead_class
    clock = Clock(first_touch.assignment, "qualify", now, now, rep_id=rep_id, lead_class=lead_class, counted_to=now)
    return clock._due(terms)
