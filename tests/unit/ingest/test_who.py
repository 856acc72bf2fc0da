"""Whom an event names, and which account."""

from __future__ import annotations

import orjson
import pytest

from shared.kit.person import reveal
from shared.schemas.touches import Touch

LEAD = "11111111-1111-5111-8111-111111111111"
TARO = {"phone": "090-1234-5678", "name": "山田 太郎"}


def kinds(drafts):
    return [known.kind for made in drafts for known in made.identities.strong]


def only(read, call, body, policy=None):
    found = read(call, body, policy)
    assert not found.refused, found.refused
    (made,) = found.drafts
    return made


def test_identifiers_count_in_the_order_of_their_strength(read):
    made = only(
        read,
        "identify",
        {"userId": "u", "externalId": "HubSpot: 123", "traits": TARO | {"email": "taro@hinode.example"}},
    )
    assert kinds([made]) == ["user", "external", "email", "phone"]
    assert made.identities.chief().kind == "user"


@pytest.mark.parametrize("external", ["123", ":1", "hubspot:", " : "])
def test_an_external_id_names_its_system(read, external):
    assert kinds([only(read, "identify", {"userId": "u", "externalId": external})]) == ["user"]


def test_a_systems_name_is_read_without_case_and_its_id_with(read):
    same = [only(read, "identify", {"externalId": one}) for one in ("HubSpot:aB", "hubspot: aB ")]
    other = only(read, "identify", {"externalId": "hubspot:ab"})
    assert same[0].identities == same[1].identities != other.identities


def test_a_mobile_alone_is_a_lead_with_a_family_name(read):
    one, other = (
        only(read, "identify", {"traits": traits})
        for traits in (TARO, {"phone": "+81 90 1234 5678", "last_name": "山田 様"})
    )
    assert kinds([one]) == ["phone"]
    assert one.identities.strong == other.identities.strong


def test_the_same_mobile_under_another_family_name_is_somebody_else(read):
    one, other = (
        only(read, "identify", {"traits": traits}) for traits in (TARO, {"phone": TARO["phone"], "name": "佐藤 花子"})
    )
    assert one.identities.strong != other.identities.strong


def test_variants_of_a_family_name_are_one(read):
    one, other = (
        only(read, "identify", {"traits": {"phone": TARO["phone"], "last_name": name}}) for name in ("髙﨑", "高崎")
    )
    assert one.identities == other.identities


@pytest.mark.parametrize("number", ["03-1234-5678", "050-1234-5678", "0120-123-456", "0800-123-4567", "+14155552671"])
def test_a_firms_number_identifies_nobody(read, refusal, number):
    traits = TARO | {"phone": number}
    assert kinds([only(read, "identify", {"userId": "u", "traits": traits})]) == ["user"]
    assert refusal("identify", {"traits": traits}) == "no_identity"


@pytest.mark.parametrize("name", ["山田太郎", "Taro Yamada", "", None])
def test_a_mobile_without_a_certain_family_name_identifies_nobody(read, name):
    made = only(read, "identify", {"userId": "u", "traits": TARO | {"name": name}})
    assert kinds([made]) == ["user"]


@pytest.mark.parametrize("desk", ["info", "sales", "soumu", "eigyo", "jimu", "kaikei", "contact", "support", "office"])
def test_a_desk_is_a_lead_that_links_nobody_and_has_no_name(touch, read, desk):
    traits = {
        "email": f"{desk}@hinode.example",
        "name": "山田 太郎",
        "title": "部長",
        "department": "総務部",
        "company": "㈱日の出",
        "message": "見積もりをください",
    }
    made = only(read, "identify", {"anonymousId": "tablet", "traits": traits})
    assert kinds([made]) == ["email"]
    assert made.identities.anonymous is None, "a browser is not linked to a desk"
    wire = Touch.model_validate({"lead_id": LEAD} | orjson.loads(made.body))
    assert reveal(wire.person) == {"email": traits["email"], "free_text": "見積もりをください"}
    assert wire.attributes == {
        "company": "株式会社日の出",
        "domain": "hinode.example",
        "own_domain": True,
        "account": "hinode.example",
    }
    known = touch("identify", {"userId": "u", "traits": traits})
    assert reveal(known.person)["name"] == "山田 太郎", "with an id of their own it is told of one person"


def test_a_desks_address_gives_way_to_a_persons_mobile(read):
    made = only(read, "identify", {"anonymousId": "a", "traits": TARO | {"email": "info@hinode.example"}})
    assert kinds([made]) == ["phone"]
    assert made.identities.anonymous is not None


TRUSTED = {"sources": [{"id": "web", "write_keys": ["key"], "trusted": True}]}


@pytest.mark.parametrize(
    ("traits", "account"),
    [
        ({"email": "taro@tokyo.hinode.co.jp"}, "hinode.co.jp"),
        ({"email": "x@city.sapporo.lg.jp"}, "city.sapporo.lg.jp"),
        ({"email": "x@kanagawa.soumu.go.jp"}, "kanagawa.soumu.go.jp"),
        ({"email": "taro@gmail.com"}, None),
        ({"email": "taro@abc.ocn.ne.jp"}, None),
        ({"email": "taro@docomo.ne.jp"}, None),
        ({"email": "taro@abc.ocn.ne.jp", "法人番号": "７０００－０１２０－５０００２"}, "corporate:7000012050002"),
        ({"email": "taro@hinode.co.jp", "corporateNumber": 7000012050002}, "corporate:7000012050002"),
        ({"email": "taro@hinode.co.jp", "corporate_number": "7000012050003"}, "hinode.co.jp"),
        ({"email": "taro@club.example"}, None),
        ({}, None),
    ],
)
def test_the_account_is_told_by_the_strongest_of_what_is_said(touch, traits, account):
    made = touch("identify", {"traits": traits}, {"free_mail_domains": ["club.example"]})
    assert made.attributes.get("account") == account


def test_a_group_is_an_account_of_a_trusted_sender_alone(touch):
    group = {"groupId": "g-1", "traits": {"name": "日の出"}}
    assert touch("group", group, TRUSTED).attributes["account"] == "group:g-1"
    assert "account" not in touch("group", group).attributes
    within = {"event": "x", "context": {"groupId": 7}}
    assert touch("track", within, TRUSTED).attributes["account"] == "group:7"
    number = {"groupId": "g-1", "traits": {"name": "日の出", "corporate_number": "7000012050002"}}
    assert touch("group", number, TRUSTED).attributes["account"] == "corporate:7000012050002"
    mail = {"userId": "u", "context": {"groupId": "g-1"}, "traits": {"email": "a@hinode.jp"}}
    assert touch("identify", mail, TRUSTED).attributes["account"] == "group:g-1"


@pytest.mark.parametrize("group", ["null", "undefined", "", "taro@x.jp", 1.5, True, {}, []])
def test_what_means_no_group_is_none(touch, group):
    made = touch("track", {"event": "x", "context": {"groupId": group}}, TRUSTED)
    assert "account" not in made.attributes


def test_who_exchanged_the_card_and_how_it_was_ranked_travel(touch):
    said = {"exchanged_by": "sato.k", "rank": "要連絡", "email": "taro@hinode.example"}
    made = touch("track", {"event": "Trade Fair Card Scanned", "properties": said})
    assert (made.attributes["exchanged_by"], made.attributes["rank"]) == ("sato.k", "contact")
    named = touch("track", {"event": "x", "properties": {"名刺交換者": "佐藤 健", "rank": 3}})
    assert not {"exchanged_by", "rank"} & named.attributes.keys(), "an id, not a name; a word, not a position"


@pytest.mark.parametrize("named", ["rep_id", "repId", "担当者ID"])
def test_the_rep_who_took_part_travels_by_id_and_never_by_name(touch, named):
    assert touch("track", {"event": "Call Connected", "properties": {named: "sato.k"}}, TRUSTED).rep_id == "sato.k"
    assert touch("track", {"event": "Call Connected", "properties": {named: "佐藤 健"}}, TRUSTED).rep_id is None
    assert touch("track", {"event": "Call Connected"}, TRUSTED).rep_id is None
