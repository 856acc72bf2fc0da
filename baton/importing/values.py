"""What a mapping's columns say in a row, repaired; every repair is noted with the cell as it stood."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from baton.importing import dates, repairs
from baton.importing.identity import fold
from baton.importing.mapping import Columns, Scalar, TimeColumn
from baton.importing.table import Row, Table, fold_header

_PLAIN_DATE = re.compile(r"^\d{4}[-/.]|^\d{8}$")


@dataclass(frozen=True, slots=True)
class Repair:
    """A cell that was mended. `before` is as it stood in the file, which is never written to.

    kind: what was done, in words
    """

    row: int
    column: str
    before: str = field(repr=False)
    after: str = field(repr=False)
    kind: str


class Values:
    """Reads cells of one table. `repaired` fills while it does."""

    def __init__(self, table: Table) -> None:
        self._columns, self._places = table.columns, table.positions()
        self._meanings: dict[int, tuple[Columns, dict[str, Scalar]]] = {}
        self.repaired: list[Repair] = []

    def value(self, row: Row, column: Columns | None, kind: str, country: str = "JP") -> Scalar | None:
        """What `column` says in `row`, read as `kind` (a name of `repairs.READERS`); None where it says nothing.

        Raises RowRefused.
        """
        if column is None:
            return None
        found: list[str] = []
        for place in self._filled(row, column):
            cell = row.cells[place]
            made = repairs.READERS[kind](cell, country)
            if made != cell and (kind != "free_text" or made != "\n".join(cell.split("\r\n")).strip()):
                self._note(row, place, made, _told(cell, made, kind))
            if made:
                found.append(made)
                if column.join is None:
                    break
        if not found:
            return column.constant
        return self._meaning(column, (column.join or "").join(found))

    def moment(self, row: Row, column: TimeColumn | None, zone: ZoneInfo) -> int | None:
        """The time (ms) that `column` says; None where it says none. Raises RowRefused."""
        if column is None:
            return None
        for place in self._filled(row, column):
            cell = row.cells[place]
            at = dates.moment(cell, zone, column.format)
            if at is not None and not column.format and not _PLAIN_DATE.match(cell.strip()):
                self._note(row, place, _day(at, zone), "dates read")
            return at
        return None if column.constant is None else dates.moment(str(column.constant), zone, column.format)

    def _filled(self, row: Row, column: Columns) -> list[int]:
        """Places of the columns that say something in `row`."""
        places = (self._places.get(fold_header(name)) for name in column.columns)
        return [place for place in places if place is not None and row.cells[place].strip()]

    def _meaning(self, column: Columns, said: str) -> Scalar:
        if not column.values:
            return said
        if id(column) not in self._meanings:
            self._meanings[id(column)] = (column, {fold(text): value for text, value in column.values.items()})
        return self._meanings[id(column)][1].get(fold(said), said if column.otherwise is None else column.otherwise)

    def _note(self, row: Row, place: int, after: str, kind: str) -> None:
        self.repaired.append(Repair(row.number, self._columns[place], row.cells[place], after, kind))


def _day(at: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at / 1000, zone).strftime("%Y-%m-%d %H:%M").removesuffix(" 00:00")


def _told(before: str, after: str, kind: str) -> str:
    """What was done, in the words of the summary."""
    trimmed = before.strip()
    digits = "".join(filter(str.isdigit, unicodedata.normalize("NFKC", trimmed)))
    if trimmed.startswith(('="', "'")):
        return "Excel's quoting taken off"
    if kind in ("phone", "postcode") and after[:1] == "0" and digits[:1] != "0":
        return "leading zeros given back"
    if any("\uff61" <= char <= "\uff9f" for char in trimmed):
        return "half-width kana widened"
    if any("\uff01" <= char <= "\uff5e" for char in trimmed):
        return "full-width letters and digits narrowed"
    if "".join(before.split()) == "".join(after.split()):
        return "stray blanks taken out"
    return {"email": "address freed of what stood around it", "postcode": "postcode hyphenated"}.get(kind, "cleaned")
