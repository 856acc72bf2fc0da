"""`baton reps`."""

from __future__ import annotations

import sys
import time
from typing import Any

import typer

from baton.commands.shown import check_language
from baton.errors import OperatorError
from baton.home import environment, here, token_of

app = typer.Typer(no_args_is_help=True, help="People who take leads.")
STILL = 20.0  # seconds without a lead moved, after which what is left is told


@app.command()
def offboard(
    rep: str = typer.Argument(help="The id of who has left, as the teams policy names them."),
    tenant: str = typer.Option("northstar", help="Whose rep: northstar, hinode or olist."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say who would get each lead, and why."),
    reason: str | None = typer.Option(None, help="Kept with it, in your own words."),
    undo: bool = typer.Option(
        False, "--undo", help="They have not left after all: leads that moved stay where they are."
    ),
    yes: bool = typer.Option(False, "--yes", help="Do not ask first."),
    lang: str = typer.Option("en", help="en or ja"),
) -> None:
    """Move every open lead of a rep who has left to others, by the full rules; from now on they get none.

    What their pools owed them is spread over the others by weight. A lead that nobody else can take yet stays until somebody can.
    The router goes on with it when this command is stopped; saying it again shows how far it is, and changes nothing. Take them
    out of teams.yaml when you like.
    """
    import httpx

    from baton.offboarding_words import preview, progress, question, standing

    check_language(lang)
    names = environment(here())
    url = f"{names['ROUTER_URL']}/v1/reps/{rep}/offboard"
    with httpx.Client(headers={"Authorization": f"Bearer {token_of(names, tenant)}"}, timeout=60) as client:
        if undo:
            print(standing(_ask(client, "DELETE", url), lang))
            return
        told = _ask(client, "POST", url, {"dry_run": True, "reason": reason})
        looked_at = told["preview"]["looked_at"]
        print(preview(told, lang))
        if dry_run:
            return
        if not yes and not told["left"]:
            if not sys.stdin.isatty():
                raise OperatorError("nothing has changed, and nobody is there to be asked: --yes moves the leads")
            typer.confirm(question(told, lang), abort=True)
        told = _ask(client, "POST", url, {"reason": reason})
        since = time.monotonic()
        while not told["finished"] and time.monotonic() - since < STILL:
            time.sleep(0.3)
            before, told = told, _ask(client, "GET", url)
            if told["moved"] != before["moved"]:
                since = time.monotonic()
                print(progress(told, lang), file=sys.stderr)
            elif told["open"] <= looked_at and told["open"] <= _staying(client, url, told):
                break
        print(standing(told, lang))
        if told["open"]:
            print(preview(_ask(client, "POST", url, {"dry_run": True}), lang))


def _staying(client: Any, url: str, told: dict[str, Any]) -> int:
    """How many of the open leads nobody can take now; asked only where something is open."""
    if not told["open"]:
        return 0
    found: int = _ask(client, "POST", url, {"dry_run": True})["preview"]["staying"]
    return found


def _ask(client: Any, method: str, url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer. Raises OperatorError with what the router says against it."""
    import httpx

    try:
        answer = client.request(method, url, json=body)
    except httpx.HTTPError as error:
        raise OperatorError(
            f"{url} does not answer ({type(error).__name__}): `baton status` shows what is ready"
        ) from None
    if answer.is_error:
        raise OperatorError(str(answer.json().get("detail", answer.text[:200])))
    found: dict[str, Any] = answer.json()
    return found
