"""`python -m services.handoff`"""

from __future__ import annotations

import sys

from services.handoff.app import run
from services.handoff.settings import HandoffSettings
from shared.kit.start import start

if __name__ == "__main__":
    sys.exit(start("handoff", HandoffSettings, run))
