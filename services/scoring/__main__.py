"""`python -m services.scoring`"""

from __future__ import annotations

import sys

from services.scoring.app import run
from services.scoring.settings import Settings
from shared.kit.start import start

if __name__ == "__main__":
    sys.exit(start("scoring", Settings, run))
