"""`python -m services.handoff`"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from pydantic import ValidationError

from services.handoff.app import run
from services.handoff.settings import HandoffSettings
from shared.kit import logs
from shared.kit.settings import explain_missing


def main() -> int:
    try:
        settings = HandoffSettings()
    except ValidationError as error:
        sys.stderr.write(explain_missing("handoff", error) + "\n")
        return 2
    logs.configure("handoff", settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
