"""Sizes, industries, addresses and numbers as people type them."""

from __future__ import annotations

import pytest

from services.ingest.domain.normalise import company, email, names, phone, place

SIZES = {
    1200: (1200, "s6"),
    "1200": (1200, "s6"),
    "1,000名": (1000, "s6"),
    "１，０００名": (1000, "s6"),
    "300-999": (300, "s5"),
    "300〜999人": (300, "s5"),
    "300+": (300, "s5"),
    "5000名以上": (5000, "s7"),
    "1.2万人": (12_000, "s7"),
    "10k+": (10_000, "s7"),
    "10名未満": (9, "s1"),
    "less than 100": (99, "s3"),
    "約100名": (100, "s4"),
}


@pytest.mark.parametrize(("said", "expected"), SIZES.items())
def test_a_size_is_read_at_its_lower_end(said, expected):
    people = company.employees(said)
    assert (people, company.size_band(people)) == expected


@pytest.mark.parametrize("said", [None, "", "不明", True, -3, 0, "many", float("nan"), [300], 10**12])
def test_no_number_is_no_size(said):
    assert company.employees(said) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("jsic:E", "jsic:E"),
        ("e", "jsic:E"),
        ("製造業", "jsic:E"),
        ("情報通信業", "jsic:G"),
        ("卸売業、小売業", "jsic:I"),
        ("Manufacturing", "jsic:E"),
        ("宇宙開発", "宇宙開発"),
    ],
)
def test_an_industry_is_a_section_where_it_names_one(said, expected):
    assert company.industry(said) == expected


@pytest.mark.parametrize(
    ("said", "domain", "own"),
    [
        ("Taro@Hinode-Soft.co.jp", "hinode-soft.co.jp", True),
        ("taro@tokyo.sales.hinode-soft.co.jp", "hinode-soft.co.jp", True),
        ("ｔａｒｏ＠ｈｉｎｏｄｅ.jp", "hinode.jp", True),
        (" x@abc.ocn.ne.jp ", "ocn.ne.jp", False),
        ("x@gmail.com", "gmail.com", False),
        ("x@yahoo.co.jp", "yahoo.co.jp", False),
        ("x@docomo.ne.jp", "docomo.ne.jp", False),
        ("x@kanagawa.soumu.go.jp", "kanagawa.soumu.go.jp", True),
        ("x@cs.todai.ac.jp", "cs.todai.ac.jp", True),
        ("x@city.sapporo.lg.jp", "city.sapporo.lg.jp", True),
    ],
)
def test_the_domain_of_an_address_says_whether_it_is_a_companys_own(said, domain, own):
    address = email.address(said)
    assert address == address.casefold().strip()
    assert (email.domain(address), email.is_own(email.domain(address))) == (domain, own)


def test_a_tenants_own_list_of_free_mail_counts_too():
    assert not email.is_own("club.example", frozenset({"club.example"}))


@pytest.mark.parametrize(
    "said", ["", "taro", "a@b", "a@@b.jp", "a b@c.jp", "<a@b.jp>", 5, None, "a@b.jp,c@d.jp", "x" * 300]
)
def test_what_is_no_address_is_none(said):
    assert email.address(said) is None


@pytest.mark.parametrize(
    ("said", "country", "expected"),
    [
        ("03-1234-5678", None, "+81312345678"),
        ("０９０-1234-5678", None, "+819012345678"),
        ("+1 415 555 2671", None, "+14155552671"),
        ("(415) 555-2671", "US", "+14155552671"),
        (9012345678, None, "+819012345678"),
        ("内線123", None, None),
        ("n/a", None, None),
    ],
)
def test_a_number_is_japanese_unless_it_says_otherwise(said, country, expected):
    assert phone.number(said, country) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("山田 太郎 様", "山田 太郎"),
        ("山田さん", "山田"),
        ("佐藤先生", "佐藤"),
        ("様", "様"),
        ("殿村 花子", "殿村 花子"),
        ("髙﨑 邉", "髙﨑 邉"),
    ],
)
def test_an_honorific_is_taken_from_the_end_alone(said, expected):
    assert names.person_name(said) == expected


def test_a_firm_loses_its_onchu():
    assert company.company_name("日の出ソフト株式会社 御中") == "日の出ソフト株式会社"


@pytest.mark.parametrize(
    ("said", "expected"), [("jp", "JP"), ("日本", "JP"), ("Germany", "DE"), ("Atlantis", None), (3, None)]
)
def test_a_country_is_two_letters(said, expected):
    assert place.country(said) == expected


@pytest.mark.parametrize(("said", "expected"), [("ja-JP", "ja"), ("en_US", "en"), ("x", None), (None, None)])
def test_a_language_is_the_primary_subtag(said, expected):
    assert place.language(said) == expected
