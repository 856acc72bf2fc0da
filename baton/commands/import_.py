"""`baton import`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from baton.errors import OperatorError
from baton.home import Names, environment, here

if TYPE_CHECKING:
    from rich.console import Console

    from baton.importing.plan import Plan
    from baton.importing.sending import Answers
    from shared.schemas.policies.sources import Source


def import_(
    file: Path = typer.Argument(
        help="CSV as exported: UTF-8, cp932 (Shift_JIS) or UTF-16; commas, tabs or semicolons."
    ),
    source: str = typer.Option(help="Id of a source of kind `import` in the tenant's sources policy (`files`)."),
    map_: Path = typer.Option(..., "--map", help="What the columns mean: see docs/senders/import.md."),
    tenant: str = typer.Option("northstar", help="Whose people these are."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show what would be sent, and send nothing."),
    policies: Path = typer.Option(Path("policies"), help="Where a dry run reads the tenant's policy."),
    encoding: str | None = typer.Option(None, help="Instead of what is found: utf-8, cp932, utf-16, euc_jp …"),
    delimiter: str | None = typer.Option(None, help="Instead of what is found: comma, tab, semicolon or a character."),
    key_env: str | None = typer.Option(
        None, help="Name of the variable that holds the write key, if not the policy's."
    ),
    url: str | None = typer.Option(None, help="Where ingest is, if not the running Baton's."),
    repairs: Path | None = typer.Option(None, help="Write every repair to this CSV file, with the cell as it stood."),
) -> None:
    """Send business cards, a trade fair or a list to ingest: repaired, joined, and safe to run twice.

    The same person under the same campaign and event is one touch, in whichever row, file or spelling. Rows that are refused land
    with their reason in FILE.rejects.csv, to be corrected there and imported again. Exit status 1 when there are any.
    """
    from rich.console import Console

    from baton.importing import checks, plan, rules, telling

    console = Console(highlight=False, soft_wrap=True)
    mapping = checks.read(map_)
    names: Mapping[str, str] = {}
    if dry_run:
        known = rules.in_files(tenant, policies)
    else:
        names = _names(url)
        known = rules.in_force(tenant, names["DATABASE_URL"])
    by = known.source(source)
    made = plan.make(file, mapping, known, encoding=encoding, delimiter=delimiter)
    telling.file(made, console)
    if repairs:
        telling.write_repairs(made, repairs)
    if dry_run:
        telling.dry_run(made, console)
        raise typer.Exit(1 if made.refused else 0)
    key = write_key(by, names, key_env)
    raise typer.Exit(_send(made, url or names["INGEST_URL"], key, console))


def _send(made: Plan, url: str, key: str, console: Console) -> int:
    """The exit status."""
    import httpx

    from baton.importing import rejects, telling
    from baton.importing.plan import Refused
    from baton.importing.sending import Sending

    refused = list(made.refused)
    with httpx.Client(base_url=url, timeout=60) as client:
        sending = Sending(client, key)
        try:
            with telling.progress(len(made.cards)) as told:
                answers: Answers = sending.send(made.cards, is_test=made.mapping.is_test, told=told)
        except OperatorError:
            if refused:
                console.print(f"{len(refused):,} rows were refused: {rejects.write(made.table, refused)}")
            raise
    by_ingest = [
        Refused(made.rows[number], code, f"ingest: {words}")
        for card, code, words in answers.refused
        for number in card.rows
    ]
    refused += by_ingest
    path = rejects.write(made.table, refused) if refused else None
    telling.summary(answers, refused, by_ingest, path, made.rules.tenant, console)
    return 1 if refused else 0


def _names(url: str | None) -> Names:
    """Names of the running Baton; with a URL given, the environment's."""
    try:
        return environment(here())
    except OperatorError:
        if url and os.environ.get("DATABASE_URL"):
            return Names(os.environ)
        raise


def write_key(source: Source, names: Mapping[str, str], key_env: str | None) -> str:
    """The first of the source's keys that is known here: by `key_env`, in `.baton/env`, the environment or a file."""
    references = [f"env:{key_env}"] if key_env else source.write_keys
    for reference in references:
        kind, _, rest = reference.partition(":")
        if kind == "env":
            if value := (names[rest] if rest in names else os.environ.get(rest)):
                return value
        elif kind == "file":
            try:
                return Path(rest).read_text().strip()
            except OSError:
                continue
        else:
            return reference
    raise OperatorError(
        f"the write key of source `{source.id}` is not known here: set {', '.join(r.partition(':')[2] for r in references)},"
        " or name another variable with --key-env"
    )
