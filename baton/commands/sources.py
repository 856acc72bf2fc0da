"""`baton sources`."""

from __future__ import annotations

import typer

from baton.home import here


def sources(
    tenant: str | None = typer.Option(None, help="Only this tenant's; all when left out."),
    as_json: bool = typer.Option(False, "--json", help="Everything that is known, as JSON."),
) -> None:
    """Say of every source what it sent in the last eight days, what was refused, and what should be looked at.

    again: was sent before, and counts once. complete: of what is needed to work its people (name, company, contact, role,
    need, consent), what is there; --json says what is missing.
    """
    import json
    from datetime import UTC, datetime

    from rich.console import Console

    from baton.ingest_admin import IngestAdmin
    from baton.sources import listing, table

    with IngestAdmin.of(here()) as ingest:
        found = ingest.get("/sources", tenant=tenant)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        console, now = Console(), datetime.now(UTC)
        wide = table(found, now)
        needed = console.measure(wide, options=console.options.update(max_width=1000)).maximum
        if needed <= console.width:
            console.print(wide)
        elif console.is_terminal:
            console.print(listing(found, now), highlight=False)
        else:  # a pipe has no width
            Console(width=needed).print(wide)
