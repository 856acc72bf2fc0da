"""Start the router."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from pydantic import ValidationError

from services.router.app import run
from services.router.settings import RouterSettings
from shared.kit import logs
from shared.kit.settings import explain_missing


def main() -> int:
    try:
        settings = RouterSettings()
    except ValidationError as error:
        sys.stderr.write(explain_missing("router", error) + "\n")
        return 2
    logs.configure("router", settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
