"""`baton tail`."""

from __future__ import annotations

import asyncio
import sys
import time

import typer

from baton.home import environment, here


def tail(
    source: str = typer.Argument(help="A source, as sources.yaml names it."),
    tenant: str = typer.Option("northstar", help="Whose source."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line."),
    reveal: bool = typer.Option(False, help="Show names and addresses."),
    since: float | None = typer.Option(
        None, help="Begin so many minutes ago; with what comes from now on when left out."
    ),
    most: int | None = typer.Option(None, "--most", min=1, help="End after so many lines."),
) -> None:
    """Follow what a source sends, as it was understood: time, type, who, channel, campaign, event. Refused events are red."""
    bootstrap = environment(here())["KAFKA_BOOTSTRAP_SERVERS"]
    try:
        asyncio.run(_tail(bootstrap, tenant, source, as_json=as_json, reveal=reveal, since=since, most=most))
    except KeyboardInterrupt:
        return


async def _tail(
    bootstrap: str, tenant: str, source: str, *, as_json: bool, reveal: bool, since: float | None, most: int | None
) -> None:
    from contextlib import aclosing

    from rich.console import Console

    from baton.tail import as_json as in_json
    from baton.tail import follow, line

    def ready() -> None:
        print(f"Following {source} of {tenant}; Ctrl-C ends it.", file=sys.stderr, flush=True)

    console, shown = Console(), 0
    begin = None if since is None else round((time.time() - since * 60) * 1000)
    async with aclosing(follow(bootstrap, tenant, source, since=begin, ready=ready)) as records:
        async for record in records:
            if as_json:
                print(in_json(record, reveal=reveal), flush=True)
            else:
                console.print(line(record, reveal=reveal), soft_wrap=True, highlight=False)
            shown += 1
            if most is not None and shown >= most:
                return
