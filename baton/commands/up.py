"""`baton up` and `baton down`."""

from __future__ import annotations

import os
import signal

import typer

from baton.errors import OperatorError
from baton.home import here
from baton.stack import running
from baton.stack.process import await_end

STOP_SECONDS = 90.0


def up(
    demo: bool = typer.Option(False, "--demo/--no-demo", help="Play the demo once everything is ready."),
) -> None:
    """Start everything in this terminal; Ctrl-C stops it.

    Kafka, Postgres and Redis come from packages, unless KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL or REDIS_URL name others.
    INGEST_PORT, SCORING_PORT, ROUTER_PORT and HANDOFF_PORT pin ports. What was received stays when it stops.
    """
    from baton.run.runner import Runner  # late: it brings everything with it, and other commands shall be quick

    Runner(here()).run(demo=demo)


def down() -> None:
    """Stop the Baton that runs, and wait until it has stopped."""
    home = here()
    state = running(home.path)
    if not state:
        print(f"Nothing runs in {home.path}.")
        return
    try:
        os.kill(state["pid"], signal.SIGTERM)
    except PermissionError:
        raise OperatorError(f"process {state['pid']} belongs to somebody else: stop it as its owner") from None
    except ProcessLookupError:
        pass
    if not await_end(state["pid"], state["started"], STOP_SECONDS):
        raise OperatorError(
            f"process {state['pid']} has not stopped within {STOP_SECONDS:.0f} s: see the logs in {home.logs}"
        )
    print("Stopped.")
