"""`baton`: what an operator does, in words. Errors are one sentence; a fault of ours says how to see more."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.metadata import version

import typer

from baton.commands import (
    accounts,
    demo,
    dlq,
    explain,
    fairness,
    identity,
    import_,
    ingest,
    migrate,
    policy,
    replay,
    reps,
    scoring,
    sources,
    status,
    tail,
    timeline,
    token,
    up,
)
from baton.errors import OperatorError
from baton.stack import StackError

app = typer.Typer(
    name="baton",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Turns marketing touches into explained scores, routes ripe leads fairly, and watches until a human has taken over.\n\n"
    "Begin with [bold]baton up[/bold] (or [bold]make run[/bold]): servers, services and a demo in one terminal. "
    "In a second one: [bold]baton status[/bold], then [bold]baton explain mei.tanabe@aozora-kikai.example[/bold].\n\n"
    "BATON_HOME names the directory of all data and keys (default: .baton).",
)
app.command()(up.up)
app.command()(up.down)
app.command()(status.status)
app.command()(demo.demo)
app.command()(replay.replay)
app.command("import")(import_.import_)
app.command()(explain.explain)
app.command()(timeline.timeline)
app.command()(fairness.fairness)
app.command()(sources.sources)
app.command()(tail.tail)
app.command()(migrate.migrate)
app.add_typer(policy.app, name="policy")
app.add_typer(accounts.app, name="accounts")
app.add_typer(reps.app, name="reps")
app.add_typer(dlq.app, name="dlq")
app.add_typer(identity.app, name="identity")
app.add_typer(ingest.app, name="ingest")
app.add_typer(scoring.app, name="scoring")
app.add_typer(token.app, name="token")

_debug = False


def _version(asked: bool) -> None:
    if asked:
        print(f"Baton {version('baton')}")
        raise typer.Exit


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the whole traceback of an error."),
    _asked: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Say which Baton this is."),
) -> None:
    global _debug
    _debug = debug


def main() -> None:
    """The command line; ends the process with 0, with 1 for an error told in a sentence, with 2 for wrong usage."""
    try:
        app()
    except (OperatorError, StackError) as error:
        if _debug:
            raise
        _tell(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except (
        BrokenPipeError
    ):  # whoever read us has read enough; what is left in the buffer would be told at the end once more
        with suppress(OSError, ValueError):  # it is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if _debug:
            raise
        _tell(f"this is a fault of Baton ({type(error).__name__}: {error}); `baton --debug …` shows where")


def _tell(sentence: str) -> None:
    print(
        f"baton: {sentence}{'' if sentence.rstrip().endswith(('.', '!', '?')) or chr(10) in sentence else '.'}",
        file=sys.stderr,
    )
    sys.exit(1)
