"""`baton timeline`."""

from __future__ import annotations

import asyncio
import sys

import typer

from baton.commands.shown import check_language, zone_of
from baton.home import environment, here


def timeline(
    lead: str = typer.Argument(help="A lead's id, an e-mail address, or a user id as the sender named it."),
    tenant: str = typer.Option("northstar", help="Whose lead: northstar, hinode or olist."),
    lang: str = typer.Option("en", help="en or ja"),
    zone: str | None = typer.Option(None, help="Time zone of what is shown; the tenant's when left out."),
    touches: bool = typer.Option(
        True, help="Touches as well, read from the topics; without them, only what router and handoff say."
    ),
) -> None:
    """Tell all that happened to a lead, the earliest first: touches, decisions, offers, clocks, calls, tasks, the deal.

    In square brackets stands where there is more of it: a path of the API of router or handoff, or the topic and the event's id.
    For the touches a whole partition of [bold]touchpoints[/bold] is read: about a minute for ten million records.
    """
    check_language(lang)
    shown = zone_of(tenant, zone)
    names = environment(here())
    from baton.explaining.telling import WORDS
    from baton.explaining.timeline import gather, words

    def progress(read: int, total: int) -> None:
        if sys.stderr.isatty():
            print(
                f"\r\033[K{WORDS[lang]['reading'].format(read=read, total=total)}", end="", file=sys.stderr, flush=True
            )

    try:
        found = asyncio.run(gather(names, tenant, lead, touches=touches, progress=progress))
    finally:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
    print(words(found, lang=lang, zone=shown))
