"""`python -m services.ingest`"""

from __future__ import annotations

import sys

import uvloop
from pydantic import ValidationError

from services.ingest.app import run
from services.ingest.settings import IngestSettings
from shared.kit import logs
from shared.kit.settings import explain_missing


def main() -> int:
    try:
        settings = IngestSettings()
    except ValidationError as error:
        print(explain_missing("ingest", error), file=sys.stderr)  # noqa: T201
        return 2
    logs.configure("ingest", settings.log_level)
    return uvloop.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
