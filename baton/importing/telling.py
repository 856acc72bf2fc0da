"""What an import tells the person who runs it: plain English, the counts that add up, and what to do next."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from baton.importing.plan import Plan, Refused, long_memos, strangers, without_time
from baton.importing.sending import Answers
from services.ingest.domain.traits import MOST_FREE_TEXT

FIRST_ROWS = 8
EXAMPLES = 3
Told = Callable[[int], None]


def file(plan: Plan, console: Console) -> None:
    """What was read, and what was made of it."""
    table = plan.table
    size = f"{_count(len(table.rows), 'row')}, {_count(len(table.columns), 'column')}"
    console.print(f"[bold]{escape(table.path.name)}[/bold]: {escape(table.said)}; {size}")
    console.print(f"Checked against {escape(plan.rules.said)}")
    console.print()
    joined = f" ({_count(plan.joined, 'row')} joined: the same person, campaign and event)" if plan.joined else ""
    console.print(f"  {len(plan.cards):>7,} touches to send{joined}")
    _reasons(plan.refused, console)
    _repairs(plan, console)
    for line in _notices(plan):
        console.print(f"  [yellow]note[/yellow]    {escape(line)}")
    console.print()


def _reasons(refused: Sequence[Refused], console: Console) -> None:
    if not refused:
        return
    console.print(f"  {len(refused):>7,} {'row' if len(refused) == 1 else 'rows'} refused")
    of_code: dict[str, list[Refused]] = {}
    for each in refused:
        of_code.setdefault(each.code, []).append(each)
    for code, rows in sorted(of_code.items(), key=lambda item: -len(item[1])):
        console.print(f"          {len(rows):>5,} [red]{code}[/red]")
        for each in rows[:EXAMPLES]:
            console.print(f"                row {each.row.number}: {escape(each.reason[:300])}")
        if len(rows) > EXAMPLES:
            console.print(f"                … and {len(rows) - EXAMPLES:,} more")


def _repairs(plan: Plan, console: Console) -> None:
    if not plan.repairs:
        return
    console.print(
        f"  {len(plan.repairs):>7,} {'cell' if len(plan.repairs) == 1 else 'cells'} repaired (the file itself is left as it is)"
    )
    for kind, count in Counter(repair.kind for repair in plan.repairs).most_common():
        example = next(repair for repair in plan.repairs if repair.kind == kind)
        console.print(
            f"          {count:>5,} {kind}: row {example.row}, {escape(example.column)}:"
            f" {escape(_short(example.before))} → {escape(_short(example.after))}"
        )


def _notices(plan: Plan) -> Iterator[str]:
    if plan.unused:
        yield f"columns that are not used: {', '.join(plan.unused)}"
    for name, count in sorted(plan.left_out.items()):
        yield f"`{name}` on {_count(count, 'card')} is nobody of the team, and was left out"
    for (campaign, rep), count in sorted(strangers(plan).items()):
        yield f"{rep} exchanged {_count(count, 'card')} at {campaign}, and is not on its staff in the policy"
    if count := without_time(plan):
        yield f"{_count(count, 'card')} of no known time: each will count as of the moment it is received"
    if count := long_memos(plan):
        yield f"{_count(count, 'memo')} longer than {MOST_FREE_TEXT:,} characters: ingest keeps the beginning"
    yield from map(str, plan.notices)


def dry_run(plan: Plan, console: Console) -> None:
    """The first cards as they would be sent."""
    if plan.cards:
        console.print(_grid(plan))
        console.print()
    console.print("Nothing was sent: this was a dry run. Without --dry-run it is sent.")


def _grid(plan: Plan) -> Grid:
    shown = plan.cards[:FIRST_ROWS]
    rows = [
        {
            "row": ", ".join(map(str, card.rows[:3])),
            "touch": card.becomes,
            "campaign": card.campaign or "",
            "when": _when(card.at, plan.mapping.zone),
            **card.fields,
            "exchanged by": ", ".join(card.staff),
            "rank": card.rank or "",
            **{name: str(value) for name, value in card.properties.items()},
            "memo": _short(card.memo or ""),
        }
        for card in shown
    ]
    columns = [
        name for name in dict.fromkeys(name for row in rows for name in row) if any(row.get(name) for row in rows)
    ]
    if len(columns) * 9 > 110:  # a wide table is read one card below the other
        grid = Grid(
            "row", "", "", title=f"The first {len(rows)} of {len(plan.cards):,}", title_justify="left", box=None
        )
        for row in rows:
            for place, name in enumerate(columns[1:]):
                if row.get(name):
                    grid.add_row(row["row"] if place == 0 else "", f"[dim]{escape(name)}[/dim]", escape(row[name]))
            grid.add_section()
        return grid
    grid = Grid(*columns, title=f"The first {len(rows)} of {len(plan.cards):,}", title_justify="left")
    for row in rows:
        grid.add_row(*(escape(row.get(name, "")) for name in columns))
    return grid


@contextmanager
def progress(total: int) -> Iterator[Told]:
    """A bar on a terminal; elsewhere a line each time another tenth has its answer."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("sending", total=total)
            yield lambda answered: bar.update(task, completed=answered)
        return
    tenth = -1

    def line(answered: int) -> None:
        nonlocal tenth
        if answered * 10 // max(total, 1) > tenth:
            tenth = answered * 10 // max(total, 1)
            console.print(f"sent {answered:,} of {total:,}", highlight=False)

    yield line


def summary(
    answers: Answers,
    refused: Sequence[Refused],
    by_ingest: Sequence[Refused],
    path: Path | None,
    tenant: str,
    console: Console,
) -> None:
    """What became of every row. refused: all rows that were;  by_ingest: those of them that were sent;  path: where they are"""
    if not answers.answered:
        console.print("There was nothing to send.")
    elif not answers.accepted and answers.duplicate and not answers.refused:
        console.print(f"[bold]Nothing new[/bold]: all {answers.duplicate:,} had been imported before.")
    else:
        parts = [f"{answers.accepted:,} accepted"]
        if answers.duplicate:
            parts.append(
                f"{answers.duplicate:,} duplicate (the same person under the same campaign, from an earlier import)"
            )
        if answers.refused:
            parts.append(f"{len(answers.refused):,} refused by ingest")
        console.print(f"[bold]Sent {answers.answered:,}[/bold] = {' + '.join(parts)}")
    _reasons(by_ingest, console)
    if answers.waited:
        console.print(f"Ingest was busy or away for {answers.waited:.0f} s; nothing was lost by it.")
    if path:
        console.print(
            f"{_count(len(refused), 'row')} refused, with their reasons, in [bold]{escape(str(path))}[/bold]:"
            " correct them there, and import that file with the same mapping."
        )
    if answers.accepted:
        console.print(f"`baton explain ADDRESS --tenant {escape(tenant)}` shows what became of one of them.")


def write_repairs(plan: Plan, path: Path) -> None:
    """Every repair as CSV for a spreadsheet: row, column, what was done, before, after."""
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("row", "column", "repair", "before", "after"))
        writer.writerows((r.row, r.column, r.kind, r.before, r.after) for r in plan.repairs)


def _when(at: int | None, zone: str) -> str:
    return "" if at is None else datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M %Z")


def _short(text: str, most: int = 40) -> str:
    line = " ⏎ ".join(text.splitlines())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
