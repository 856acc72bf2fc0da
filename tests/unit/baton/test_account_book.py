"""Files of accounts: what is read, what differs, what is refused; the examples of the page are right."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from baton.account_book import changes, reading
from baton.errors import OperatorError
from baton.importing import table
from services.router.domain.account import Account

DOCS = Path(__file__).parents[3] / "docs"
TOKYO = ZoneInfo("Asia/Tokyo")


def read(tmp_path: Path, text: str, encoding: str = "utf-8") -> reading.Read:
    path = tmp_path / "accounts.csv"
    path.write_bytes(text.encode(encoding))
    return reading.accounts(table.read(path))


def known(*found: changes.Changes) -> dict[str, Account]:
    return {account.account_id: account for one in found for account in one.to_write}


def test_the_examples_of_the_page_are_read_without_a_refusal():
    book = changes.of_accounts(reading.accounts(table.read(DOCS / "accounts" / "accounts.csv")), {})
    assert (book.refused, len(book.new)) == ((), 7)
    deals = changes.of_deals(reading.deals(table.read(DOCS / "accounts" / "deals.csv"), TOKYO), known(book), {})
    assert (deals.refused, len(deals.new)) == ((), 1)
    family = known(book)
    assert (family["aozora-nagoya"].root, family["aozora-nagoya"].entity) == ("aozora-group", "aozora-kikai")
    assert family["aozora-nagoya"].inheriting(family).tier == "A"


def test_the_page_names_every_column():
    page = (DOCS / "accounts.md").read_text()
    assert all(f"`{names[0].removeprefix('is_')}`" in page for names in reading.ACCOUNT_COLUMNS.values())


def test_a_second_time_nothing_differs_and_a_column_that_is_not_there_leaves_what_is_known(tmp_path):
    first = changes.of_accounts(read(tmp_path, "id,name,tier,owner\na,甲社,A,sato\n"), {})
    again = changes.of_accounts(read(tmp_path, "id,name,tier,owner\na,甲社,A,sato\n"), known(first))
    assert (again.to_write, again.same) == ([], 1)
    shorter = changes.of_accounts(read(tmp_path, "id,name\na,甲社\n"), known(first))
    assert shorter.to_write == []
    emptied = changes.of_accounts(read(tmp_path, "id,name,tier\na,甲社,\n"), known(first))
    assert emptied.changed[0].fields == {"tier": ("A", None)}


def test_who_is_moved_with_the_family_is_written_although_the_file_does_not_name_it(tmp_path):
    first = changes.of_accounts(
        read(tmp_path, "id,name,level,parent\ng,青嵐グループ,group,\na,甲社,,\ns,東支店,site,a\n"), {}
    )
    moved = changes.of_accounts(read(tmp_path, "id,name,level,parent\na,甲社,,g\n"), known(first))
    assert [(one.account_id, one.root, one.entity) for one in moved.moved] == [("s", "g", "a")]


def test_what_belongs_to_a_refused_account_is_refused_with_it_and_nobody_stands_above_itself(tmp_path):
    done = changes.of_accounts(
        read(tmp_path, "id,name,level,parent\na,甲社,legal_entity,b\nb,乙社,legal_entity,a\ns,東支店,site,a\n"), {}
    )
    assert done.to_write == []
    assert {one.code for one in done.refused} == {"wrong_level", "unknown_parent"}


def test_a_number_belongs_to_one_account(tmp_path):
    done = changes.of_accounts(
        read(tmp_path, "id,name,法人番号\na,甲社,7010001008844\nb,乙社,７０１０００１００８８４４\n"), {}
    )
    assert [(one.row.number, one.code) for one in done.refused] == [(3, "corporate_number_taken")]
    assert [account.account_id for account in done.new] == ["a"]


def test_a_new_account_is_of_the_kind_of_the_one_above_it(tmp_path):
    done = changes.of_accounts(
        read(tmp_path, "id,name,kind,level,parent\ns,東支店,,site,a\na,甲社,,,g\ng,乙グループ,競合,group,\n"), {}
    )
    assert {account.kind for account in done.new} == {"competitor"}


def test_a_file_without_ids_is_refused_as_a_whole(tmp_path):
    with pytest.raises(OperatorError, match="has no column `id`"):
        read(tmp_path, "name,tier\n甲社,A\n")


def test_a_column_that_means_nothing_is_named(tmp_path):
    assert read(tmp_path, "id,name,colour\na,甲社,red\n").unused == ("colour",)


def test_domains_are_registrable_ones_however_they_are_written(tmp_path):
    found = read(tmp_path, "id,name,domains\na,甲社,https://www.Hinode.co.jp/about; info@sales.hinode.com\n")
    assert found.rows[2]["domains"] == ("hinode.co.jp", "hinode.com")


def test_owners_whom_nobody_knows_are_counted():
    accounts = [Account("a", "A", owner="sato"), Account("b", "B", owner="gone", account_manager="gone")]
    assert changes.unknown_reps(accounts, ["sato"]) == {"gone": 1}


def test_every_field_of_an_account_has_a_column():
    derived = {"root", "entity"}
    assert set(reading.ACCOUNT_COLUMNS) == {field.name for field in dataclasses.fields(Account)} - derived
