"""`baton accounts`: companies as the tenant knows them, and deals that partners registered."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import typer

from baton.errors import OperatorError
from baton.home import environment, here, token_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from baton.account_book.reading import Read
    from baton.importing.plan import Refused

app = typer.Typer(
    no_args_is_help=True,
    help="Companies as the tenant knows them: whom leads are matched to, and who owns them. (What the people of a company are worth"
    " together is `baton scoring account`.)",
)
TENANT = typer.Option("northstar", help="Whose accounts: northstar, hinode or olist.")


@app.command("import")
def import_(
    file: Path = typer.Argument(help="CSV: UTF-8, cp932 (Shift_JIS) or UTF-16; see docs/accounts.md."),
    tenant: str = TENANT,
    deals: bool = typer.Option(False, "--deals", help="The file holds deals that partners registered, not accounts."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show the difference, and write nothing."),
    every: bool = typer.Option(False, "--all", help="Show every line of the difference."),
    encoding: str | None = typer.Option(None, help="Instead of what is found: utf-8, cp932, utf-16, euc_jp …"),
    zone: str | None = typer.Option(
        None, help="In which a date of `protected_until` ends; the tenant's when left out."
    ),
) -> None:
    """Bring accounts (or with --deals registered partner deals) into the tenant's: what differs is shown and written.

    Safe to run twice. Accounts that the file does not name stay, as does what it has no column for; an empty cell takes a value
    away.
    Refused rows land with their reason in FILE.rejects.csv. Exit status 1 when there are any.
    """
    from rich.console import Console

    from baton.account_book import reading, telling, writing
    from baton.commands.shown import ZONES
    from baton.importing import table

    console = Console(highlight=False, soft_wrap=True)
    url = environment(here())["DATABASE_URL"]
    found = table.read(file, encoding=encoding)
    if deals:
        try:
            ends = ZoneInfo(zone or ZONES.get(tenant, "UTC"))
        except (KeyError, ValueError, OSError):
            raise OperatorError(f"there is no time zone {zone!r}") from None
        read = reading.deals(found, ends)
        telling.file(read, console)
        registered, written = _reaching(writing.import_deals(read, tenant, url, dry_run=dry_run))
        telling.deals(registered, console, every=every)
        raise typer.Exit(_end(read, registered.refused, written.waiting, console, dry_run=dry_run))
    read = reading.accounts(found)
    telling.file(read, console)
    changed, written = _reaching(writing.import_accounts(read, tenant, url, dry_run=dry_run))
    telling.accounts(changed, console, every=every)
    telling.unknown_reps(_unknown(tenant, url, changed.to_write), console)
    raise typer.Exit(_end(read, changed.refused, written.waiting, console, dry_run=dry_run))


@app.command()
def show(
    account_id: str = typer.Argument(help="The account's id."),
    tenant: str = TENANT,
    as_json: bool = typer.Option(False, "--json", help="Everything that is known, as JSON."),
) -> None:
    """One account: what is known of it, what it inherits, what stands below it, and who registered deals there."""
    from urllib.parse import quote

    from rich.console import Console

    from baton.account_book import telling

    body = _get(tenant, f"/v1/accounts/{quote(account_id, safe='')}")
    if body is None:
        raise OperatorError(f"tenant {tenant} has no account {account_id}: `baton accounts list` shows those it has")
    if as_json:
        _json(body)
    else:
        telling.account(body, Console(highlight=False, soft_wrap=True))


@app.command("list")
def list_(
    tenant: str = TENANT,
    kind: str | None = typer.Option(
        None, help="end_customer, partner, competitor, supplier, group, press or academic."
    ),
    owner: str | None = typer.Option(None, help="Only those of this rep."),
    limit: int = typer.Option(50, min=1, help="How many at most."),
    as_json: bool = typer.Option(False, "--json", help="As JSON."),
) -> None:
    """The tenant's accounts, by id."""
    from rich.console import Console
    from rich.table import Table

    from baton.account_book import telling

    found: list[dict[str, Any]] = []
    after: str | None = None
    while len(found) < limit:
        asked = {"limit": str(min(200, limit - len(found))), "kind": kind, "owner": owner, "after": after}
        page = _get(tenant, "/v1/accounts", {name: value for name, value in asked.items() if value is not None}) or {}
        found += page["accounts"]
        after = page["next"]
        if after is None:
            break
    if as_json:
        _json(found)
        return
    grid = Table("id", "name", "kind", "level", "tier", "owner", "customer", box=None)
    for each in found:
        grid.add_row(*telling.line(each))
    Console(highlight=False).print(grid)
    if after is not None:
        print(f"There are more: --limit {limit * 10}")


def _reaching(work: Any) -> Any:
    import asyncpg

    try:
        return asyncio.run(work)
    except (OSError, asyncpg.PostgresError) as error:
        raise OperatorError(f"Postgres did not do it ({error}): import the file again") from error


def _end(read: Read, refused: tuple[Refused, ...], waiting: int, console: Console, *, dry_run: bool) -> int:
    """The exit status."""
    from baton.importing import rejects

    if dry_run:
        console.print("Nothing was written: this was a dry run.")
    elif refused:
        console.print(f"Refused rows, with their reasons: {rejects.write(read.table, refused)}")
    if waiting:
        console.print(f"{waiting:,} waiting leads are decided on anew by the router's next sweeps.")
    return 1 if refused else 0


def _unknown(tenant: str, url: str, changed: Any) -> dict[str, int]:
    """Owners whom the teams policy in force does not know; none where there is no such policy yet."""
    from baton.account_book.changes import unknown_reps
    from baton.policies import show as policy

    try:
        stored = asyncio.run(policy(tenant, "teams", database_url=url))
    except LookupError:
        return {}
    return unknown_reps(changed, (rep["id"] for rep in stored.record.body["reps"]))


def _get(tenant: str, path: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    import httpx

    from baton.explaining.present import get

    names = environment(here())
    with httpx.Client(headers={"Authorization": f"Bearer {token_of(names, tenant)}"}, timeout=10) as client:
        return get(client, f"{names['ROUTER_URL']}{path}", parameters)


def _json(body: Any) -> None:
    import json

    print(json.dumps(body, ensure_ascii=False, indent=2))
