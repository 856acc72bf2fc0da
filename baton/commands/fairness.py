"""`baton fairness`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import typer

from baton.commands.shown import check_language, zone_of
from baton.errors import OperatorError
from baton.home import Names, environment, here, token_of


def fairness(
    pool: str | None = typer.Argument(None, help="A pool's id; every pool when left out."),
    tenant: str = typer.Option("northstar", help="Whose pools: northstar, hinode or olist."),
    since: str | None = typer.Option(
        None, metavar="TIME", help="ISO 8601; a day alone is its beginning. 30 days before --until when left out."
    ),
    until: str | None = typer.Option(None, metavar="TIME", help="Before this moment; now when left out."),
    lang: str = typer.Option("en", help="en or ja"),
    zone: str | None = typer.Option(None, help="Time zone of what is asked and shown; the tenant's when left out."),
) -> None:
    """Show what pools gave to whom against their weighted shares, and who is next for a lead now, and why.

    A share counts while somebody could take the lead: absent, full or without the skill, they are owed nothing of it. What stuck
    to a rep, and what an account gave to its owner, is shared with nobody and counted apart; so is what turned out to be no lead.
    """
    check_language(lang)
    shown = zone_of(tenant, zone)
    _fairness(environment(here()), tenant, pool, since, until, lang, shown)


def _fairness(
    names: Names, tenant: str, pool: str | None, since: str | None, until: str | None, lang: str, zone: str
) -> None:
    import httpx

    from baton.explaining.past import moment
    from baton.explaining.present import get
    from baton.fairness_words import told

    now = time.time_ns() // 1_000_000
    period = {
        name: datetime.fromtimestamp(moment(text, ZoneInfo(zone), now) / 1000, UTC).isoformat()
        for name, text in (("since", since), ("until", until))
        if text
    }
    headers = {"Authorization": f"Bearer {token_of(names, tenant)}"}
    base = f"{names['ROUTER_URL']}/v1/pools"
    with httpx.Client(headers=headers, timeout=30) as client:
        everything = get(client, base) or {"pools": []}
        known = [each["pool_id"] for each in everything["pools"]]
        for pool_id in [pool] if pool else known:
            found = get(client, f"{base}/{pool_id}/fairness", period)
            if found is not None:
                print(told(found, lang=lang, zone=zone), end="\n\n" if pool is None else "\n")
            elif pool is not None:
                raise OperatorError(f"tenant {tenant} has no pool {pool}: it has {', '.join(known) or 'none yet'}")
