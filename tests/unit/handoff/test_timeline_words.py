"""What a timeline says, in both languages."""

from __future__ import annotations

import pytest

from services.handoff.people.approval.route import ITEMS
from services.handoff.people.history import OF_PERSON, of_person
from services.handoff.people.stakeholder import Stakeholder
from services.handoff.pipeline.deal import FIELDS
from services.handoff.timeline import fields
from services.handoff.timeline.words import say


def ja(what, **facts):
    return say(what, "佐藤", facts, {})["ja"]


def en(what, **facts):
    return say(what, "Sato", facts, {})["en"]


def test_every_field_of_a_deal_has_words():
    assert set(FIELDS) == fields.DEAL.keys()


def test_every_field_of_a_person_has_words():
    whole = Stakeholder(
        "y", dict.fromkeys(OF_PERSON, "x") | {"free_text": "x"}, influence=1, reports_to="z", moved_at=1, left=True
    )
    assert of_person(whole).keys() | set(OF_PERSON) <= fields.PERSON.keys()


def test_every_part_of_the_material_for_an_approval_has_words():
    assert {f"pack.{item}" for item in ITEMS} == {name for name in fields.APPROVAL if name.startswith("pack.")}


def test_what_was_changed_is_told_in_words():
    changed = ["amount", "currency", "expected_close", "of_tomorrow"]
    assert ja("deal-changed", fields=changed) == "佐藤が案件を更新: 金額、通貨、受注予定日、of_tomorrow"
    assert en("deal-changed", fields=changed) == "Sato changed the deal: amount, currency, expected close, of_tomorrow"


@pytest.mark.parametrize(
    ("kind", "outcome", "said"),
    [
        ("call_connected", "connected", ("Sato: spoke on the phone", "佐藤: 通話")),
        (
            "call_connected",
            "appointment",
            ("Sato: spoke on the phone (an appointment was made)", "佐藤: 通話(アポ獲得)"),
        ),
    ],
)
def test_what_came_of_a_call_is_told_once(kind, outcome, said):
    facts = {"type": kind, "outcome": outcome}
    assert (en("activity-logged", **facts), ja("activity-logged", **facts)) == said


def test_a_task_is_told_with_its_day():
    assert ja("task-created", task="call", due_on="2026-11-24") == "佐藤の予定: 架電(期日 2026-11-24)"
    assert en("task-created", task="call", due_on="2026-11-24") == "Sato is to do a call by 2026-11-24"
    assert ja("task-created", task="call") == "佐藤の予定: 架電"
