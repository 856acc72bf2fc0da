"""The Olist leads cut in two by time: what could be known on the day of the cut, and what came after. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from baton.quality.watching import Watched
from baton.replay.olist import Lead, newest

TRAINING_SHARE = 0.7
WITHIN = timedelta(days=90)  # of the first contact a lead has to be won
TRAITS = ("origin", "landing_page")


@dataclass(frozen=True, slots=True)
class Cut:
    """Leads before and from a day (midnight, UTC). observed_until: the latest moment of the data, of a contact or a deal."""

    day: datetime
    before: Sequence[Lead]
    after: Sequence[Lead]
    observed_until: datetime


def cut(leads: Sequence[Lead], share: float = TRAINING_SHARE) -> Cut:
    """Cut at the day on which `share` of the leads, by first contact, had come; the leads of that day come after."""
    ordered = sorted(leads, key=lambda lead: lead.first_contact)
    day = ordered[int(len(ordered) * share)].first_contact.replace(hour=0, minute=0, second=0, microsecond=0)
    before = [lead for lead in ordered if lead.first_contact < day]
    return Cut(day, before, ordered[len(before) :], newest(leads))


def was_won(lead: Lead) -> bool:
    """Within 90 days of the first contact; also when it was won before, as clocks disagree."""
    return lead.won_at is not None and lead.won_at - lead.first_contact <= WITHIN


def known(halves: Cut) -> list[Watched]:
    """What was known on the day of the cut: of each earlier lead, whether it had been won by then and since when it was watched.

    Left out are leads from before the first deal on record: no deal of theirs could have been recorded in time.
    """
    deals = [lead.won_at for lead in halves.before if lead.won_at and lead.won_at < halves.day]
    if not deals:
        raise ValueError("before the cut no lead was won")
    since = min(deals)
    return [_watched(lead, halves.day) for lead in halves.before if lead.first_contact >= since]


def decided(halves: Cut) -> list[Lead]:
    """The later leads of which it is known whether they were won in time: won, or watched for all the days."""
    return [lead for lead in halves.after if was_won(lead) or lead.first_contact + WITHIN <= halves.observed_until]


def _watched(lead: Lead, day: datetime) -> Watched:
    end = min(day, lead.first_contact + WITHIN)
    won = lead.won_at is not None and lead.won_at < day and was_won(lead)
    if won and lead.won_at is not None:
        end = max(lead.won_at, lead.first_contact)
    return Watched(
        {trait: getattr(lead, trait) for trait in TRAITS}, (end - lead.first_contact) / timedelta(days=1), won
    )
