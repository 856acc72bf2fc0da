"""What a spreadsheet gets: nothing that it would run, and every character or a word about it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.handoff.exports.table import ACTIVE, GETA, Lost, inert, lost, written

CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)


def read(file, encoding):
    return list(csv.reader(io.StringIO(file.decode(encoding), newline="")))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "@SUM(A1)",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "\t=1",
        "＝HYPERLINK(x)",
        "\n=1",
        "+81 3-1234-5678",
        "+815012345678",
    ],
)
def test_what_a_spreadsheet_would_run_is_text(text):
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-12", "-3.5", "2026-05-25", "佐藤", "a=b", ""])
def test_numbers_and_other_text_stay_as_they_are(text):
    assert inert(text) == text


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=5))
def test_utf_8_loses_nothing_and_no_cell_is_active(rows):
    file = written(["a", "b"], rows, "utf-8")
    assert file.startswith(b"\xef\xbb\xbf")
    back = read(file, "utf-8-sig")
    assert back == [["a", "b"], *[[inert(value) for value in row] for row in rows]]
    for row in back[1:]:
        for cell in row:
            assert not cell.startswith(ACTIVE) or float(cell) <= 0


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=5))
def test_cp932_says_everything_or_it_is_told_where_not(rows):
    told = {(one.row, one.column): one.characters for one in lost(["a", "b"], rows)}
    back = read(written(["a", "b"], rows, "cp932"), "cp932")
    for number, (before, after) in enumerate(zip(rows, back[1:], strict=True), start=2):
        for column, was, says in zip("ab", before, after, strict=True):
            assert not says.startswith(ACTIVE) or float(says) <= 0
            assert says.count(GETA) - was.count(GETA) == sum(was.count(c) for c in told.get((number, column), ""))


def test_the_wave_dash_and_other_twins_are_written_with_the_sign_that_cp932_has():
    assert lost(["a"], [["10時〜18時 −5℃ — \xa0"]]) == []
    assert read(written(["a"], [["10時〜18時"]], "cp932"), "cp932")[1] == ["10時～18時"]


def test_a_sign_that_becomes_active_in_cp932_is_text_there():
    assert read(written(["a"], [["−1+cmd|x"]], "cp932"), "cp932")[1] == ["'－1+cmd|x"]


def test_each_lost_character_is_told_with_its_row_and_column():
    rows = [["髙橋"], ["𠮷野家 😀 café"]]
    assert lost(["company"], rows) == [Lost(3, "company", "𠮷野家 😀 café", "𠮷😀é")]
    assert read(written(["company"], rows, "cp932"), "cp932")[1:] == [["髙橋"], ["〓野家 〓 caf〓"]]
