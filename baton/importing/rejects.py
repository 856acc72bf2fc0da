"""Rows that were refused, as a file that can be corrected and imported again."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from baton.importing.plan import Refused
from baton.importing.table import OURS, Table

COLUMNS = (f"{OURS}row", f"{OURS}code", f"{OURS}reason")


def content(table: Table, refused: Sequence[Refused]) -> bytes:
    """The rows as they stood in the file, in its encoding and with its delimiter, after where and why."""
    kept = [place for place, name in enumerate(table.columns) if not name.startswith(OURS)]
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=table.delimiter, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *(table.columns[place] for place in kept)])
    for each in sorted(refused, key=lambda one: one.row.number):
        writer.writerow([each.row.number, each.code, each.reason, *(each.row.cells[place] for place in kept)])
    return table.decoded.encode(out.getvalue())


def write(table: Table, refused: Sequence[Refused]) -> Path:
    """Write `FILE.rejects.csv` beside the file and say where it is; what somebody may be correcting is never overwritten.

    Only its owner may read it: it holds what the file holds.
    """
    made, number = content(table, refused), 1
    while True:
        path = table.path.with_name(f"{table.path.stem}.rejects{'' if number == 1 else f'.{number}'}.csv")
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(made)
            return path
        except FileExistsError:
            if path.read_bytes() == made:
                return path
        number += 1
