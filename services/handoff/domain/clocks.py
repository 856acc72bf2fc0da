"""SLA clocks: each ends once, never early (P5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from shared.schemas.policies.sla import LeadClass, SlaPolicy

ClockKind = Literal["accept", "first_touch"]
ClockState = Literal["running", "met", "breached", "cancelled"]

SECOND = 1000


@dataclass(frozen=True, slots=True)
class Clock:
    """A promise of one offer: what must have happened by `due_at`. Times in ms since the epoch, UTC.

    assignment: the offer that it belongs to
    ended_at:   when it was met or cancelled; for a breach the due time, however late it was noticed
    """

    assignment: int
    kind: ClockKind
    started_at: int
    due_at: int
    state: ClockState = "running"
    ended_at: int | None = None

    def is_running(self) -> bool:
        return self.state == "running"

    def is_due(self, now: int) -> bool:
        return self.is_running() and self.due_at <= now

    def met(self, now: int) -> Clock:
        """The clock after what it waits for has happened; one that has ended stays as it ended."""
        return replace(self, state="met", ended_at=now) if self.is_running() else self

    def cancelled(self, now: int) -> Clock:
        """The clock of an offer that ended otherwise; one that has ended stays as it ended."""
        return replace(self, state="cancelled", ended_at=now) if self.is_running() else self

    def breached(self) -> Clock:
        """The clock after its time has passed; one that has ended stays as it ended."""
        return replace(self, state="breached", ended_at=self.due_at) if self.is_running() else self


def start_clocks(
    lead_class: LeadClass, *, assignment: int, to_accept: bool, qualifying_at: int, now: int
) -> tuple[Clock, ...]:
    """The clocks of an offer made at `now`, in the order in which they fire when both are overdue.

    The first touch is due from the receipt of the qualifying touch on, because that is what the lead waits for; yet never before
    the offer may be accepted, or a lead that was routed late would be lost to a rep who did nothing wrong.
    """
    accept_due = now + lead_class.accept * SECOND
    first_touch = Clock(
        assignment, "first_touch", now, max(qualifying_at + lead_class.first_touch * SECOND, accept_due)
    )
    return (Clock(assignment, "accept", now, accept_due), first_touch) if to_accept else (first_touch,)


def class_of(sla: SlaPolicy, lead_class: str) -> LeadClass:
    """The promise to leads of this class; a class that the policy does not name has the default one."""
    return next((known for known in sla.classes if known.id == lead_class), sla.default)
