"""The links that reps were sent lead to handoff; where it listens elsewhere now, older ones lead nowhere, or to somebody else."""

from __future__ import annotations

import re
from pathlib import Path

LOOKED_AT = 200_000  # bytes at the end of the inbox
_LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/o/")


def warning(inbox: Path, port: int) -> str | None:
    """What to say of the inbox's latest link, where handoff now listens on another port than it leads to; of one that leads
    elsewhere altogether (HANDOFF_PUBLIC_URL) nothing."""
    try:
        with inbox.open("rb") as kept:
            kept.seek(max(0, inbox.stat().st_size - LOOKED_AT))
            links = _LINK.findall(kept.read().decode(errors="replace"))
    except FileNotFoundError:
        return None
    if not links or int(links[-1]) == port:
        return None
    return (
        f"Older links in {inbox} lead to port {links[-1]}, and handoff listens on {port} now: in these, put {port} in its place"
        f" (HANDOFF_PORT pins one)"
    )
