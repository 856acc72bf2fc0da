"""From a file's cell through ingest to what readers see: the touch, its person, and the routing rule that holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from baton.importing import rules
from baton.importing.joining import message
from services.ingest.domain.envelope import open_body
from services.ingest.domain.touch import complete
from services.ingest.reading import read_body
from services.ingest.sources import Sources
from services.router.domain.facts import Scored
from shared.schemas import conditions
from shared.schemas.catalogue import ROUTING_FIELDS
from shared.schemas.touches import Touch

RECEIVED_AT = 1_795_000_000_000
HINODE = rules.in_files("hinode", Path(__file__).parents[4] / "policies")
BY_KATO = conditions.parse({"lead.exchanged_by": {"eq": "kato"}, "lead.rank": {"eq": "contact"}}, ROUTING_FIELDS)


def _touch(card: Any) -> Touch:
    sources = Sources(b"a master secret of 32 bytes or more", {"HINODE_IMPORT_KEY": "key"})
    sources.load("hinode", HINODE.sources)
    known = sources.find("key")
    assert known
    body = orjson.loads(orjson.dumps({"batch": [message(card)]}))
    read = read_body(open_body("batch", body), known.sender, RECEIVED_AT, suspect=False)
    assert not read.refused, read.refused
    return Touch.model_validate_json(complete("11111111-1111-5111-8111-111111111111", read.drafts[0].body))


def _routed_by(card: Any) -> bool:
    touch = _touch(card)
    scored = Scored("B1", 50_000, 60_000, RECEIVED_AT, attributes=dict(touch.attributes))
    return BY_KATO.holds(scored.facts())


@pytest.mark.parametrize(
    ("staff", "rank", "routed"),
    [("加藤 由美", "要連絡", True), ("陳", "要連絡", False), ("加藤 由美", "情報収集", False)],
)
def test_a_rule_may_ask_who_exchanged_the_card(
    good_mapping: str, planned: Any, staff: str, rank: str, routed: bool
) -> None:
    row = {"メール": "taro@aozora.example", "氏名": "青空 太郎", "担当": staff, "ランク": rank}
    plan = planned(row, mapping=good_mapping.replace("{中村さん: nakamura}", "{陳: chen}"))
    assert _routed_by(plan.cards[0]) is routed


def test_a_card_becomes_a_touch_of_the_fair_with_its_person_sealed(planned: Any) -> None:
    row = {
        "メール": "taro@aozora.example",
        "氏名": "青空 太郎",
        "会社": "㈱青空",
        "予算": "確保済み",
        "メモ": "来週訪問",
        "電話": "9012345678",
    }
    touch = _touch(planned(row).cards[0])
    assert (touch.type, touch.campaign, touch.channel) == ("trade_fair_card_scanned", "monozukuri-2026", "trade_fair")
    assert touch.trusted
    assert touch.person
    assert touch.person.fields["free_text"] == "来週訪問"
    assert touch.person.fields["phone"] == "+819012345678"


def test_a_paper_card_without_an_address_becomes_a_touch_of_somebody(planned: Any) -> None:
    touch = _touch(planned({"氏名": "林 直美", "会社": "はやし工業", "電話": "661234567"}).cards[0])
    assert touch.identity_kind == "external"


@pytest.mark.parametrize(("said", "granted"), [("希望する", True), ("配信停止", False), ("いいえ", False)])
def test_a_consent_column_becomes_a_consent(good_mapping: str, planned: Any, said: str, granted: bool) -> None:
    mapping = good_mapping.replace("memo: メモ", "consents: {mail_consent: {column: メモ, values: {配信停止: 'no'}}}")
    row = {"メール": "taro@aozora.example", "氏名": "青空 太郎", "メモ": said}
    plan = planned(row, mapping=mapping.replace("trade_fair_card_scanned", "identify"))
    (consent,) = _touch(plan.cards[0]).consents
    assert (consent.channel, consent.granted) == ("email", granted)


def test_a_card_given_at_a_fair_rests_on_the_card(planned: Any) -> None:
    touch = _touch(planned({"メール": "taro@aozora.example", "氏名": "青空 太郎"}).cards[0])
    assert {(consent.channel, consent.basis) for consent in touch.consents} == {("email", "card"), ("phone", "card")}
