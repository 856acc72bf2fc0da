"""What became of everything that was sent: from the answers, the topics and the tables, never from a counter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from baton.segment import Tally
from shared.schemas import ids

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of a tenant.

    touches: event id -> (lead, kind of identity), from `touchpoints`;  sources: who sent them
    scored:  lead -> what it was merged into, or None, from the latest record of `lead-scored`
    rows:    lead -> the router's row (owner_rep, waiting_reason, provisional)
    opportunities: lead -> how many, from handoff
    """

    touches: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()
    scored: Mapping[str, str | None] = field(default_factory=dict)
    rows: Mapping[str, Row] = field(default_factory=dict)
    opportunities: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Summary:
    """The account of one replay. Everything sent has an answer, every taken event a touch, every lead a score and a place."""

    tenant: str
    sent: int = 0
    received: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    unanswered: int = 0
    rejections: dict[str, int] = field(default_factory=dict)
    touches_missing: int = 0
    leads: int = 0
    leads_scored: int = 0
    leads_not_scored: int = 0
    merged: int = 0
    routed: int = 0
    nurtured: int = 0
    parked: int = 0
    closed: int = 0
    parked_reasons: dict[str, int] = field(default_factory=dict)
    leads_without_place: int = 0
    opportunities: int = 0
    seconds: float = 0.0
    leads_per_second: float = 0.0
    unaccounted: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def leads_of(tally: Tally, tenant: str, found: Found) -> tuple[set[str], int]:
    """The known leads that the taken messages went to, and how many taken messages are no touch."""
    taken = tally.message_ids("accepted", "duplicate")
    missing, leads = 0, set()
    for message_id in taken:
        candidates = (ids.derived_id("event", tenant, source, message_id) for source in found.sources)
        touch = next((found.touches[c] for c in candidates if c in found.touches), None)
        if touch is None:
            missing += 1
        elif touch[1] != "anonymous":
            leads.add(touch[0])
    return leads, missing


def account(tenant: str, tally: Tally, found: Found, *, seconds: float, units: int) -> Summary:
    """The summary, with everything that does not add up in `unaccounted`."""
    leads, missing = leads_of(tally, tenant, found)
    merged = {lead for lead in leads if found.scored.get(lead)}
    own = leads - merged
    places = Counter(place(found.rows.get(lead)) for lead in own)
    summary = Summary(
        tenant,
        sent=tally.sent.total(),
        received=tally.answered(),
        accepted=tally.count("accepted"),
        rejected=tally.count("rejected"),
        duplicate=tally.count("duplicate"),
        unanswered=tally.sent.total() - tally.answered(),
        rejections=dict(
            Counter(a.code or "?" for answers in tally.answers.values() for a in answers if a.status == "rejected")
        ),
        touches_missing=missing,
        leads=len(leads),
        leads_scored=sum(lead in found.scored for lead in leads),
        leads_not_scored=sum(lead not in found.scored for lead in leads),
        merged=len(merged),
        routed=places["routed"],
        nurtured=places["nurtured"],
        parked=places["parked"],
        closed=places["closed"],
        parked_reasons=dict(
            Counter(_reason(found.rows[lead]) for lead in own if place(found.rows.get(lead)) == "parked")
        ),
        leads_without_place=places["nowhere"],
        opportunities=sum(found.opportunities.get(lead, 0) for lead in leads),
        seconds=round(seconds, 2),
        leads_per_second=round(units / seconds, 1) if seconds else 0.0,
    )
    owned_without = sum(place(found.rows.get(lead)) == "routed" and not found.opportunities.get(lead) for lead in own)
    summary.unaccounted = list(_gaps(summary, tally, owned_without))
    return summary


def place(row: Row | None) -> str:
    """Where the router has a lead: routed, nurtured, parked, closed, or nowhere."""
    if row is None or row["waiting_reason"] == "unscored":
        return "nowhere"
    if row["owner_rep"] is not None:
        return "routed"
    reason = str(row["waiting_reason"])
    if reason.startswith("parked:"):
        return "parked"
    return "nurtured" if reason in ("below_gate", "nurture") else "closed"


def _reason(row: Row) -> str:
    return str(row["waiting_reason"]).removeprefix("parked:")


def _gaps(summary: Summary, tally: Tally, owned_without: int) -> Iterable[str]:
    if summary.unanswered:
        why = next(iter(tally.failed.values()), "no reason given")
        yield f"{summary.unanswered} events have no answer ({why})"
    if summary.touches_missing:
        yield f"{summary.touches_missing} accepted events are not on `touchpoints`"
    if summary.leads_not_scored:
        yield f"{summary.leads_not_scored} leads have no score"
    if summary.leads_without_place:
        yield f"{summary.leads_without_place} leads are nowhere in the router"
    if owned_without:
        yield f"{owned_without} routed leads have no opportunity"


def tell(summary: Summary) -> str:
    """The summary in words."""
    s = summary
    lines = [
        f"received {s.received:,} = {s.accepted:,} accepted + {s.rejected:,} rejected + {s.duplicate:,} duplicate"
        f"  (of {s.sent:,} sent, in {s.seconds:.1f} s: {s.leads_per_second:g} a second)",
        *(f"  rejected because of {code}: {count:,}" for code, count in sorted(s.rejections.items())),
        f"leads {s.leads:,}, of which scored {s.leads_scored:,}"
        + (f", merged into others {s.merged:,}" if s.merged else ""),
        f"  routed {s.routed:,}, nurtured {s.nurtured:,}, parked {s.parked:,}, closed by sales {s.closed:,}",
        *(f"  parked because of {code}: {count:,}" for code, count in sorted(s.parked_reasons.items())),
        f"opportunities {s.opportunities:,}",
    ]
    lines += [f"UNACCOUNTED: {gap}" for gap in s.unaccounted] or ["Nothing is unaccounted for."]
    return "\n".join(lines)
