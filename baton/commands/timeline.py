"""`baton timeline`."""

from __future__ import annotations

import typer

from baton.commands.shown import check_language, zone_of
from baton.home import environment, here


def timeline(
    lead: str = typer.Argument(help="A lead's id, an e-mail address, or a user id as the sender named it."),
    tenant: str = typer.Option("northstar", help="Whose lead: northstar, hinode or olist."),
    lang: str = typer.Option("en", help="en or ja"),
    zone: str | None = typer.Option(None, help="Time zone of what is shown; the tenant's when left out."),
    touches: bool = typer.Option(
        True, help="Touches, and to which lead identities belong, as well; there may be many."
    ),
    links: bool = typer.Option(
        False, "--links", help="Where there is more of each: a path of handoff's API or, of decisions, of the router's."
    ),
) -> None:
    """Tell all that happened to a lead, the earliest first: touches, decisions, offers, clocks, calls, tasks, the deal."""
    check_language(lang)
    shown = zone_of(tenant, zone)
    names = environment(here())
    from baton.explaining.timeline import gather, words

    print(words(gather(names, tenant, lead, touches=touches), lang=lang, zone=shown, links=links))
