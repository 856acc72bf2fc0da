"""Names of people."""

from __future__ import annotations

import re
from typing import Any

from services.ingest.domain.normalise.text import clean

# At the end only, and never the whole of a name.
_HONORIFIC = re.compile(r"(?<=\S)\s*(?:様|殿|さん|氏|先生)$")


def person_name(value: Any) -> str | None:
    """A name without the honorific that somebody typed after it."""
    text = clean(value)
    return (_HONORIFIC.sub("", text) or None) if text else None
