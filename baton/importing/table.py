"""A file as rows under named columns."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from baton.errors import OperatorError
from baton.importing.encoding import Decoded, decode

MOST_BYTES = 64 * 1024 * 1024
MOST_CELL = 131_072  # characters
OURS = "baton_"  # columns of a rejects file that say what was wrong: never read, never repeated
DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", ",": ",", "\t": "\t", "\\t": "\t", ";": ";"}
_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons"}
_SEP = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # Excel's own note of the delimiter


@dataclass(frozen=True, slots=True)
class Row:
    """number: as a spreadsheet shows it, the first row being 1;  cells: as they stand;  surplus: cells beyond the last column"""

    number: int
    cells: tuple[str, ...] = field(repr=False)
    surplus: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """columns: headers as they stand, made distinct;  rows: those that are not blank"""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...] = field(repr=False)
    decoded: Decoded = field(repr=False)
    delimiter: str
    blank: int = 0

    @property
    def said(self) -> str:
        return f"{self.decoded.said}, parted by {_NAMES.get(self.delimiter, repr(self.delimiter))}"

    def positions(self) -> Mapping[str, int]:
        """Folded header -> place in a row."""
        return {fold_header(name): place for place, name in reversed(list(enumerate(self.columns)))}


def fold_header(name: str) -> str:
    """Headers are compared without width, case and blanks: `Ｅ-mail ` is `e-mail`."""
    return "".join(unicodedata.normalize("NFKC", name).split()).casefold()


def read(path: Path, *, encoding: str | None = None, delimiter: str | None = None, header_row: int = 1) -> Table:
    """The table in `path`. `header_row`: the row with the headers; what stands above it is left out.

    Raises OperatorError for a file that is none.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise OperatorError(f"{path} has {size:,} bytes, and {MOST_BYTES:,} are the most: divide it")
        raw = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path} cannot be read ({error.strerror})") from None
    try:
        return parse(path, raw, encoding=encoding, delimiter=delimiter, header_row=header_row)
    except OperatorError as error:
        raise OperatorError(f"{path}: {error}") from None


def parse(
    path: Path, raw: bytes, *, encoding: str | None = None, delimiter: str | None = None, header_row: int = 1
) -> Table:
    """The table in the bytes of `path`. Raises OperatorError."""
    decoded = decode(raw, encoding)
    text, above = decoded.text, 0
    if noted := _SEP.match(text):
        text, above = text[noted.end() :], 1
        delimiter = delimiter or noted[1]
    parting = _delimiter(text, delimiter, header_row - above)
    lines = enumerate(_lines(text, parting), 1 + above)
    wanted = max(header_row, 1 + above)
    header = next((cells for number, cells in lines if number == wanted), None)
    if header is None:
        raise OperatorError("it is empty" if not text.strip() else f"there is no row {wanted} to be the header")
    columns = _distinct(header)
    if not columns:
        raise OperatorError(f"row {wanted} is to be the header, and is blank: --header-row says where it is")
    rows, blank = [], 0
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            blank += 1
            continue
        surplus = sum(1 for cell in cells[len(columns) :] if cell.strip())
        padded = (*cells[: len(columns)], *[""] * (len(columns) - len(cells)))
        rows.append(Row(number, padded, surplus))
    return Table(path, columns, tuple(rows), decoded, parting, blank)


def _lines(text: str, delimiter: str) -> Iterator[list[str]]:
    """Logical lines: a line break between quotes belongs to its cell."""
    csv.field_size_limit(MOST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        # A quote that is never closed would take all rows behind it into one cell.
        why = f"a quote is missing or misplaced at or above it: {error}"
        raise OperatorError(f"line {reader.line_num} cannot be read ({why})") from None


def _delimiter(text: str, named: str | None, header_row: int) -> str:
    """What parts the cells: as named, else what stands most often outside quotes in the header."""
    if named:
        found = DELIMITERS.get(named.casefold(), named)
        if len(found) != 1 or found in '"\r\n' or (found.isspace() and found != "\t"):
            raise OperatorError(f"cells cannot be parted by `{named}`: comma, tab, semicolon or one character")
        return found
    header, quoted, row = dict.fromkeys(_NAMES, 0), False, 1
    for char in text:
        if char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char == "\n":
            if row >= header_row:
                break
            row += 1
        elif row >= header_row and char in header:
            header[char] += 1
    return max(header, key=lambda char: header[char])  # a file of one column has none: a comma does


def _distinct(cells: list[str]) -> tuple[str, ...]:
    """Headers, the second `TEL` as `TEL (2)`."""
    seen: dict[str, int] = {}
    names = []
    for cell in cells:
        name = " ".join(cell.split())
        folded = fold_header(name)
        seen[folded] = seen.get(folded, 0) + 1
        names.append(f"{name} ({seen[folded]})" if name and seen[folded] > 1 else name)
    while names and not names[-1]:  # Excel leaves delimiters behind the last header
        names.pop()
    return tuple(names)
