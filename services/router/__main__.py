"""`python -m services.router`"""

from __future__ import annotations

import sys

from services.router.app import run
from services.router.settings import RouterSettings
from shared.kit.start import start

if __name__ == "__main__":
    sys.exit(start("router", RouterSettings, run))
