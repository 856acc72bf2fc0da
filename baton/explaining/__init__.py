"""One lead in words: as it is now, by the APIs; as it was at any moment, by the topics."""

import re

LEAD_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
