"""`python -m services.ingest`"""

from __future__ import annotations

import sys

from services.ingest.app import run
from services.ingest.settings import IngestSettings
from shared.kit.start import start

if __name__ == "__main__":
    sys.exit(start("ingest", IngestSettings, run))
