"""`baton ingest requeue-unverified`."""

from __future__ import annotations

import json

import typer

from baton.errors import OperatorError
from baton.home import here

app = typer.Typer(no_args_is_help=True, help="Orders to ingest.")


@app.command("requeue-unverified")
def requeue_unverified(
    source: str = typer.Argument(help="A source of signed webhooks, as sources.yaml names it."),
    tenant: str | None = typer.Option(None, help="Whose source; needed where several tenants have one of this id."),
    as_json: bool = typer.Option(False, "--json", help="The figures as JSON."),
) -> None:
    """Verify again what failed in the last 72 hours, under the secrets now in force, and take what holds. Safe to do twice."""
    from rich.console import Console

    from baton.ingest_admin import IngestAdmin
    from baton.policies.problems import suggest

    latest: dict[str, object] = {}
    with IngestAdmin.of(here()) as ingest, Console(stderr=True).status("Verifying again …") as status:
        known = {each["source_id"] for each in ingest.get("/sources", tenant=tenant)}
        if source not in known:
            raise OperatorError(f"there is no source `{source}`.{suggest(source, known)}")
        for latest in ingest.lines(f"/sources/{source}/requeue-unverified", tenant=tenant):
            status.update(f"Verifying again … {latest['requests']} requests")
    if not latest.get("done"):
        raise OperatorError(
            f"ingest stopped after {latest.get('requests', 0)} requests ({latest.get('code', 'it hung up')}): do it again"
        )
    print(json.dumps(latest, indent=2) if as_json else words(latest))


def words(figures: dict[str, object]) -> str:
    """The figures, one a line."""
    lines = [
        f"{figures['requests']} requests were in quarantine",
        f"{figures['verified']} verified: {figures['accepted']} events accepted, {figures['duplicate']} duplicates, "
        f"{figures['rejected']} rejected",
    ]
    for name, said in (("still_unverified", "still not verified"), ("refused", "verified, and nothing we can read")):
        lines += [f"{count} {said}: {code}" for code, count in dict(figures[name]).items()]  # type: ignore[call-overload]
    for name, said in (("challenges", "were challenges, which tell nothing"), ("unreadable", "cannot be opened")):
        if figures[name]:
            lines.append(f"{figures[name]} {said}")
    return "\n".join(lines)
