"""`baton replay`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import typer
from rich.console import Console

from baton.errors import OperatorError
from baton.home import Home, environment, here, write_key_of

if TYPE_CHECKING:
    from baton.replay.accounting import Summary
    from baton.replay.sending import Messages
    from baton.segment import Tally

SAME_REPLAY = timedelta(hours=24)  # within it a replay started again is the same one, and its events are duplicates
LEADS_A_SECOND = 100.0


def replay(
    source: Path = typer.Argument(
        help="A file of JSON lines (messages of Segment's tracking API; one without a messageId gets one from its "
        "line, so that the same file sent twice is duplicates), or a data set's folder."
    ),
    dataset: str | None = typer.Option(None, help="What the folder holds: olist (8,000 real B2B leads)."),
    tenant: str | None = typer.Option(None, help="Whose events these are (northstar; olist for that data set)."),
    speed: float = typer.Option(
        LEADS_A_SECOND, min=0, help="Leads (of a data set) or events a second; 0: as fast as they are taken."
    ),
    keep_dates: bool = typer.Option(False, help="Leave the dates as they are; else the newest of a data set is now."),
    again: bool = typer.Option(
        False,
        help="Send as new events what was replayed before: of a data set within a day, of a file the lines without a messageId.",
    ),
    trusted: bool = typer.Option(False, help="As the tenant's server-side source, which may link identities."),
    summary: Path | None = typer.Option(None, help="Write the account as JSON to this file, too."),
) -> None:
    """Send touches through the real Segment client, and account for every one of them.

    The account is made from the answers, the topics and the tables: received = accepted + rejected + duplicate; every lead is
    scored; every lead is routed, nurtured or parked. Exit status 1 when anything is unaccounted for.
    """
    from baton.replay.accounting import tell
    from baton.replay.sending import send
    from baton.segment import Sender

    home = here()
    names = environment(home)
    if dataset not in (None, "olist"):
        raise OperatorError(f"there is no data set {dataset!r} here: olist is the one there is")
    owner = tenant or dataset or "northstar"
    units, count, what = (
        _olist(home, source, keep_dates=keep_dates, again=again) if dataset else _file(source, again=again)
    )
    console = Console(stderr=True)
    sender = Sender(names["INGEST_URL"], write_key_of(names, owner, trusted=trusted))
    try:
        seconds = send(sender, units, count, what, speed, console)
    finally:
        sender.close()
    made = asyncio.run(_account(names, owner, sender.tally, seconds, count, console))
    print(tell(made))
    if summary:
        summary.write_bytes(orjson.dumps(made.as_json(), option=orjson.OPT_INDENT_2) + b"\n")
    if made.unaccounted:
        raise typer.Exit(1)


async def _account(
    names: dict[str, str], tenant: str, tally: Tally, seconds: float, count: int, console: Console
) -> Summary:
    from baton.replay.accounting import account
    from baton.replay.finding import settled

    with console.status("waiting for scores and routes") as status:
        found = await settled(names["KAFKA_BOOTSTRAP_SERVERS"], names["DATABASE_URL"], tenant, tally, status.update)
    return account(tenant, tally, found, seconds=seconds, units=count)


def _file(path: Path, *, again: bool) -> tuple[Iterator[Messages], int, str]:
    from baton.replay import file

    found = file.read(path, again=again)
    return ((message,) for message in found), len(found), "events"


def _olist(home: Home, folder: Path, *, keep_dates: bool, again: bool) -> tuple[Iterator[Messages], int, str]:
    from baton.replay import olist

    leads = olist.load(folder)
    shift = timedelta() if keep_dates else _shift(home, olist.newest(leads), again=again)
    return (tuple(olist.messages(lead, shift)) for lead in leads), len(leads), "leads"


def _shift(home: Home, newest: datetime, *, again: bool) -> timedelta:
    """How far dates move, so that the newest is now; what an unfinished or repeated replay of today used, it uses again."""
    note = home.path / "replay-olist.json"
    now = datetime.now(UTC)
    if note.exists() and not again:
        last = orjson.loads(note.read_bytes())
        if now - datetime.fromisoformat(last["at"]) < SAME_REPLAY:
            return timedelta(seconds=last["shift_seconds"])
    shift = timedelta(seconds=int((now - newest).total_seconds()))
    note.write_bytes(orjson.dumps({"at": now.isoformat(), "shift_seconds": shift.total_seconds()}))
    return shift
