"""`baton status`."""

from __future__ import annotations

import asyncio
import logging

import typer

from baton.errors import OperatorError
from baton.home import here
from baton.status import gather, tell


def status() -> None:
    """Say what runs, whether it is ready, and how far each service is behind."""
    home = here()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what does not answer is told below, in its row
    report = asyncio.run(gather(home))
    print(tell(report))
    if not report.good:
        raise typer.Exit(1)


__all__ = ["OperatorError", "status"]
