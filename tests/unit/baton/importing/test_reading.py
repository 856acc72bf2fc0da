"""What is in a file is found out by strict rules, and told."""

from __future__ import annotations

from pathlib import Path

import pytest

from baton.errors import OperatorError
from baton.importing.table import Table, parse

TEXT = "氏名,会社\r\n髙﨑 一郎,㈱あおぞら①\r\n"
FILE = Path("cards.csv")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode("utf-8-sig"), "UTF-8 with a byte order mark"),
        (TEXT.encode("cp932"), "cp932"),
        (TEXT.encode("utf-16"), "UTF-16 (little-endian)"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16 (big-endian)"),
        (TEXT.encode("utf-16-le"), "UTF-16 (little-endian)"),
        ("氏名,会社\n山田,青空\n".encode("iso2022_jp"), "ISO-2022-JP"),
    ],
)
def test_the_encoding_is_found_by_strict_decoding(raw: bytes, said: str) -> None:
    table = parse(FILE, raw)
    assert said in table.said
    assert table.columns == ("氏名", "会社")
    assert len(table.rows) == 1


def test_shift_jis_means_what_windows_writes() -> None:
    table = parse(FILE, TEXT.encode("cp932"), encoding="Shift_JIS")
    assert table.rows[0].cells == ("髙﨑 一郎", "㈱あおぞら①")


@pytest.mark.parametrize(("char", "name"), [(",", "commas"), ("\t", "tabs"), (";", "semicolons")])
def test_the_delimiter_is_what_parts_the_headers(char: str, name: str) -> None:
    table = parse(FILE, f'名前{char}"会,社;\t"{char}TEL\n山田{char}青空{char}03\n'.encode())
    assert table.rows[0].cells == ("山田", "青空", "03")
    assert name in table.said


def test_a_delimiter_may_be_named() -> None:
    assert parse(FILE, b"a;b,c\n1;2,3\n", delimiter="semicolon").columns == ("a", "b,c")


def test_excels_own_note_of_the_delimiter_is_heeded_and_rows_keep_their_numbers() -> None:
    table = parse(FILE, b"sep=;\r\na;b\r\n1;2\r\n")
    assert (table.columns, table.rows[0].number) == (("a", "b"), 3)


def test_a_line_break_between_quotes_belongs_to_its_cell() -> None:
    table = parse(FILE, '氏名,メモ\r\n山田,"一行目\r\n二行目, 続き"\r\n鈴木,\r\n'.encode())
    assert table.rows[0].cells[1] == "一行目\r\n二行目, 続き"
    assert [row.number for row in table.rows] == [2, 3]


def test_rows_that_are_blank_are_left_out_and_the_others_keep_their_numbers() -> None:
    table = parse(FILE, b"a,b\n,\n1,2\n\n3,4\n")
    assert ([row.number for row in table.rows], table.blank) == ([3, 5], 2)


def test_what_stands_above_the_header_is_left_out() -> None:
    assert parse(FILE, "展示会レポート\n\n氏名,会社\n山田,青空\n".encode(), header_row=3).columns == ("氏名", "会社")


def test_two_columns_of_one_name_are_told_apart() -> None:
    assert parse(FILE, "TEL,ＴＥＬ,\n1,2,\n".encode()).columns == ("TEL", "ＴＥＬ (2)")


def test_cells_beyond_the_last_column_are_counted() -> None:
    assert [row.surplus for row in parse(FILE, b"a,b\n1,2,\n1,2,3\n").rows] == [0, 1]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"PK\x03\x04....", "an Excel workbook (.xlsx)"),
        (b"\xd0\xcf\x11\xe0....", "an old Excel workbook"),
        ("氏名\n".encode() + b"\xff\xfe\xff\n", "neither UTF-8 (line 2) nor cp932 (line 2)"),
        (b"", "it is empty"),
        (b",,\n1,2,3\n", "row 1 is to be the header, and is blank"),
        (b'a,b\n1,2\n"3,4\n5,6\n', "a quote is missing"),
        (
            "会社名部署名役職氏名\n株式会社青空情報システム部長山田\n".encode("euc_jp"),
            "--encoding euc_jp or --encoding cp932",
        ),
    ],
)
def test_a_file_that_is_none_is_told_in_a_sentence(raw: bytes, words: str) -> None:
    with pytest.raises(OperatorError) as told:
        parse(FILE, raw)
    assert words in str(told.value)


def test_an_encoding_that_does_not_exist_is_told() -> None:
    for name in ("shift-gis", "hex", "a\0b"):
        with pytest.raises(OperatorError, match="there is no encoding"):
            parse(FILE, b"a\n1\n", encoding=name)


def test_a_file_is_not_what_it_was_named() -> None:
    with pytest.raises(OperatorError, match=r"this is not UTF-8 \(line 1\)"):
        parse(FILE, TEXT.encode("cp932"), encoding="utf-8")


def test_a_table_shows_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    table: Table = parse(FILE, TEXT.encode())
    assert "髙﨑" not in repr(table)
