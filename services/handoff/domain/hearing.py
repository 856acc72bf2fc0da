"""A human touch that was told on `touchpoints`, not by a rep: whose it is, and what it does to the opportunity. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from services.handoff.domain.ending import fire
from services.handoff.domain.opportunity import Change, Offer, Opportunity
from services.handoff.domain.rep import Activity, log_touch


@dataclass(frozen=True, slots=True)
class Heard:
    """A touch of a lead that can be a human one. Times in ms.

    received_at: when ingest got it: by it, it lies before or after the choice of a rep
    rep_id:      who took part, where the record says so
    """

    lead_id: str
    event_id: str
    type: str
    at: int
    received_at: int
    source_id: str
    rep_id: str | None = None


def hear(
    opportunity: Opportunity, heard: Heard, chosen: Mapping[int, int], counting: Collection[str], now: int
) -> tuple[Change, Activity] | None:
    """The touch as an activity of the opportunity, and what that changes. None where it is none of it: the type does not count, the
    opportunity has ended, or the touch was received before the router first gave the lead to anybody.

    Where the record names a rep, it is theirs, and does what an activity of theirs does: it accepts an open offer of theirs, and
    stops the clock. One that names nobody is the holder's, once they have the lead; while they are still asked it is nobody's, and
    does nothing: somebody else may have called. What was received before the holder was chosen does nothing to their clocks.

    chosen: when the router chose the rep of each assignment, as far as that is known;  counting: types that policy counts
    """
    fired = fire(opportunity, now)
    after = fired.opportunity
    if heard.type not in counting or not after.is_open() or not after.offers:
        return None
    if heard.received_at < _begun(after.offers[0], chosen):
        return None
    holder = after.current()
    in_time = holder is not None and heard.received_at >= _begun(holder, chosen)
    rep_id = heard.rep_id
    if rep_id is None and holder and in_time and (holder.state == "accepted" or holder.mode == "assign"):
        rep_id = holder.rep_id
    activity = Activity(heard.event_id, heard.type, heard.at, rep_id, is_first_touch=in_time)
    change = fired.then(log_touch(after, activity, now))
    # Scoring has it from `touchpoints`: it is not to count twice.
    told = (
        event.model_copy(update={"touch": heard.event_id}) if event.kind == "activity-logged" else event
        for event in change.events
    )
    return Change(change.opportunity, tuple(told)), activity


def _begun(offer: Offer, chosen: Mapping[int, int]) -> int:
    return min(offer.offered_at, chosen.get(offer.assignment, offer.offered_at))
