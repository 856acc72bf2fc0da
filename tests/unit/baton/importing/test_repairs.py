"""What Excel did to a cell is undone where nothing was lost, and refused where it was."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from baton.importing import dates, repairs
from baton.importing.faults import RowRefused

TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("9012345678", "09012345678"),
        ("8001234567", "08001234567"),
        ("312345678", "0312345678"),
        ("120123456", "0120123456"),
        ("9012345678.0", "09012345678"),
        ("03-1234-5678", "03-1234-5678"),
        ("０３－１２３４－５６７８", "03-1234-5678"),
        ("03ー1234ー5678", "03-1234-5678"),
        ('="0312345678"', "0312345678"),
        ("'09012345678", "09012345678"),
        ("+81 90 1234 5678", "+81 90 1234 5678"),
        ("12345", "12345"),
    ],
)
def test_phone_numbers_get_their_leading_zero_back(cell: str, meant: str) -> None:
    assert repairs.phone(cell) == meant


def test_a_number_of_another_country_gets_no_zero() -> None:
    assert repairs.phone("9012345678", "US") == "9012345678"


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("600001", "060-0001"),
        ("10010", "001-0010"),
        ("60-0001", "060-0001"),
        ("5300001", "530-0001"),
        ("〒１２３－４５６７", "123-4567"),
        ("530-0001", "530-0001"),
        ("SW1A 1AA", "SW1A 1AA"),
    ],
)
def test_postcodes_get_their_leading_zeros_back(cell: str, meant: str) -> None:
    assert repairs.postcode(cell) == meant


@pytest.mark.parametrize("cell", ["1.23E+11", "9.01E+10", "9E+10", "1.23e+12", "１．２３Ｅ＋１１"])
@pytest.mark.parametrize("kind", ["phone", "postcode", "digits"])
def test_digits_that_excel_lost_are_never_guessed(kind: str, cell: str) -> None:
    with pytest.raises(RowRefused) as told:
        repairs.READERS[kind](cell, "JP")
    assert told.value.code == "lost_in_excel"


@pytest.mark.parametrize("cell", ["####", "#REF!", "#N/A", "#NAME?"])
def test_what_excel_shows_in_place_of_a_value_is_no_value(cell: str) -> None:
    with pytest.raises(RowRefused, match="lost_in_excel"):
        repairs.text(cell)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("ｶﾌﾞｼｷｶﾞｲｼｬ ﾃｽﾄ", "カブシキガイシャ テスト"),
        ("　山田　　太郎 ", "山田 太郎"),
        ("ＡＢＣ１２３", "ABC123"),
        ("㈱髙﨑①", "㈱髙﨑①"),
        ("\u200b山田\ufeff", "山田"),
        ('="001"', "001"),
        ("#1 Corp", "#1 Corp"),
    ],
)
def test_text_is_written_as_people_usually_write_it(cell: str, meant: str) -> None:
    assert repairs.text(cell) == meant


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("ｔａｒｏ＠example．jp", "taro@example.jp"),
        ("Taro <taro@example.jp>", "taro@example.jp"),
        ("taro@example.jp; jiro@example.jp", "taro@example.jp"),
        ("taro@example.jp jiro@example.jp", "taro@example.jp"),
        ("MAILTO:taro@example.jp", "taro@example.jp"),
        ("taro @example.jp", "taro@example.jp"),
        ("none", "none"),
    ],
)
def test_an_address_is_freed_of_what_stands_around_it(cell: str, meant: str) -> None:
    assert repairs.email(cell) == meant


def test_a_cell_of_signs_without_an_address_is_left_as_it_is() -> None:
    cell = "<" + "@" * 100_000  # which took minutes
    assert repairs.email(cell) == cell


def test_a_memo_keeps_its_lines() -> None:
    assert repairs.free_text(" 来週訪問 \r\n デモも ") == "来週訪問\nデモも"


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("2026/4/1", "2026-04-01T00:00"),
        ("2026-04-01 9:30", "2026-04-01T09:30"),
        ("2026.4.1", "2026-04-01T00:00"),
        ("20260401", "2026-04-01T00:00"),
        ("2026年4月1日(水) 9時5分", "2026-04-01T09:05"),
        ("令和8年4月1日", "2026-04-01T00:00"),
        ("令和元年5月1日", "2019-05-01T00:00"),
        ("R8.4.1", "2026-04-01T00:00"),
        ("H31/4/30", "2019-04-30T00:00"),
        ("46113", "2026-04-01T00:00"),
        ("46113.75", "2026-04-01T18:00"),
        ("２０２６／４／１", "2026-04-01T00:00"),
        ("2026/04/01 午後3時30分", "2026-04-01T15:30"),
        ("2026/04/01 12:15 AM", "2026-04-01T00:15"),
        ("2026-04-01T00:30:00Z", "2026-04-01T09:30"),
        ("2026-04-01T09:30:15.123+09:00", "2026-04-01T09:30"),
    ],
)
def test_dates_are_read_however_people_and_spreadsheets_write_them(cell: str, meant: str) -> None:
    at = dates.moment(cell, TOKYO)
    assert at is not None
    assert datetime.fromtimestamp(at / 1000, TOKYO).strftime("%Y-%m-%dT%H:%M") == meant


def test_another_way_to_write_a_date_may_be_named() -> None:
    at = dates.moment("1/4/2026", TOKYO, "%d/%m/%Y")
    assert at == dates.moment("2026-04-01", TOKYO)


@pytest.mark.parametrize(
    "cell", ["4/1/2026", "26/4/1", "2026/13/1", "令和99年99月1日", "4月1日", "tomorrow", "12345678.5", "99999"]
)
def test_a_date_that_could_be_two_or_none_is_refused(cell: str) -> None:
    with pytest.raises(RowRefused, match="unreadable_date"):
        dates.moment(cell, TOKYO)
