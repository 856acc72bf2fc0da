"""Rows as CSV that opens rightly, and does nothing else, in Excel and its kin."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Encoding = Literal["utf-8", "cp932"]

# What begins like this is a formula to a spreadsheet (OWASP, CSV Injection); the apostrophe makes it text.
ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
GETA = "〓"  # stands for what cannot be printed
# Signs that cp932 has under another code point, of the same look.
TWINS = str.maketrans(
    {"〜": "～", "−": "－", "—": "―", "‖": "∥", "¢": "￠", "£": "￡", "¬": "￢", "¦": "￤", "\xa0": " "}
)


@dataclass(frozen=True, slots=True)
class Lost:
    """A cell of which cp932 cannot say everything. row: of the file, its heading is 1;  characters: each once, in order"""

    row: int
    column: str
    text: str
    characters: str


def inert(value: object, encoding: Encoding = "utf-8") -> str:
    """A cell's text that no spreadsheet takes for a formula, in the signs that the encoding has for it."""
    text = "" if value is None else str(value)
    text = text.translate(TWINS) if encoding == "cp932" else text
    return f"'{text}" if text.startswith(ACTIVE) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    """Of the one kind that a cell may begin with: +81… would be a number too, and lose its sign."""
    return text[0] == "-" and text.isascii() and text[1:].replace(".", "", 1).isdigit()


def lost(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[Lost]:
    """What cp932 cannot say."""
    found = []
    for number, values in enumerate(rows, start=2):
        for column, value in zip(columns, values, strict=True):
            text = inert(value, "cp932")
            if characters := "".join(dict.fromkeys(c for c in text if not _encodable(c))):
                found.append(Lost(number, column, text, characters))
    return found


def _encodable(character: str) -> bool:
    try:
        character.encode("cp932")
    except UnicodeEncodeError:
        return False
    return True


def written(columns: Sequence[str], rows: Sequence[Sequence[object]], encoding: Encoding) -> bytes:
    """The file: UTF-8 with a byte order mark, without which Excel guesses, or cp932 with 〓 for what it cannot say."""
    out = io.StringIO(newline="")
    sheet = csv.writer(out, lineterminator="\r\n")
    sheet.writerow(columns)
    sheet.writerows([inert(value, encoding) for value in values] for values in rows)
    if encoding == "utf-8":
        return out.getvalue().encode("utf-8-sig")
    text = out.getvalue()
    return "".join(c if _encodable(c) else GETA for c in text).encode("cp932")
