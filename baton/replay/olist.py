"""The Olist marketing funnel as tracking calls: 8,000 real requests to join a marketplace, 842 of them won. Pure.

The data names no person: a seller is the pseudonymous user id `<mql_id>`, and nothing else is made up.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from baton.errors import OperatorError

LEADS, DEALS = "marketing_qualified_leads.csv", "closed_deals.csv"
FOLDER = "olist_funnel"
DEAL_FIELDS = (  # what sales knew of a won lead; the data leaves many empty
    "seller_id",
    "sdr_id",
    "sr_id",
    "business_segment",
    "lead_type",
    "lead_behaviour_profile",
    "has_company",
    "has_gtin",
    "average_stock",
    "business_type",
    "declared_product_catalog_size",
    "declared_monthly_revenue",
)


@dataclass(frozen=True, slots=True)
class Lead:
    """One request to join. deal: what was known when it was won, at `won_at` (which may lie before the first contact: clocks
    disagree in real life); None for one that was not won."""

    mql_id: str
    first_contact: datetime
    landing_page: str
    origin: str
    won_at: datetime | None = None
    deal: dict[str, str] | None = None


def load(folder: Path) -> list[Lead]:
    """All leads, by first contact. Raises OperatorError when the files are not there or not what they should be."""
    if not (folder / LEADS).exists() and (folder / FOLDER / LEADS).exists():
        folder = folder / FOLDER
    try:
        with (folder / LEADS).open(newline="") as leads, (folder / DEALS).open(newline="") as deals:
            return read(csv.DictReader(leads), csv.DictReader(deals))
    except OSError as error:
        raise OperatorError(
            f"{error.filename} cannot be read ({error.strerror}): name the folder that holds {LEADS} and {DEALS}"
        ) from None
    except (KeyError, ValueError) as error:
        raise OperatorError(f"{folder} does not hold the Olist funnel as published: {error}") from None


def read(leads: Iterable[dict[str, str]], deals: Iterable[dict[str, str]]) -> list[Lead]:
    """The leads of rows as the files have them, by first contact. Raises KeyError, ValueError, also for a deal without its lead."""
    won = {row["mql_id"]: row for row in deals}
    found = []
    for row in leads:
        deal = won.pop(row["mql_id"], None)
        found.append(
            Lead(
                row["mql_id"],
                _time(row["first_contact_date"]),
                row["landing_page_id"],
                row["origin"] or "unknown",
                _time(deal["won_date"]) if deal else None,
                {name: deal[name] for name in DEAL_FIELDS if deal[name]} if deal else None,
            )
        )
    if won:
        raise ValueError(f"{len(won)} closed deals have no lead, such as {next(iter(won))}")
    return sorted(found, key=lambda lead: (lead.first_contact, lead.mql_id))


def newest(leads: Iterable[Lead]) -> datetime:
    """The latest moment in the data, of a contact or a deal."""
    return max(moment for lead in leads for moment in (lead.first_contact, lead.won_at) if moment)


def messages(lead: Lead, shift: timedelta) -> Iterator[dict[str, Any]]:
    """The calls of one lead: who asks, that they ask, and the deal if there was one. Dates move by `shift`.

    A message id holds the shift: the same replay is the same events, another one has events of its own.
    """
    contact = lead.first_contact + shift
    mark = f"olist-{lead.mql_id}-{round(shift.total_seconds())}"
    traits = {"landing_page": lead.landing_page, "origin": lead.origin}
    page = {"path": f"/landing/{lead.landing_page}"}
    yield {
        "type": "identify",
        "userId": lead.mql_id,
        "messageId": f"{mark}-identify",
        "timestamp": contact,
        "traits": traits,
        "context": {"locale": "pt-BR"},
    }
    yield {
        "type": "track",
        "event": "First Contact",
        "userId": lead.mql_id,
        "messageId": f"{mark}-contact",
        "timestamp": contact,
        "properties": traits,
        "context": {"page": page, "locale": "pt-BR"},
    }
    if lead.won_at is not None:
        yield {
            "type": "track",
            "event": "Deal Won",
            "userId": lead.mql_id,
            "messageId": f"{mark}-won",
            "timestamp": lead.won_at + shift,
            "properties": dict(lead.deal or {}),
        }


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
