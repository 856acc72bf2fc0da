"""Cursors of lists: the time (ms) and id of the last row of a page."""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple

from pydantic import Field

from shared.kit.problems import Problem

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CURSOR = re.compile(rf"([0-9]{{1,15}})\.({UUID.pattern})")

# Names of what others gave may have 200 characters, of four bytes each and in base64 a third more; some rows have two of them.
Cursor = Annotated[str, Field(max_length=3000)]


class Place(NamedTuple):
    """After the row of this time and id."""

    at: int
    id: str


def place(after: str | None) -> Place | None:
    """What a caller names. Raises Problem 422 for what no page has given."""
    if after is None:
        return None
    found = CURSOR.fullmatch(after)
    if not found:
        raise Problem(422, "bad_cursor", "`after` is not the `next` of a page")
    return Place(int(found[1]), found[2])


def cursor(at: int, row_id: str) -> str:
    """The `next` of a page that ends with this row."""
    return f"{at}.{row_id}"
