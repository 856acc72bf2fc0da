"""The opportunity: its offers and clocks, and who holds it. The offer is the truth of ownership (P3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from services.handoff.domain.clocks import Clock
from services.handoff.domain.terms import Promises
from shared.schemas.handoff import HandoffEvent
from shared.schemas.routing import MANAGER

# Stages of vocabulary, section 9, as far as the handoff goes, and how it ends; those between are the deal's (pipeline.yaml).
# `merged` is ours: the lead became part of another one.
Stage = Literal["offered", "accepted", "won", "lost", "recycled", "disqualified", "merged"]
OfferState = Literal["open", "accepted", "declined", "expired", "superseded", "withdrawn"]

OPEN_STAGES: frozenset[str] = frozenset({"offered", "accepted"})


@dataclass(frozen=True, slots=True)
class Offer:
    """One rep was asked to take the lead, or (`assign`) told to. Times in ms since the epoch, UTC.

    reason: code of the decline, or the clock that expired it, or why it was withdrawn
    effect: what policy says the reason causes
    """

    assignment: int
    rep_id: str
    rep_name: str
    mode: Literal["offer", "assign"]
    leg: str
    pool_id: str
    offered_at: int
    state: OfferState = "open"
    accepted_at: int | None = None
    ended_at: int | None = None
    reason: str | None = None
    effect: str | None = None

    def is_held(self) -> bool:
        """Whether its rep holds the lead now, accepted or not yet."""
        return self.state in ("open", "accepted")

    def is_last_resort(self) -> bool:
        """Whether it went to who manages the pool, because nobody else is left: a lead is never taken from there."""
        return self.pool_id.startswith(MANAGER)


@dataclass(frozen=True, slots=True)
class Opportunity:
    """What a lead may become in one cycle (P4).

    assignment: the highest assignment decided on, applied or refused: what is not above it is a duplicate
    withdrawn:  the stage it closes in when its holder gives it up, because the router took the lead back meanwhile
    offers:     by assignment; at most the last of them is held, beyond the end where it was won or lost: by whom
    deal:       the stage of its deal, where there is one;  deal_type: which stages it goes through
    """

    tenant: str
    opportunity_id: str
    lead_id: str
    cycle: int
    stage: Stage
    assignment: int
    withdrawn: Stage | None = None
    offers: tuple[Offer, ...] = ()
    clocks: tuple[Clock, ...] = ()
    deal: str | None = None
    deal_type: str = "new"

    def is_open(self) -> bool:
        return self.stage in OPEN_STAGES

    @property
    def told(self) -> str:
        """The stage as others hear of it: the deal's, while a rep has the lead."""
        return self.deal if self.stage == "accepted" and self.deal else self.stage

    def current(self) -> Offer | None:
        """The offer that is held now, if any."""
        return self.offers[-1] if self.offers and self.offers[-1].is_held() else None

    def worker(self) -> Offer:
        """The offer of whoever has it, or had it last."""
        return self.offers[-1]

    def running(self) -> tuple[Clock, ...]:
        return tuple(clock for clock in self.clocks if clock.is_running())

    def with_offer(self, offer: Offer) -> Opportunity:
        """The same with `offer` in the place of the one of its assignment."""
        return replace(self, offers=tuple(offer if o.assignment == offer.assignment else o for o in self.offers))

    def with_clock(self, clock: Clock) -> Opportunity:
        """The same with `clock` in the place of the one of its offer and kind."""
        same = (clock.assignment, clock.kind)
        return replace(self, clocks=tuple(clock if (c.assignment, c.kind) == same else c for c in self.clocks))

    def by_promises(self, promises: Promises, now: int) -> Opportunity:
        """The same with its running clocks by what is promised `now`: others' terms may have changed since they were looked at.

        To be done before anything fires, so that nothing fires early.
        """
        moved = self
        for clock in self.running():
            terms = promises.terms(clock.rep_id, clock.lead_class)
            moved = moved.with_clock(
                clock.under(terms, now) if clock.assignment else self._of_deal(clock, promises, now)
            )
        return moved

    def _of_deal(self, clock: Clock, promises: Promises, now: int) -> Clock:
        if not promises.keeps(clock.kind, self.deal_type, self.deal):  # not promised any more
            return clock.cancelled(now)
        return replace(clock, rep_id=self.worker().rep_id).on_days(promises)

    def without_leftovers(self, now: int) -> Opportunity:
        """The same with nothing still to happen of offers that have ended, or of what is closed: programs that know no steps leave
        them behind, and nothing else would end them."""
        last = self.worker().assignment if self.offers else None
        kept = self.closed(now).clocks
        ended = tuple(clock if clock.assignment in (0, last) else clock.cancelled(now).ends() for clock in kept)
        return replace(self, clocks=ended)

    def closed(self, at: int) -> Opportunity:
        """The same, where it is closed, with nothing that is still to happen."""
        if self.is_open():
            return self
        return replace(self, clocks=tuple(clock.cancelled(at).ends() for clock in self.clocks))


@dataclass(frozen=True, slots=True)
class Change:
    """An opportunity after something happened to it, and what is to be told of it, in order."""

    opportunity: Opportunity
    events: tuple[HandoffEvent, ...] = ()

    def then(self, following: Change) -> Change:
        return Change(following.opportunity, self.events + following.events)
