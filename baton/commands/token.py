"""`baton token`."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

import typer

from baton.errors import OperatorError
from baton.home import environment, here

app = typer.Typer(no_args_is_help=True, help="API tokens of a tenant's programs and people.")
NAME = re.compile(r"[^\x00-\x20\x7f]{1,100}")
T = TypeVar("T")
TENANT = typer.Option(..., help="Whose data it opens.")


@app.command()
def create(
    name: str = typer.Argument(help="Who has it: for a rep or manager, their id in the teams policy."),
    tenant: str = TENANT,
    role: list[str] = typer.Option(
        ..., help="api (a program, for any rep), rep, manager, admin or viewer; again for a second one."
    ),
) -> None:
    """Make a token and show it once: only its hash is kept."""
    from baton import tokens
    from shared.kit.near import nearest
    from shared.sight import ROLES

    if not NAME.fullmatch(name):
        raise OperatorError(f"{name!r} is no name: 1 to 100 characters without spaces")
    for one in role:
        if one not in ROLES:
            near = nearest(one, ROLES)
            hint = f", did you mean {near}?" if near else ""
            raise OperatorError(f"there is no role {one!r}{hint}: {', '.join(sorted(ROLES))}")
    database = environment(here())["DATABASE_URL"]
    try:
        found = _on_database(tokens.around(database, tenant, name))
    except LookupError as error:
        raise OperatorError(str(error.args[0])) from None
    for remark in tokens.remarks(found, tenant, name, role):
        print(f"warning: {remark}", file=sys.stderr)
    print(_on_database(tokens.create(database, tenant, name, role)))


@app.command("list")
def list_(tenant: str = TENANT) -> None:
    """Show the names, roles and numbers of a tenant's tokens; the tokens themselves nobody knows."""
    from baton import tokens

    for one in _on_database(tokens.issued(environment(here())["DATABASE_URL"], tenant)):
        print(f"{one.number}  {one.created_at:%Y-%m-%d %H:%M}  {one.name}  {', '.join(one.roles)}")


@app.command()
def revoke(
    which: str = typer.Argument(
        help="The number of one, as `baton token list` shows it, or the name of all that have it."
    ),
    tenant: str = TENANT,
) -> None:
    """Take a token back: it is refused everywhere within 30 seconds."""
    from baton import tokens

    gone = _on_database(tokens.revoke(environment(here())["DATABASE_URL"], tenant, which))
    if not gone:
        raise OperatorError(f"{tenant} has no token {which!r}: see `baton token list --tenant {tenant}`")
    print("one token is taken back" if gone == 1 else f"{gone} tokens are taken back")


def _on_database(work: Coroutine[Any, Any, T]) -> T:
    """Raises OperatorError where Postgres does not answer, or is not at this version."""
    import asyncpg

    try:
        return asyncio.run(work)
    except (OSError, asyncpg.PostgresError) as error:
        raise OperatorError(f"Postgres does not do it ({error}); nothing was changed") from error
