"""Sizes, industries, addresses and numbers as people type them."""

from __future__ import annotations

import pytest

from shared.normalise import company, email, names, phone, place
from shared.normalise.corporate_number import corporate_number
from shared.normalise.text import clean
from shared.normalise.variants import fold

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
        ("x@mail.city.sapporo.lg.jp", "city.sapporo.lg.jp", True),
        ("x@city.yokohama.jp", "city.yokohama.jp", True),
        ("x@mx1.cs.ox.ac.uk", "cs.ox.ac.uk", True),
        ("x@cs.stanford.edu", "cs.stanford.edu", True),
        ("x@www.hinode.ac", "hinode.ac", True),
        ("x@aa2.so-net.ne.jp", "so-net.ne.jp", False),
        ("mailto:x@hinode.jp\u200b", "hinode.jp", True),
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


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("鵜殿", "鵜殿"),
        ("真殿 様", "真殿"),
        ("山田殿", "山田"),
        ("林 殿", "林"),
        ("佐藤先生 様", "佐藤"),
        ("株式会社 御中", "株式会社 御中"),
        ("\ufa19田 隆", "\ufa19田 隆"),
        ("ﾔﾏﾀﾞ ﾀﾛｳ", "ヤマダ タロウ"),
        ("𠮷田", "𠮷田"),
    ],
)
def test_a_name_is_kept_as_it_is_written_but_for_what_is_no_part_of_it(said, expected):
    assert names.person_name(said) == expected


@pytest.mark.parametrize(
    ("last_name", "name", "expected"),
    [
        ("髙﨑", None, "高崎"),
        ("高崎 様", None, "高崎"),
        (None, "山田 太郎", "山田"),
        (None, "山田　太郎 様", "山田"),
        (None, "山田太郎", None),
        (None, "Taro YAMADA", "yamada"),
        (None, "YAMADA Taro", "yamada"),
        (None, "Yamada, Taro", "yamada"),
        (None, "Taro Yamada", None),
        (None, "TARO YAMADA", None),
        (None, "営業 山田 太郎", None),
        (None, None, None),
        ("", 5, None),
    ],
)
def test_a_family_name_is_never_guessed(last_name, name, expected):
    assert names.family_name(last_name, name) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("090-1234-5678", True),
        ("080 1234 5678", True),
        ("070-1234-5678", True),
        ("+81 60-1234-5678", True),
        ("0800-123-4567", False),
        ("03-1234-5678", False),
        ("06-1234-5678", False),
        ("050-1234-5678", False),
        ("0120-123-456", False),
        ("0570-012-345", False),
        ("+44 7911 123456", True),
        ("+1 415 555 2671", False),
    ],
)
def test_only_a_mobile_is_one_persons(said, expected):
    assert phone.is_mobile(phone.number(said)) is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("日の出ソフト株式会社 御中", "日の出ソフト株式会社"),
        ("日の出ソフト株式会社 各位 御中", "日の出ソフト株式会社"),
        ("㈱髙﨑", "株式会社髙﨑"),
        ("（株）日の出", "株式会社日の出"),
        ("日の出 ㈱", "日の出株式会社"),
        ("日の出(株)東京支店", "日の出株式会社東京支店"),
        ("㈲たなか", "有限会社たなか"),
        ("株式会社　日の出", "株式会社日の出"),
        ("(一社)日の出会", "一般社団法人日の出会"),
        ("日の出(同)", "日の出合同会社"),
        ("山田様", "山田様"),
        ("Hinode Co., Ltd.", "Hinode Co., Ltd."),
        ("ACME, Inc.", "ACME, Inc."),
        ("Ｈｉｎｏｄｅ GmbH", "Hinode GmbH"),
    ],
)
def test_a_firm_keeps_its_legal_form_where_it_stands(said, expected):
    assert company.company_name(said) == expected


@pytest.mark.parametrize(
    "spellings",
    [
        ("株式会社日の出", "日の出株式会社", "㈱日の出", "日の出（株）", "日の出㈱ 御中", "日の出"),
        ("キヤノン株式会社", "キャノン㈱"),
        ("髙﨑商店", "高崎商店", "有限会社高﨑商店"),
        ("渡邉澤濵", "渡邊沢浜", "渡辺澤浜"),
        ("Honda Motor Company, Limited", "HONDA MOTOR CO.,LTD.", "Honda Motor"),
        ("ACME GmbH & Co. KG", "Acme GmbH", "ACME"),
        ("日の出・ソフト", "日の出ソフト"),
        ("医療法人社団 澤会", "沢会"),
        ("福\ufa1b", "福福"),
    ],
)
def test_spellings_of_one_firm_have_one_match_key(spellings):
    assert len({company.company_match_key(name) for name in spellings}) == 1


def test_different_firms_have_different_match_keys_and_none_is_empty():
    names_ = ["日の出", "日の入", "株式会社", "御中", "Inc.", "・", "Siemens", "Saga", "KK"]
    assert len({company.company_match_key(name) for name in names_} - {""}) == len(names_)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("7000012050002", "7000012050002"),  # 国税庁
        ("１１８０３０１０１８７７１", "1180301018771"),
        (1180301018771, "1180301018771"),
        (1180301018771.0, "1180301018771"),
        ("5-0104-0106-7252", "5010401067252"),
        ("7000012050003", None),
        ("700001205000", None),
        ("T7000012050002", None),
        (True, None),
        (None, None),
        ("7.00001E+12", None),
    ],
)
def test_a_corporate_number_has_its_check_digit(said, expected):
    assert corporate_number(said) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("info@a.jp", True),
        ("soumu@a.jp", True),
        ("eigyo2@a.jp", True),
        ("sales-tokyo@a.jp", True),
        ("contact.jp@a.jp", True),
        ("info+fair@a.jp", True),
        ("kaikei@a.jp", True),
        ("sato@a.jp", False),
        ("informatik@a.jp", False),
        ("mika@a.jp", False),
    ],
)
def test_a_desk_is_told_from_a_person(address, expected):
    assert email.is_shared(address) is expected


def test_old_forms_of_characters_stay_in_what_is_shown_and_fold_in_what_is_compared():
    written = "髙﨑邉齋澤濵\ufa19"
    assert clean(written) == written
    assert fold(written) == "高崎辺斎沢浜神"


@pytest.mark.parametrize(
    ("said", "expected"), [("jp", "JP"), ("日本", "JP"), ("Germany", "DE"), ("Atlantis", None), (3, None)]
)
def test_a_country_is_two_letters(said, expected):
    assert place.country(said) == expected


@pytest.mark.parametrize(("said", "expected"), [("ja-JP", "ja"), ("en_US", "en"), ("x", None), (None, None)])
def test_a_language_is_the_primary_subtag(said, expected):
    assert place.language(said) == expected
