"""A lead as the router knows it: where it stands, and who has it or why nobody does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from shared.schemas.routing import Leg

VersionParts = tuple[int, int, int, int]

PARKED = "parked:"
CLOSED = ("recycled", "nurture", "on_hold", "disqualified", "to_owner", "lost", "won")  # reasons that end a cycle

WORN_OUT = ("parked:all_declined", "parked:no_eligible_member")


@dataclass(frozen=True, slots=True)
class Cause:
    """What made a lead move.

    kind: scored, merged, unmerged, swept, left (the rep has), account_scored, hand_raise, better_grade, call_later, cooled_off,
          inherited (it is qualified, because a lead that was merged into it is), or the kind of a handoff event
    ref:  the event id, or the score's version
    at:   when it happened, ms
    """

    kind: str
    ref: str | None
    at: int
    reason: str | None = None
    rep_id: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """An assignment of this cycle that is no longer in force; it is again, if handoff refuses those after it."""

    assignment: int
    rep_id: str
    pool_id: str | None
    sharing: tuple[str, ...] = ()


def still(explored_at: int | None, ripe_at: int | None) -> bool:
    """Whether it is by having been explored that a lead became ripe, at `ripe_at`: it has raised its hand for nothing since."""
    return explored_at is not None and ripe_at is not None and explored_at >= ripe_at


@dataclass(frozen=True, slots=True)
class Lead:
    """The row of a lead, without its score. It has an owner or a waiting reason, never both, never neither (P3).

    stage, disposition: vocabulary, sections 6 and 7
    closed_at:          when the latest cycle's opportunity was closed (ms): only a signal received later opens another cycle
    floor_grade:        the lowest grade since then
    verdict:            of the gate, when it was last routed in this cycle
    assignment:         counts the assignments over all cycles; held_assignment is the one in force
    replaced:           the assignments of this cycle before it, whose offers were over or taken back
    sharing:            reps who were eligible for the assignment in force, and so were owed their share of it
    provisional:        handoff has not confirmed the offer yet
    excluded:           reps who had this lead earlier in this cycle
    waiting_reason:     unscored, below_gate, parked:<code>, recycled, nurture, on_hold, disqualified, to_owner, lost, won, merged
    waiting_for:        reps whom nothing but their capacity, their caps or their hours keep from taking it
    waiting_until:      when the first of them is at work again or begins another day, a protection ends, or it has waited long
                        enough for what is not known of it, or its cool-off ends (ms): it is tried again then
    next_change:        when an answer that counts expires (ms): it is tried again then, too
    account:            the key of its company, by its latest score
    scenario:           what marketing automation is doing with it, and may_email: whether that may write to it
    passed_on:          inside sales has qualified it for field sales in this cycle
    explored_at:        when it was last explored on purpose, though below the gate (ms)
    decided_under:      the policy sequence under which it waits: a newer one frees it
    """

    lead_id: str
    version: VersionParts | None = None
    digest: str | None = None
    grade: str = "D4"
    stage: str = "inquiry"
    disposition: str = "nurture"
    cycle: int = 1
    closed_at: int | None = None
    floor_grade: str | None = None
    leg: Leg | None = None
    returned_to_is: bool = False
    verdict: Literal["mql", "inside_sales_check"] | None = None
    lead_class: str | None = None
    qualifying_at: int | None = None
    owner_rep: str | None = None
    pool_id: str | None = None
    accepted: bool = False
    provisional: bool = False
    assignment: int = 0
    held_assignment: int = 0
    sharing: tuple[str, ...] = ()
    replaced: tuple[Held, ...] = ()
    excluded: tuple[str, ...] = ()
    waiting_reason: str | None = "unscored"
    waiting_since: int | None = None
    waiting_for: tuple[str, ...] = ()
    waiting_until: int | None = None
    next_change: int | None = None
    decided_under: int = 0
    tried_at: int | None = None
    decisions: int = 0
    decision_id: str | None = None
    changes: int = 0
    merged_into: str | None = None
    account: str | None = None
    scenario: str | None = None
    may_email: bool = False
    passed_on: bool = False
    explored_at: int | None = None

    @property
    def parked(self) -> bool:
        return (self.waiting_reason or "").startswith(PARKED)

    @property
    def explored(self) -> bool:
        """Whether it is with sales by having been explored, and by nothing else since."""
        return still(self.explored_at, self.qualifying_at)

    @property
    def closed(self) -> bool:
        """Its cycle has ended, and only something new opens another."""
        return self.waiting_reason in CLOSED

    @property
    def worn_out(self) -> bool:
        """Nobody is left who could be asked in this cycle."""
        return bool(self.excluded) and self.waiting_reason in WORN_OUT

    def waits(self, reason: str, at: int) -> Lead:
        """The lead without an owner, because of `reason`; it keeps the time since when it waits for the same reason."""
        since = self.waiting_since if self.waiting_reason == reason else at
        return replace(
            self,
            owner_rep=None,
            accepted=False,
            provisional=False,
            waiting_reason=reason,
            waiting_since=since,
            waiting_for=(),
            waiting_until=None,
            next_change=None,
        )

    def standing(self) -> tuple[object, ...]:
        """What a decision must change to be one."""
        return (
            self.stage,
            self.disposition,
            self.cycle,
            self.owner_rep,
            self.held_assignment,
            self.waiting_reason,
            self.leg,
            self.pool_id,
            self.scenario,
            self.may_email,
        )
