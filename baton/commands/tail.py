"""`baton tail`."""

from __future__ import annotations

import sys
import time

import typer

from baton.errors import OperatorError
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
    from baton.interrupts import run

    bootstrap = environment(here())["KAFKA_BOOTSTRAP_SERVERS"]
    _there(tenant, source)
    try:
        run(_tail(bootstrap, tenant, source, as_json=as_json, reveal=reveal, since=since, most=most))
    except KeyboardInterrupt:
        return


def _there(tenant: str, source: str) -> None:
    """Raises OperatorError where ingest knows no such source: it would be followed in vain."""
    from baton.ingest_admin import IngestAdmin
    from baton.policies.problems import suggest

    try:
        with IngestAdmin.of(here()) as ingest:
            found = ingest.get("/sources")
    except OperatorError:  # it cannot be asked now; Kafka can be read all the same
        return
    tenants = {each["tenant"] for each in found}
    if tenant not in tenants:
        raise OperatorError(f"there is no tenant `{tenant}`.{suggest(tenant, tenants)}")
    sources = {each["source_id"] for each in found if each["tenant"] == tenant}
    if source not in sources:
        raise OperatorError(f"tenant `{tenant}` has no source `{source}`.{suggest(source, sources)}")


async def _tail(
    bootstrap: str, tenant: str, source: str, *, as_json: bool, reveal: bool, since: float | None, most: int | None
) -> None:
    from contextlib import aclosing

    from baton.tail import Lines, follow, line
    from baton.tail import as_json as in_json

    def ready() -> None:
        print(f"Following {source} of {tenant}; Ctrl-C ends it.", file=sys.stderr, flush=True)

    console, shown = Lines(), 0
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
