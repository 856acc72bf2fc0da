"""python -m services.scoring"""

from __future__ import annotations

import sys

import uvloop
from pydantic import ValidationError

from services.scoring.app import run
from services.scoring.settings import Settings
from shared.kit import logs
from shared.kit.settings import explain_missing


def main() -> int:
    try:
        settings = Settings()
    except ValidationError as error:
        sys.stderr.write(explain_missing("scoring", error) + "\n")
        return 2
    logs.configure("scoring", settings.log_level)
    return uvloop.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
