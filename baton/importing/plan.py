"""Everything about a run that is known before anything is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path

from baton.importing import checks, table
from baton.importing.cards import Card, Cards
from baton.importing.faults import RowRefused
from baton.importing.joining import join
from baton.importing.mapping import Mapping
from baton.importing.rules import Rules
from baton.importing.table import Row, Table
from baton.importing.values import Repair
from baton.policies.problems import Problem
from services.ingest.domain.traits import MOST_FREE_TEXT


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is not sent, or that ingest refused."""

    row: Row = field(repr=False)
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """cards:    what is sent, one per touch;  rows: those the file has, by number
    joined:   rows that told of somebody whom an earlier row had told of
    left_out: what cards say of staff that is nobody's name, and how often
    notices:  what should be looked at
    """

    table: Table
    mapping: Mapping
    rules: Rules
    cards: list[Card]
    rows: Map[int, Row]
    refused: list[Refused]
    repairs: list[Repair]
    joined: int
    unused: list[str]
    left_out: Map[str, int]
    notices: list[Problem]


def make(
    path: Path, mapping: checks.Read, rules: Rules, *, encoding: str | None = None, delimiter: str | None = None
) -> Plan:
    """The plan of a file. `encoding` and `delimiter` override the mapping's.

    Raises OperatorError for a file that cannot be read, PolicyErrors for a mapping that does not fit it.
    """
    said = mapping.mapping.file
    found = table.read(
        path,
        encoding=encoding or said.encoding,
        delimiter=delimiter or said.delimiter,
        header_row=said.header_row,
    )
    notices = checks.check(mapping, found, rules)
    reader = Cards(mapping.mapping, found, rules)
    cards: list[Card] = []
    refused: list[Refused] = []
    for row in found.rows:
        try:
            cards.append(reader.read(row))
        except RowRefused as fault:
            refused.append(Refused(row, fault.code, fault.reason))
    joined = join(cards)
    return Plan(
        table=found,
        mapping=mapping.mapping,
        rules=rules,
        cards=joined,
        rows={row.number: row for row in found.rows},
        refused=refused,
        repairs=reader.values.repaired,
        joined=len(cards) - len(joined),
        unused=checks.unused(mapping, found),
        left_out=reader.left_out,
        notices=notices,
    )


def strangers(plan: Plan) -> Counter[tuple[str, str]]:
    """(campaign, rep) -> cards, of reps who exchanged cards at a fair whose staff they are not."""
    campaigns = plan.rules.campaigns()
    return Counter(
        (card.campaign, rep)
        for card in plan.cards
        if card.campaign and (staff := campaigns[card.campaign].staff)
        for rep in card.staff
        if rep not in staff
    )


def long_memos(plan: Plan) -> int:
    return sum(len(card.memo or "") > MOST_FREE_TEXT for card in plan.cards)


def without_time(plan: Plan) -> int:
    return sum(card.at is None for card in plan.cards)
