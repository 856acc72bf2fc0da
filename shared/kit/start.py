"""How the process of a service begins: settings from the environment, JSON logs, a fast event loop."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop
from pydantic import ValidationError

from shared.kit import logs
from shared.kit.mended import mend
from shared.kit.service import end_hard
from shared.kit.settings import ServiceSettings, explain_missing

LEFT_SECONDS = 5.0  # for what a service left behind that has stopped

S = TypeVar("S", bound=ServiceSettings)


def start(service: str, settings: type[S], run: Callable[[S], Coroutine[Any, Any, int]]) -> int:
    """Run the service; the exit status, which is 2 for a setting that is missing or wrong: starting again would not help."""
    try:
        known = settings()
    except ValidationError as error:
        sys.stderr.write(explain_missing(service, error) + "\n")
        return 2
    logs.configure(service, known.log_level)
    mend()
    return uvloop.run(_run(run(known)))


async def _run(service: Coroutine[Any, Any, int]) -> int:
    status = await service
    # The loop now cancels what is left of tasks, and waits for them without bound: a client that was given up may have some.
    end_hard(LEFT_SECONDS, status)
    return status


def spare_the_collector(*, full_every: int) -> None:
    """What is in memory now stays out of garbage collections, and full ones come after so many of the middle kind.

    Batches of thousands of small objects would make the collector walk all modules again and again, and find nothing. The young
    ones are looked at by the 5,000, each once: that takes some 10 ms where 50,000 at once took 114.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 200, full_every)
