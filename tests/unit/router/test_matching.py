"""The ladder, step by step: what finds an account, what speaks against it, and which of several is taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from services.router.domain.account import Account
from services.router.domain.matching.keys import Asked, asked, block_keys, exact_keys, keys_of, name_key
from services.router.domain.matching.ladder import THRESHOLD, match, nearness
from services.router.domain.matching.result import Matched
from shared.normalise.company import legal_form, split_site
from shared.normalise.place import prefecture
from tests.matching_set import book

HINODE = Account(
    "hinode",
    "株式会社日の出工業",
    domains=("hinode.co.jp", "hinode.com"),
    corporate_number="7010001008844",
    names=("Hinode Industries",),
    former_names=("日の出鉄工株式会社",),
    kana="ヒノデコウギョウ",
    country="JP",
    area="JP-13",
    phone="+81312345678",
)
OSAKA = Account(
    "osaka", "大阪支店", level="site", parent="hinode", root="hinode", entity="hinode", country="JP", area="JP-27"
)


def found_by(told: dict[str, Any], *accounts: Account, phone: str | None = None) -> Matched:
    return match(asked(told, phone), book([*(accounts or (HINODE, OSAKA))]))


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"account": "group:hinode"}, "account_id"),
        ({"domain": "hinode.co.jp"}, "domain"),
        ({"domain": "hinode.com"}, "alias_domain"),
        ({"corporate_number": "7010001008844"}, "corporate_number"),
        ({"company": "日の出工業(株)", "region": "東京"}, "name_prefecture"),
        ({"company": "㈱日の出工業"}, "name_country"),
        ({"company": "Hinode Industries Co., Ltd.", "region": "Tokyo"}, "name_prefecture"),
    ],
)
def test_each_step_finds_its_account(told, code):
    matched = found_by(told)
    assert (matched.account_id, matched.code) == ("hinode", code)


def test_a_firms_phone_finds_it_and_a_mobile_never_does():
    assert found_by({}, phone="+81312345678").code == "phone"
    mobile = Account("m", "個人商店さくら", phone="+819012345678", country="JP")
    assert found_by({}, mobile, phone="+819012345678").account_id is None
    assert ("phone", "+819012345678") not in keys_of(mobile)


def test_a_phone_that_a_wholly_different_firm_names_proves_nothing():
    matched = found_by({"company": "北斗倉庫株式会社"}, phone="+81312345678")
    assert (matched.account_id, matched.candidates[0].why_not) == (None, "name_differs")


@pytest.mark.parametrize("domain", ["gmail.com", "ocn.ne.jp", "plala.or.jp", "yahoo.co.jp"])
def test_mail_of_free_and_access_providers_never_matches_even_where_an_account_claims_the_domain(domain):
    careless = Account("x", "株式会社粗忽", domains=(domain,), country="JP")
    assert ("domain", domain) not in keys_of(careless)
    matched = found_by({"domain": domain}, careless)
    assert (matched.account_id, matched.no_domain) == (None, True)


def test_a_domain_that_the_tenant_calls_free_mail_never_matches():
    assert found_by({"domain": "hinode.co.jp", "own_domain": False}).account_id is None


@pytest.mark.parametrize(
    ("name", "by"), [("日の出鉄工(株)", "former"), ("ひのでこうぎょう", "kana"), ("HINODE INDUSTRIES", "other")]
)
def test_other_names_are_told_apart_from_the_present_one(name, by):
    matched = found_by({"company": name, "region": "東京都"})
    assert (matched.account_id, matched.by_name) == ("hinode", by)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"company": "日の出工業", "region": "愛知県"}, "prefecture_differs"),
        ({"company": "有限会社日の出工業", "region": "東京都"}, "legal_form_differs"),
        (
            {"company": "日の出工業", "region": "東京都", "corporate_number": "1180301018771"},
            "corporate_number_differs",
        ),
        ({"company": "日の出工業", "region": "東京都", "domain": "hinode-kogyo.jp"}, "domain_differs"),
        ({"company": "日の出工業", "country": "TW"}, "country_differs"),
        ({"company": "Hinode Industries"}, "place_unknown"),
    ],
)
def test_what_speaks_against_an_account_of_the_same_name_is_said(told, why):
    matched = found_by(told, HINODE)
    assert (matched.account_id, matched.candidates[0].why_not) == (None, why)


def test_a_domain_called_the_same_below_another_suffix_does_not_speak_against_a_name():
    assert found_by({"company": "日の出工業", "region": "東京都", "domain": "hinode.jp"}, HINODE).account_id == "hinode"


def test_a_corporate_number_comes_before_a_domain_of_another_family():
    other = Account("other", "株式会社別", corporate_number="1180301018771", country="JP")
    matched = found_by({"domain": "hinode.co.jp", "corporate_number": "1180301018771"}, HINODE, other)
    assert (matched.account_id, matched.code) == ("other", "corporate_number")
    assert [one.why_not for one in matched.candidates] == [None, "corporate_number_differs"]


def test_two_firms_of_one_name_are_told_apart_by_prefecture_and_neither_is_taken_without_it():
    twins = [Account(f"s{n}", "株式会社さくら", country="JP", area=f"JP-{n}") for n in (13, 27)]
    assert found_by({"company": "(株)さくら", "region": "大阪府"}, *twins).account_id == "s27"
    neither = found_by({"company": "(株)さくら"}, *twins)
    assert (neither.account_id, neither.ambiguous) == (None, True)
    assert {one.why_not for one in neither.candidates} == {"ambiguous"}


def test_a_tier_never_chooses_between_two_firms_of_one_name_in_one_prefecture():
    twins = [Account(f"s{tier}", "株式会社さくら", country="JP", area="JP-13", tier=tier) for tier in ("A", "B")]
    matched = found_by({"company": "(株)さくら", "region": "東京都"}, *twins)
    assert (matched.account_id, matched.ambiguous) == (None, True)


def test_a_name_between_two_firms_is_neithers_however_like_both_it_is():
    firms = [Account(n, f"{n} Analytics Inc.", country="US", area="california") for n in ("Brightway", "Brightwave")]
    told = {"country": "US", "region": "California"}
    assert found_by(told | {"company": "Brightwa Analytics"}, *firms).ambiguous
    assert found_by(told | {"company": "Brightwa Analytics"}, firms[0]).account_id == "Brightway"


@pytest.mark.parametrize(
    ("told", "account", "tie"),
    [
        ({"domain": "hinode.co.jp"}, "hinode", None),
        ({"domain": "hinode.co.jp", "company": "株式会社日の出工業大阪支店"}, "osaka", "site"),
        ({"domain": "hinode.co.jp", "region": "大阪府"}, "osaka", "prefecture"),
        ({"domain": "hinode.co.jp", "region": "東京都"}, "hinode", None),
        ({"company": "日の出工業", "region": "大阪府"}, "osaka", "prefecture"),
    ],
)
def test_a_site_is_taken_where_it_is_named_or_the_lead_is_there_and_the_firm_is_not(told, account, tie):
    matched = found_by(told)
    assert (matched.account_id, matched.tie) == (account, tie)


def test_of_accounts_that_share_a_domain_the_tier_decides_last_and_the_group_where_nothing_does():
    group = Account("g", "青嵐グループ", level="group", domains=("seiran.jp",))
    one, two = (
        Account(n, f"青嵐{n}株式会社", parent="g", root="g", domains=("seiran.jp",), tier=tier)
        for n, tier in (("物流", "A"), ("建設", "B"))
    )
    by_tier = found_by({"domain": "seiran.jp"}, group, one, two)
    assert (by_tier.account_id, by_tier.tie) == ("物流", "tier")
    named = found_by({"domain": "seiran.jp", "company": "青嵐建設(株)"}, group, one, two)
    assert (named.account_id, named.tie) == ("建設", "name")
    nothing = found_by({"domain": "seiran.jp"}, group, replace(one, tier=None), replace(two, tier=None))
    assert (nothing.account_id, nothing.tie) == ("g", "common")


def test_the_fuzzy_step_forgives_a_letter_and_says_how_alike_the_names_are():
    nordwind = Account("n", "Nordwind Logistik GmbH", country="DE", area="hamburg")
    matched = found_by({"company": "Nordwnd Logistik", "country": "DE", "region": "Hamburg"}, nordwind)
    assert (matched.account_id, matched.code, matched.candidates[0].likeness) == ("n", "fuzzy", 96)
    elsewhere = found_by({"company": "Nordwnd Logistik", "country": "DE", "region": "Bremen"}, nordwind)
    assert (elsewhere.account_id, elsewhere.candidates) == (None, ())
    far = found_by({"company": "Nordwest Logistik", "country": "DE", "region": "Hamburg"}, nordwind)
    assert (far.account_id, far.candidates[0].why_not) == (None, "too_far")


def test_another_ideograph_or_digit_is_another_firm_however_long_the_name():
    assert nearness(name_key("東都第一電機工業サービス"), name_key("東都第二電機工業サービス")) == 0
    assert nearness(name_key("株式会社ミナト7システムズ"), name_key("株式会社ミナト8システムズ")) == 0
    assert nearness(name_key("オーシャンソフトウェア"), name_key("オーシャンソフトウエア")) == 100
    assert THRESHOLD <= nearness("オーシヤンソフトウエア", "オーシヤンソフトエア") < 100


def test_names_are_compared_only_in_one_place_and_where_they_share_their_head_or_tail():
    lead = Asked(firm="Nordwind Logistik", area="hamburg")
    assert set(block_keys(lead)) == {("block", "hamburg:no"), ("block", "hamburg:…ik")}
    assert list(block_keys(Asked(firm="Nordwind Logistik", country="DE"))) == []


@pytest.mark.parametrize("name", ["個人", "フリーランス", "株式会社", "test", "N/A", "本社", "東京都", "あ", "12345"])
def test_a_stopgap_is_nobodys_name(name):
    assert list(exact_keys(asked({"company": name}))) == []


@pytest.mark.parametrize(
    ("written", "firm", "site"),
    [
        ("日の出工業株式会社大阪支店", "日の出工業株式会社", "大阪支店"),
        ("㈱日の出 横浜第二営業所", "株式会社日の出", "横浜第二営業所"),
        ("㈱日の出大阪第二営業所", "株式会社日の出", "大阪第二営業所"),
        ("株式會社日の出 本社 営業部", "株式会社日の出", "本社 営業部"),
        ("Acme GmbH, Munich Office", "Acme GmbH", "Munich Office"),
        ("Hinode Corp. Osaka Branch", "Hinode Corp.", "Osaka Branch"),
        ("株式会社本社", "株式会社本社", None),
        ("大阪支店", "大阪支店", None),
        ("有限会社さくら工場", "有限会社さくら工場", None),
        ("株式会社東京製作所", "株式会社東京製作所", None),
    ],
)
def test_a_branch_is_told_from_its_firm(written, firm, site):
    assert split_site(written) == (firm, site)


@pytest.mark.parametrize(
    "written",
    ["㈱髙﨑電機", "髙﨑電機株式会社", "高崎電機 (株)", "株式會社高﨑電機", "高崎電機株式会社", "たかさき電機"],
)
def test_spellings_of_one_firm_have_one_key(written):
    key = name_key(written)
    assert key == name_key("たかさき電機" if "た" in written else "株式会社高崎電機")


def test_legal_forms_are_told_apart_and_western_ones_are_none():
    assert [legal_form(name) for name in ("㈱山田", "山田有限会社", "株式會社山田", "Yamada K.K.")] == [
        "株式会社",
        "有限会社",
        "株式会社",
        None,
    ]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("東京", "JP-13"),
        ("京都府", "JP-26"),
        ("Ōsaka", "JP-27"),
        ("Tokyo-to", "JP-13"),
        ("北海道", "JP-01"),
        ("Bayern", None),
    ],
)
def test_prefectures_are_known_in_both_languages(written, code):
    assert prefecture(written) == code


def test_what_a_lead_tells_is_not_shown_where_it_is_logged():
    shown = repr(asked({"company": "日の出工業"}, "+81312345678"))
    assert "日の出" not in shown
    assert "12345678" not in shown
