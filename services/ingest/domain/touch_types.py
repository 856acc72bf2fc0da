"""Touch types of the vocabulary (section 1), and how an event's name becomes one."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.schemas import vocabulary

TOUCH_TYPES = frozenset(vocabulary.TOUCH_TYPES) - {"custom"}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GAP = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=8192)
def default_type(call: str, name: str | None) -> str:
    """The touch type of an event that no rule maps: `Demo Requested` is demo_requested; what the vocabulary lacks is custom."""
    if call == "identify":
        return "identify"
    if call in ("page", "screen"):
        return "page_viewed"
    named = snake(name or "")
    return named if named in TOUCH_TYPES else "custom"


@lru_cache(maxsize=8192)
def snake(name: str) -> str:
    """`Demo Requested`, `demo-requested` and `DemoRequested` as demo_requested."""
    return _GAP.sub("_", _HUMP.sub("_", name).lower()).strip("_")
