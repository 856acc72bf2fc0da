"""How the process of a service begins: settings from the environment, JSON logs, a fast event loop."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop
from pydantic import ValidationError

from shared.kit import logs
from shared.kit.settings import ServiceSettings, explain_missing

S = TypeVar("S", bound=ServiceSettings)


def start(service: str, settings: type[S], run: Callable[[S], Coroutine[Any, Any, int]]) -> int:
    """Run the service; the exit status, which is 2 for a setting that is missing or wrong: starting again would not help."""
    try:
        known = settings()
    except ValidationError as error:
        sys.stderr.write(explain_missing(service, error) + "\n")
        return 2
    logs.configure(service, known.log_level)
    return uvloop.run(run(known))
