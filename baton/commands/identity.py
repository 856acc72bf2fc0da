"""`baton identity conflicts|show|link|unlink`."""

from __future__ import annotations

import asyncio
from typing import Any

import typer

from baton.errors import OperatorError
from baton.home import environment, here

app = typer.Typer(
    no_args_is_help=True,
    help="Who is who: leads that may be one person, and putting right what was joined or parted wrongly.\n\n"
    "Somebody is named by an e-mail address, a user id, a phone number, the id of a lead or of an identity; or, to be exact, by "
    "[bold]email:[/bold]…, [bold]user:[/bold]…, [bold]phone:[/bold]…, [bold]external:[/bold]hubspot:123, "
    "[bold]anonymous:[/bold]…, [bold]lead:[/bold]… or [bold]identity:[/bold]…",
)
_TENANT = typer.Option("northstar", help="Whose leads.")


@app.command()
def conflicts(
    tenant: str = _TENANT,
    everything: bool = typer.Option(False, "--all", help="Also those that were resolved."),
    reveal: bool = typer.Option(False, help="Show names and addresses."),
    as_json: bool = typer.Option(False, "--json", help="As JSON."),
) -> None:
    """List pairs of leads that an untrusted event named together, the latest first. To resolve one, link the two."""
    import json

    from baton import conflicts as found
    from baton.ingest_admin import IngestAdmin

    names = environment(here())
    pairs = asyncio.run(found.read(names["KAFKA_BOOTSTRAP_SERVERS"], tenant))
    with IngestAdmin.of(here()) as ingest:
        if not pairs:
            ingest.get("/sources", tenant=tenant)  # which says so where there is no such tenant
        judged = [found.judge(pair, ingest, found.people(names, tenant), reveal=reveal) for pair in pairs]
    shown = [one for one in judged if everything or one.open]
    if as_json:
        print(json.dumps([one.as_json() for one in shown], ensure_ascii=False, indent=2))
    elif shown:
        print(found.listing(shown))
    else:
        print("There are no conflicts that wait for a decision.")


@app.command()
def show(who: str = typer.Argument(help="Somebody."), tenant: str = _TENANT) -> None:
    """Say which lead somebody is, and which identities belong to it."""
    print(words(_order("show", {"who": who}, tenant)))


@app.command()
def link(
    one: str = typer.Argument(help="Somebody."),
    other: str = typer.Argument(help="The same person."),
    tenant: str = _TENANT,
) -> None:
    """Make the leads of two people one. The smaller id survives; every identity of the other moves to it."""
    done = _order("link", {"one": one, "other": other}, tenant)
    print("They were one lead already." if done["outcome"] == "same" else f"They are one lead now: {done['lead_id']}.")
    print(words(done))


@app.command()
def unlink(
    identity: str = typer.Argument(help="One identity of a lead."),
    lead: str | None = typer.Option(None, "--from", help="Do nothing unless it is with this lead."),
    tenant: str = _TENANT,
) -> None:
    """Give an identity back to its own lead, with all that came by it. Later events of a trusted source may link it again."""
    done = _order("unlink", {"identity": identity, "lead": lead.removeprefix("lead:") if lead else None}, tenant)
    print(
        f"It is a lead of its own again: {done['lead_id']}; it was with {done['earlier_lead_id'] or 'that one already'}."
    )
    print(words(done))


def words(done: dict[str, Any]) -> str:
    """The identities of a lead, one a line."""
    lines = [f"lead {done['lead_id']}"]
    for each in done["identities"]:
        note = "" if each["own_lead"] == done["lead_id"] else f"  (its own lead is {each['own_lead']})"
        lines.append(f"  {each['kind']:<10} {each['identity_id']}{note}")
    return "\n".join(lines)


def _order(action: str, body: dict[str, Any], tenant: str) -> dict[str, Any]:
    from baton.ingest_admin import IngestAdmin

    with IngestAdmin.of(here()) as ingest:
        done = ingest.post(f"/identity/{action}", body, tenant=tenant)
    if not isinstance(done, dict):
        raise OperatorError("ingest answers something else than was agreed: is it another version?")
    return done
