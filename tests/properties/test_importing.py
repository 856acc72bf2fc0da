"""Whatever a file holds, reading it ends in rows or in a sentence: never in another error."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.errors import OperatorError
from baton.importing import checks, dates, joining, repairs, rules
from baton.importing.cards import Card, Cards
from baton.importing.faults import RowRefused
from baton.importing.plan import Refused
from baton.importing.rejects import content
from baton.importing.table import Table, parse

ROOT = Path(__file__).parents[2]
FILE = Path("x.csv")
TOKYO = ZoneInfo("Asia/Tokyo")
# What spreadsheets and people do to cells, and what they do not.
DAMAGE = st.sampled_from(
    [*"　='\"0９㈱髙@＠年/-ー\x00\ufeff", "", '="', "1.23E+11", "####", "ｶﾞ", "令和", "\r\n"],
)
CELLS = st.one_of(st.text(max_size=30), st.lists(st.one_of(DAMAGE, st.text(max_size=4)), max_size=8).map("".join))
PLAIN = st.text(
    st.characters(codec="cp932", exclude_characters="¢£¬‖−〜\r\n\x00\x80\xa0\uf8f0\uf8f1\uf8f2\uf8f3\ufeff"),
    max_size=12,
)


@given(raw=st.one_of(st.binary(max_size=400), CELLS.map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_a_table_or_a_sentence(raw: bytes) -> None:
    try:
        table = parse(FILE, raw)
    except OperatorError:
        return
    assert all(len(row.cells) == len(table.columns) for row in table.rows)


@given(
    raw=st.binary(max_size=200),
    encoding=st.sampled_from(["utf-8", "cp932", "utf-16", "utf-7", "latin-1", "idna", "rot13", ""]),
)
def test_any_bytes_in_any_named_encoding_are_a_table_or_a_sentence(raw: bytes, encoding: str) -> None:
    with suppress(OperatorError):
        parse(FILE, raw, encoding=encoding)


@pytest.mark.parametrize("kind", sorted(repairs.READERS))
@given(cell=CELLS, country=st.sampled_from(["JP", "US", "DE"]))
def test_a_repair_ends_in_a_value_or_a_reason_and_repairs_nothing_twice(kind: str, cell: str, country: str) -> None:
    try:
        once = repairs.READERS[kind](cell, country)
        assert repairs.READERS[kind](once, country) == once
    except RowRefused:
        return


@given(cell=CELLS, form=st.sampled_from([None, "%d/%m/%Y", "%y.%m.%d"]))
def test_a_date_is_a_moment_nothing_or_a_reason(cell: str, form: str | None) -> None:
    try:
        at = dates.moment(cell, TOKYO, form)
    except RowRefused:
        return
    assert at is None or 0 < at < 7_300_000_000_000


@given(
    columns=st.lists(PLAIN.filter(str.strip), min_size=1, max_size=5),
    rows=st.lists(st.lists(PLAIN, min_size=1, max_size=5), max_size=6),
    encoding=st.sampled_from(["cp932", "utf-8", "utf-8-sig", "utf-16"]),
    delimiter=st.sampled_from([",", "\t", ";"]),
)
def test_rejects_hold_every_cell_as_it_stood(
    columns: list[str], rows: list[list[str]], encoding: str, delimiter: str
) -> None:
    lines = [columns, *rows]
    text = "\r\n".join(delimiter.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines)
    table = parse(FILE, text.encode(encoding), encoding=encoding, delimiter=delimiter)
    made = content(table, [Refused(row, "code", "reason") for row in table.rows])
    again = parse(FILE, made, encoding=encoding, delimiter=delimiter)
    assert [row.cells[3:] for row in again.rows] == [row.cells for row in table.rows]


def _cards(*rows: tuple[str, ...]) -> list[Card]:
    text = "\r\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in (HEADER, *rows))
    table: Table = parse(FILE, text.encode("utf-8", "replace"), encoding="utf-8")
    read = checks.read(ROOT / "docs/senders/import/trade_fair.yaml")
    reader = Cards(read.mapping, table, RULES)
    found = []
    for row in table.rows:
        try:
            found.append(reader.read(row))
        except RowRefused:
            continue
    return found


HEADER = ("メールアドレス", "携帯電話", "氏名", "会社名", "名刺交換者", "ランク", "商談メモ", "日時")
RULES = rules.in_files("hinode", ROOT / "policies")


@given(rows=st.lists(st.tuples(*[CELLS] * len(HEADER)), max_size=5))
def test_any_rows_are_cards_or_refused(rows: list[tuple[str, ...]]) -> None:
    for card in joining.join(_cards(*rows)):
        assert joining.message(card)["messageId"] == joining.message_id(card)


@given(
    people=st.lists(
        st.tuples(
            st.sampled_from(["taro", "jiro", "ＴＡＲＯ"]),
            st.sampled_from(["中村", "加藤", "陳"]),
            st.sampled_from(["要連絡", "C", ""]),
        ),
        min_size=1,
        max_size=8,
    ),
    order=st.randoms(use_true_random=False),
)
def test_a_card_is_one_touch_in_whatever_order_the_rows_come(people: list[tuple[str, str, str]], order: object) -> None:
    rows = [(f"{who}@aozora.example", "", who, "青空", rep, rank, "", "2026/10/21") for who, rep, rank in people]
    mixed = list(rows)
    order.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = joining.join(_cards(*rows)), joining.join(_cards(*mixed))
    assert len(first) == len({who.replace("ＴＡＲＯ", "taro") for who, _, _ in people})

    def facts(cards: list[Card]) -> dict[str, object]:
        return {joining.message_id(card): (set(card.staff), card.rank, card.becomes, card.at) for card in cards}

    assert facts(first) == facts(second)
