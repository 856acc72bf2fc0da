"""What is missing of a lead before anybody can work it."""

from __future__ import annotations

import pytest

from services.ingest.domain.completeness import PARTS, missing

PERSON = {"name": "山田 太郎", "email": "taro@hinode.example", "title": "部長", "free_text": "見積"}
YES = [{"channel": "email", "purpose": "marketing", "granted": True, "basis": "opt_in"}]


def test_a_lead_that_can_be_worked_lacks_nothing():
    assert missing(PERSON, {"company": "日の出"}, {}, YES) == ()


def test_of_nothing_everything_is_missing():
    assert missing({}, {}) == PARTS


@pytest.mark.parametrize(
    ("person", "attributes", "evidence", "lacks"),
    [
        (PERSON | {"name": None}, {"company": "日の出"}, {}, ("name",)),
        (PERSON | {"name": None, "last_name": "山田"}, {"company": "日の出"}, {}, ()),
        (PERSON, {}, {}, ("company",)),
        (PERSON, {"own_domain": True, "domain": "hinode.example"}, {}, ()),
        (PERSON, {"own_domain": False, "domain": "gmail.com"}, {}, ("company",)),
        (PERSON, {"corporate_number": "7000012050002"}, {}, ()),
        (PERSON | {"email": None}, {"company": "日の出"}, {}, ("contact",)),
        (PERSON | {"email": None, "phone": "+81312345678"}, {"company": "日の出"}, {}, ()),
        (PERSON | {"title": None}, {"company": "日の出"}, {}, ("role",)),
        (PERSON | {"title": None}, {"company": "日の出", "department": "it"}, {}, ()),
        (PERSON | {"free_text": None}, {"company": "日の出"}, {}, ("need",)),
        (PERSON | {"free_text": None}, {"company": "日の出"}, {"N1": "stated"}, ()),
    ],
)
def test_each_part_may_be_told_in_more_than_one_way(person, attributes, evidence, lacks):
    assert missing(person, attributes, evidence, YES) == lacks


def test_a_no_to_being_contacted_is_an_answer_too():
    assert "consent" not in missing(PERSON, {}, {}, [YES[0] | {"granted": False}])
    assert "consent" in missing(PERSON, {}, {}, [])
