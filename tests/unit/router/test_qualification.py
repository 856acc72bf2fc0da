"""Gate and BANT."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.router.domain.facts import Answer, Scored
from services.router.domain.qualification import DAY, bant, cell, gate, leg
from shared.schemas.scores import LeadScored


@pytest.mark.parametrize(
    ("grade", "verdict"),
    [("A1", "mql"), ("B1", "mql"), ("A3", "inside_sales_check"), ("C1", "inside_sales_check"), ("D4", "nurture")],
)
def test_the_grade_decides_by_its_cell(playbook, scored, grade, verdict):
    assert gate(scored(grade), playbook.qualification.gate).verdict == verdict


@pytest.mark.parametrize(
    ("grade", "verdict", "by"),
    [
        ("C4", "mql", "hand_raise"),
        ("D4", "inside_sales_check", "hand_raise_below_fit"),
        ("A1", "mql", "hand_raise"),
    ],
)
def test_a_hand_raise_is_an_mql_at_any_band_if_the_fit_is_enough(playbook, scored, grade, verdict, by):
    gated = gate(scored(grade, raised="demo_requested"), playbook.qualification.gate)
    assert (gated.verdict, gated.by) == (verdict, by)


@pytest.mark.parametrize(("field", "by"), [("is_test", "test"), ("internal", "internal")])
def test_who_was_only_tested_with_or_is_one_of_ourselves_is_never_ripe(playbook, scored, field, by):
    told = replace(scored("A1", raised="demo_requested"), **{field: True})
    gated = gate(told, playbook.qualification.gate)
    assert (gated.by, gated.verdict, gated.never) == (by, "nurture", True)
    assert told.digest() != scored("A1", raised="demo_requested").digest(), "when that changes, it is worth a decision"


def test_what_is_only_shown_or_scored_by_time_does_not_change_the_digest_and_a_grade_does():
    score = {
        "tenant": "t",
        "lead_id": "l",
        "version": (1, 1, 5, 50),
        "as_of": 50,
        "policy": {"sequence": 1, "hash": "h"},
        "fit": {"total": 50_000},
        "engagement": {"total": 40_000},
        "grade": "B2",
    }
    shown = {
        "version": (1, 1, 5, 90),
        "as_of": 90,
        "engagement": {"total": 31_000, "parts": [{"rule_id": "demo", "given": 31_000, "kept": 31_000}]},
        "temperature": "warm",
        "trend": "falling",
        "better": [{"grade": "A2", "by": [{"rule_id": "level", "points": 20_000, "attribute": "lead.level"}]}],
        "region": "germany",
        "account": "kumo.example",
        "cause": "time",
        "change_id": "c",
    }

    def digest(more):
        return Scored.of(LeadScored.model_validate(score | more)).digest()

    assert digest(shown) == digest({})
    assert digest(shown | {"grade": "B3"}) != digest({})
    assert digest(shown | {"internal": True}) != digest({})


def test_a_hand_raise_from_before_the_last_closing_counts_no_more(playbook, scored):
    score = scored("C4", raised="demo_requested", raised_at=500)
    assert gate(score, playbook.qualification.gate, since=500).verdict == "nurture"
    assert gate(score, playbook.qualification.gate, since=499).verdict == "mql"


def test_a_letter_is_met_by_the_latest_answer_to_any_of_its_questions(playbook, scored):
    policy = playbook.qualification.bant
    found = bant(scored(answers=[("N2", "named", 5)]).answers, policy, now=10)
    assert (found.met, found.facts()["bant.need"]) == (1, True)
    changed_mind = scored(answers=[("T1", "now", 5), ("T1", "next-year", 6)]).answers
    letters = {letter.criterion: letter for letter in bant(changed_mind, policy, now=10).letters}
    assert (letters["timeline"].state, letters["timeline"].answer.code) == ("unmet", "next-year")


def test_of_two_answers_of_one_moment_the_trusted_source_counts(playbook):
    answers = tuple(Answer("T1", code, code, 5, trusted=trusted) for code, trusted in (("now", True), ("never", False)))
    letters = {letter.criterion: letter for letter in bant(answers, playbook.qualification.bant, now=10).letters}
    assert letters["timeline"].state == "met"


def test_an_answer_expires_to_the_millisecond(playbook, scored):
    policy, answers = playbook.qualification.bant, scored(answers=[("T1", "now", 7)]).answers
    end = 7 + 90 * DAY
    assert bant(answers, policy, end - 1).met == 1
    expired = next(letter for letter in bant(answers, policy, end).letters if letter.criterion == "timeline")
    assert (expired.state, expired.expires_at) == ("expired", end)


def test_the_cheapest_missing_question_is_named_the_gentler_first(playbook, scored):
    policy = playbook.qualification.bant
    assert bant((), policy, 10).question.criterion == "need"
    some = scored(answers=[("N1", "stated", 1), ("T1", "never", 1), ("A1", "decides", 1)]).answers
    question = bant(some, policy, 10).question
    assert (question.criterion, question.cost, question.ja) == ("budget", 4, "ご予算は?")
    every = (*some, Answer("B1", "none", "web", 1, trusted=False))
    assert bant(every, policy, 10).question is None, "a question that was answered is not asked again"


def test_field_sales_is_asked_only_with_enough_of_bant(playbook, scored):
    none = bant((), playbook.qualification.bant, 10)
    enough = bant(scored(answers=[("N1", "stated", 1)]).answers, playbook.qualification.bant, 10)
    assert leg("mql", none, returned=False) == "is"
    assert leg("mql", enough, returned=False) == "fs"
    assert leg("mql", enough, returned=True) == "is"
    assert leg("inside_sales_check", enough, returned=False) == "is"


def test_every_grade_has_a_cell_and_what_is_named_nowhere_is_nurture(playbook):
    policy = playbook.qualification.gate
    assert [cell(grade, policy) for grade in ("A1", "B2", "D4")] == ["mql", "inside_sales_check", "nurture"]
