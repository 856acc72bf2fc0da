"""BPI Challenge 2012, the work items: when 9,658 real loan applications came to a Dutch bank, to the second. Pure.

The data says nothing of who applied: a case is a number, and what comes of it here is a moment. Its times are 10 hours ahead of the
bank's clocks.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from baton.errors import OperatorError

FOLDER, EVENTS = "bpi_12_w", "events.csv"
AHEAD = timedelta(hours=10)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A case and the moment of the first thing that is known of it, by the clocks on the bank's wall."""

    case_id: str
    at: datetime


def load(folder: Path) -> list[Arrival]:
    """All cases, the first first. Raises OperatorError when the file is not there or not what it should be."""
    path = folder / EVENTS if (folder / EVENTS).exists() else folder / FOLDER / EVENTS
    try:
        with path.open(newline="") as events:
            return read(csv.DictReader(events))
    except OSError as error:
        raise OperatorError(
            f"{error.filename} cannot be read ({error.strerror}): name the folder that holds {FOLDER}/{EVENTS}, the work items of"
            " BPI Challenge 2012 (https://doi.org/10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f) as CaseID, ActivityID,"
            " CompleteTimestamp"
        ) from None
    except (KeyError, ValueError) as error:
        raise OperatorError(f"{path} does not hold the work items as expected: {error!r}") from None


def read(events: Iterable[Mapping[str, str]]) -> list[Arrival]:
    """The cases of rows as the file has them, in any order. Raises KeyError, ValueError."""
    first: dict[str, datetime] = {}
    for event in events:
        case, at = event["CaseID"], datetime.fromisoformat(event["CompleteTimestamp"]) - AHEAD
        first[case] = min(first.get(case, at), at)
    return sorted((Arrival(case, at) for case, at in first.items()), key=lambda one: (one.at, one.case_id))
