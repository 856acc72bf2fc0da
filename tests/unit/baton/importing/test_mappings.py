"""A mapping's faults are told with file, line and the nearest valid name, before any row is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from baton.importing import checks, rules, table
from baton.policies import PolicyErrors


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("  email: メール", "  emal: メール", 5, "there is no field `emal` here. Did you mean `email`?"),
        ("  email: メール", "  email: メイル", 5, "the file has no column `メイル`. Did you mean `メール`?"),
        ("time: 日時", "time: {colum: 日時}", 3, "there is no field `colum` here."),
        ("time: 日時", "time: {format: '%Y'}", 3, "say which `column` it stands in"),
        (
            "event: trade_fair_card_scanned",
            "event: trade_fair_card_scaned",
            2,
            "Did you mean `trade_fair_card_scanned`?",
        ),
        ("campaign: monozukuri-2026", "campaign: monozukuri-2025", 1, "Did you mean `monozukuri-2026`?"),
        ("campaign: monozukuri-2026", "zone: Asia/Tokio\npurpose: x", 1, "there is no such time zone"),
        ("campaign: monozukuri-2026\n", "", None, "say which `campaign` the rows belong to"),
        ("中村さん: nakamura", "中村さん: nakamora", 10, "Did you mean `nakamura`?"),
        (
            "rank: ランク",
            "rank: {column: ランク, values: {A: kontact}}",
            11,
            "there is no rank `kontact`. Did you mean `contact`?",
        ),
        ("rank: ランク", "event_when: {rnak: {A: contact_requested}}", 11, "which the mapping does not fill."),
        (
            "rank: ランク",
            "rank: ランク\nevent_when: {rank: {contact: kontakt}}",
            12,
            "there is no touch type `kontakt`.",
        ),
        ("memo: メモ", "channel: trade-fair", 13, "Did you mean `trade_fair`?"),
        ("memo: メモ", "memo: [a, b]", 13, "the file has no column `a` or `b`."),
        ("memo: メモ", "memo: &x メモ", 13, "anchors and aliases"),
        ("fields:", "fields: []\nx:", 4, "is to be a mapping of fields"),
    ],
)
def test_a_fault_of_a_mapping_is_told_where_it_stands(
    good_mapping: str, planned: Any, before: str, after: str, line: int | None, words: str
) -> None:
    assert before in good_mapping
    with pytest.raises(PolicyErrors) as told:
        planned(mapping=good_mapping.replace(before, after))
    found = next(problem for problem in told.value.problems if words in problem.message)
    assert (Path(found.file).name, found.line) == ("mapping.yaml", line) or line is None


def test_answers_that_no_rule_reads_are_noticed(good_mapping: str, planned: Any) -> None:
    plan = planned(mapping=good_mapping.replace("{予算: 予算}", "{budgett: 予算}"))
    assert [notice.message for notice in plan.notices] == [
        "no `evidence` rule of the sources policy reads `budgett`. Did you mean `budget`?"
    ]


def test_columns_that_nothing_names_are_noticed(good_mapping: str, planned: Any) -> None:
    assert planned(mapping=good_mapping.replace("memo: メモ", "")).unused == ["メモ"]
    assert planned(mapping=good_mapping.replace("memo: メモ", "ignore: [メモ]")).unused == []


def test_every_example_is_a_good_mapping_of_a_file_with_its_columns(policies: Path) -> None:
    examples = sorted((Path(__file__).parents[4] / "docs/senders/import").glob("*.yaml"))
    assert examples
    for path in examples:
        read = checks.read(path)
        columns = dict.fromkeys(name for _, column in read.mapping.named_columns() for name in column.columns)
        file = table.parse(Path("x.csv"), ",".join([*columns, *read.mapping.ignore]).encode())
        notices = checks.check(read, file, rules.in_files("hinode", policies))
        assert notices == [], path
        assert checks.unused(read, file) == [], path
