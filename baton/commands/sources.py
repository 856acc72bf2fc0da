"""`baton sources`."""

from __future__ import annotations

import typer

from baton.home import here


def sources(
    tenant: str | None = typer.Option(None, help="Only this tenant's; all when left out."),
    as_json: bool = typer.Option(False, "--json", help="Everything that is known, as JSON."),
) -> None:
    """Say of every source what it sent in the last eight days, what was refused, and what should be looked at."""
    import json
    from datetime import UTC, datetime

    from rich.console import Console

    from baton.ingest_admin import IngestAdmin
    from baton.sources import table

    with IngestAdmin.of(here()) as ingest:
        found = ingest.get("/sources", tenant=tenant)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        Console().print(table(found, datetime.now(UTC)))
