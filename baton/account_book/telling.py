"""What an import of accounts tells: what it read, what is another now or would be, what was refused, what should be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from baton.account_book.changes import Changes, DealChanges
from baton.account_book.reading import Read
from baton.importing.plan import Refused
from shared.kit.clock import iso

SHOWN = 20  # lines of each part; `--all` shows every one


def file(read: Read, console: Console) -> None:
    console.print(
        f"[bold]{escape(read.table.path.name)}[/bold]: {escape(read.table.said)}; {len(read.table.rows):,} rows"
    )
    for column in read.unused:
        console.print(f"  [yellow]note[/yellow]    column `{escape(column)}` means nothing here and is left out")


def accounts(found: Changes, console: Console, *, every: bool) -> None:
    """The difference, account by account."""
    for account in _some(found.new, every, console, "new"):
        console.print(f"  [green]+[/green] {escape(account.account_id)}  {escape(account.name)}  ({account.level})")
    for one in _some(found.changed, every, console, "changed"):
        console.print(f"  [yellow]~[/yellow] {escape(one.after.account_id)}  {escape(one.after.name)}")
        for name, (before, after) in one.fields.items():
            console.print(f"      {name}: {escape(_shown(before))} → {escape(_shown(after))}")
    moved = f", {len(found.moved):,} moved with their families" if found.moved else ""
    console.print(
        f"  {len(found.new):,} new, {len(found.changed):,} changed{moved}, {found.same:,} as they were,"
        f" {len(found.refused):,} refused"
    )
    _refused(found.refused, console, every)


def deals(found: DealChanges, console: Console, *, every: bool) -> None:
    for one in _some(sorted(found.new), every, console, "new"):
        console.print(f"  [green]+[/green] {escape(one)}  {escape(_deal(found.new[one]))}")
    for one in _some(sorted(found.changed), every, console, "changed"):
        before, after = found.changed[one]
        console.print(f"  [yellow]~[/yellow] {escape(one)}  {escape(_deal(before))} → {escape(_deal(after))}")
    console.print(
        f"  {len(found.new):,} new, {len(found.changed):,} changed, {found.same:,} as they were, {len(found.refused):,} refused"
    )
    _refused(found.refused, console, every)


def unknown_reps(reps: Mapping[str, int], console: Console) -> None:
    """Who is named and cannot be asked: such leads go on to the next check."""
    for rep, count in sorted(reps.items()):
        console.print(
            f"  [yellow]note[/yellow]    `{escape(rep)}` of {count:,} accounts is no rep of the teams policy:"
            " their leads go on to the next check"
        )


def account(body: Mapping[str, Any], console: Console) -> None:
    """One account, as the router answers it."""
    console.print(f"[bold]{escape(body['account_id'])}[/bold]  {escape(body['name'])}")
    inherited = body["inherited"]
    for name, value in body.items():
        if name in ("account_id", "name", "inherited", "children", "registrations", "leads") or value in (None, []):
            continue
        console.print(f"  {name}: {escape(_shown(value))}")
    for name in ("tier", "owner", "region", "account_manager", "is_customer"):
        if inherited[name] != body[name]:
            console.print(f"  {name}: {escape(_shown(inherited[name]))} (of the account above)")
    for child in body["children"]:
        console.print(f"  └ {escape(child['account_id'])}  {escape(child['name'])}  ({child['level']})")
    for one in body["registrations"]:
        name, until = escape(one["partner_name"]), one["protected_until"]
        console.print(f"  deal {escape(one['registration_id'])}: registered by {name}, protected until {until}")
    console.print(f"  leads: {body['leads']:,}")


def line(body: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        body["account_id"],
        body["name"],
        body["kind"],
        body["level"],
        body["tier"] or "",
        body["owner"] or "",
        "yes" if body["is_customer"] else "",
    )


def _refused(refused: Sequence[Refused], console: Console, every: bool) -> None:
    for one in _some(sorted(refused, key=lambda each: each.row.number), every, console, "refused"):
        console.print(f"  [red]![/red] row {one.row.number}: {escape(one.reason)} ({one.code})")


def _some(found: Sequence[Any], every: bool, console: Console, what: str) -> Sequence[Any]:
    if not every and len(found) > SHOWN:
        console.print(f"  the first {SHOWN} of {len(found):,} {what} (--all shows every one):")
        return found[:SHOWN]
    return found


def _deal(deal: tuple[str, str, int]) -> str:
    partner, account_id, until = deal
    return f"{partner} for {account_id} until {iso(until)}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return "–" if value is None else str(value)
