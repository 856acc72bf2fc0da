"""Cursors of lists whose rows have names of any kind: the time (ms) and the name of the last row, in base64."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from shared.kit.problems import Problem

_FORM = re.compile(r"(-?[0-9]{1,15})\.([A-Za-z0-9_-]+={0,2})")


def written(at: int, name: str) -> str:
    return f"{at}.{urlsafe_b64encode(name.encode()).decode()}"


def place(after: str | None) -> tuple[int, str] | None:
    """Raises Problem 422 for what no page has given."""
    if after is None:
        return None
    try:
        found = _FORM.fullmatch(after)
        name = urlsafe_b64decode(found[2]).decode() if found else ""
    except ValueError:
        found, name = None, ""
    if not found or not name or "\0" in name:
        raise Problem(422, "bad_cursor", "`after` is not the `next` of a page")
    return int(found[1]), name
