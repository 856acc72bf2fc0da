"""`baton status`."""

from __future__ import annotations

import asyncio

import typer

from baton.errors import OperatorError
from baton.home import here
from baton.status import gather, tell


def status() -> None:
    """Say what runs, whether it is ready, and how far each service is behind."""
    home = here()
    report = asyncio.run(gather(home))
    print(tell(report))
    if not report.good:
        raise typer.Exit(1)


__all__ = ["OperatorError", "status"]
