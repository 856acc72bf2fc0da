"""Clocks that stand still because the rep waits for somebody else, for a reason and not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.handoff.domain import events
from services.handoff.domain.ending import fire
from services.handoff.domain.opportunity import Change, Offer, Opportunity
from services.handoff.domain.rep import OfferNotOpenError, offer_of
from services.handoff.domain.terms import Promises
from shared.schemas.handoff import HandoffEvent, HandoffKind
from shared.schemas.policies.sla import PauseReason

SECOND = 1000


class PausedAlreadyError(Exception):
    """The clocks stand still for another reason: resume first."""


class PauseLimitError(Exception):
    """For this reason the clocks of this holder have been paused as often as policy lets."""


class NothingRunsError(Exception):
    """No clock of this lead runs, so there is nothing to pause."""


@dataclass(frozen=True, slots=True)
class Pause:
    """One of the pauses of an offer, by `number` from 1. Times in ms.

    until:   when the clocks go on by themselves;  resumed_at: when they did before that
    """

    assignment: int
    number: int
    reason: str
    paused_at: int
    paused_by: str
    until: int
    resumed_at: int | None = None
    resumed_by: str | None = None

    def holds(self, now: int) -> bool:
        return self.resumed_at is None and now < self.until


def pause(
    opportunity: Opportunity,
    before: Sequence[Pause],
    rep_id: str,
    reason: PauseReason,
    now: int,
    *,
    by: str,
    until: int | None = None,
    promises: Promises | None = None,
) -> tuple[Change, Pause | None]:
    """The holder waits for somebody else: the clocks of the lead and of its deal, and the steps after a breach, stand until `until`
    (ms), at most as long as policy lets. Saying so again while they do changes nothing (None).

    before: the pauses of the opportunity, in order;  promises: what is promised now, by which days are counted

    Raises NotTheHolderError, OfferNotOpenError (also while the offer has not been accepted), PausedAlreadyError, PauseLimitError,
    NothingRunsError.
    """
    fired = fire(opportunity, now)
    offer = _accepted(fired.opportunity, rep_id)
    theirs = [one for one in before if one.assignment == offer.assignment]
    if theirs and theirs[-1].holds(now):
        if theirs[-1].reason != reason.code:
            raise PausedAlreadyError
        return fired, None
    if sum(one.reason == reason.code for one in theirs) >= reason.times:
        raise PauseLimitError
    if not any(clock.is_running() or clock.reminders for clock in fired.opportunity.clocks):
        raise NothingRunsError
    limit = now + reason.most * SECOND
    made = Pause(offer.assignment, len(theirs) + 1, reason.code, now, by, limit if until is None else min(until, limit))
    stands = fired.opportunity
    for clock in stands.clocks:
        stands = stands.with_clock(clock.standing(now, made.until).held(promises, now, made.until))
    told = _told(stands, "clocks-paused", now, offer, made)
    return fired.then(Change(stands, (told,))), made


def resume(
    opportunity: Opportunity,
    before: Sequence[Pause],
    rep_id: str,
    now: int,
    *,
    by: str,
    promises: Promises | None = None,
) -> tuple[Change, Pause | None]:
    """The clocks count again; where they do already, nothing changes (None). Raises NotTheHolderError, OfferNotOpenError."""
    fired = fire(opportunity, now)
    offer = _accepted(fired.opportunity, rep_id)
    theirs = [one for one in before if one.assignment == offer.assignment]
    if not theirs or not theirs[-1].holds(now):
        return fired, None
    ended = replace(theirs[-1], resumed_at=now, resumed_by=by)
    counts = fired.opportunity
    for clock in counts.clocks:
        counts = counts.with_clock(clock.counts(now).held(promises, theirs[-1].until, now))
    told = _told(counts, "clocks-resumed", now, offer, ended)
    return fired.then(Change(counts, (told,))), ended


def stands_until(pauses: Sequence[Pause], now: int) -> int:
    """When the clocks of an opportunity with these pauses, in order, count again (ms); 0 where they count now."""
    return pauses[-1].until if pauses and pauses[-1].holds(now) else 0


def _accepted(opportunity: Opportunity, rep_id: str) -> Offer:
    offer = offer_of(opportunity, rep_id)
    if offer.state != "accepted":
        raise OfferNotOpenError(offer.state)
    return offer


def _told(opportunity: Opportunity, kind: HandoffKind, now: int, offer: Offer, one: Pause) -> HandoffEvent:
    until = one.until if kind == "clocks-paused" else None
    return events.event(
        opportunity,
        kind,
        now,
        offer.assignment,
        str(one.number),
        rep_id=offer.rep_id,
        reason=one.reason,
        until=until,
    )
