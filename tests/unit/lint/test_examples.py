"""The lead that a finding shows proves it: rules of the policy, tried on it one after the other, do what the finding says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from baton.lint import lint
from baton.policies.problems import Problem
from baton.policies.reading import valid
from shared.schemas.catalogue import ROUTING_FIELDS
from shared.schemas.conditions import parse

Edit = Callable[[str, str, str], None]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = "    when: {lead.language: {in: [de, fr]}}\n    pool: languages"


def fitting(base: Path, leg: str, facts: Mapping[str, Any]) -> list[str]:
    """Ids of the rules that hold, the first of which decides."""
    rules = valid(base, NOW).checked.routing.rules
    return [rule.id for rule in rules if leg in rule.legs and parse(rule.when, ROUTING_FIELDS).holds(facts)]


def found(base: Path, code: str) -> list[Problem]:
    problems = [problem for problem in lint(base, NOW) if problem.code == code]
    assert problems
    return problems


def leg_of(problem: Problem) -> str:
    (leg,) = set(re.findall(r"leg `(is|fs)`", problem.message))
    return str(leg)


@pytest.mark.parametrize(
    "when",
    [
        "{lead.country: {eq: JP}}",
        "{not: {lead.country: {eq: JP}}}",
        "{lead.employees: {exists: true}}",
        "{any: [{lead.employees: {gte: 300}}, {lead.employees: {lt: 100}}]}",
        "{score.fit_grade: {in: [A, B]}}",
        "{any: [{score.grade: {in: [A1, A2, A3, A4]}}, {score.fit: {lt: 45}}]}",
        "{not: {all: [{bant.need: {eq: true}}, {bant.met: {gte: 3}}]}}",
        "{not: {lead.domain: {suffix: .jp, contains: kikai}}}",
        "{any: [{lead.class: {ne: fair}}, {lead.rank: {exists: true}}]}",
    ],
)
def test_a_lead_that_no_rule_takes_is_taken_by_none(when: str, edit: Edit, base: Path) -> None:
    edit("routing", "    legs: [is]\n    when: {}", f"    legs: [is]\n    when: {when}")
    (problem,) = found(base, "no-catch-all")
    assert problem.example is not None
    assert fitting(base, leg_of(problem), problem.example) == []


@pytest.mark.parametrize(
    "when",
    [
        "{any: [{score.grade: {prefix: A}}, {score.fit: {lt: 71}}, {score.fit_grade: {in: [C, D]}}]}",
        "{any: [{lead.country: {eq: JP}}, {lead.country: {ne: jp}}]}",
        "{any: [{bant.met: {lt: 2}}, {bant.need: {eq: true}}, {bant.met: {gte: 2}}]}",
        "{not: {lead.employees: {gte: 10, lt: 10}}}",
        "{any: [{lead.class: {in: [hand_raise, fair]}}, {lead.class: {eq: score}}]}",
        "{any: [{score.fit_grade: {eq: D}}, {score.fit_grade: {ne: D}}]}",
        "{any: [{framework.enough: {eq: true}}, {framework.met: {lt: 3}}]}",
    ],
)
def test_rules_that_take_all_without_a_last_one_are_nothing_to_remark(when: str, edit: Edit, base: Path) -> None:
    edit("routing", "    legs: [is]\n    when: {}", f"    legs: [is]\n    when: {when}")
    assert lint(base, NOW) == []


@pytest.mark.parametrize(
    ("code", "new"),
    [
        ("shadowed-rule", "    when: {}\n    pool: languages"),
        (
            "shadowed-rule",
            "    legs: [fs]\n    when: {lead.employees: {gt: 5000}, lead.country: {eq: jp}}\n    pool: field",
        ),
        ("shadowed-part", f"{OLD}\n  - id: german\n    when: {{lead.language: {{in: [de, en]}}}}\n    pool: field"),
        (
            "shadowed-part",
            f"{OLD}\n  - id: more\n"
            "    when: {any: [{lead.language: {eq: FR}}, {lead.level: {eq: top}}]}\n    pool: field",
        ),
    ],
)
def test_a_lead_of_a_rule_in_the_shadow_is_taken_by_one_before_it(code: str, new: str, edit: Edit, base: Path) -> None:
    edit("routing", OLD, new)
    for problem in found(base, code):
        assert problem.example is not None
        shadowed = re.findall(r"rule `([^`]+)`", problem.message)[0]
        fit = fitting(base, leg_of(problem), problem.example)
        assert shadowed in fit
        assert f"`{fit[0]}`" in problem.message.split(":")[-1]
        assert fit[0] != shadowed


@pytest.mark.parametrize("languages", ["{in: [de, it]}", "{ne: ja}", "{exists: true}", "{prefix: e}"])
def test_a_lead_whose_language_nobody_speaks_comes_to_the_pool_by_that_rule(
    languages: str, edit: Edit, base: Path
) -> None:
    edit("routing", "lead.language: {in: [de, fr]}", f"lead.language: {languages}")
    for problem in found(base, "language-nobody-speaks"):
        assert problem.example is not None
        assert fitting(base, leg_of(problem), problem.example)[0] == "languages"
        assert problem.example["lead.language"] not in ("de", "fr")


def test_languages_that_an_earlier_rule_takes_or_somebody_speaks_are_no_example(edit: Edit, base: Path) -> None:
    edit("routing", "in: [de, fr]", "in: [it, fr, pt]")
    edit(
        "routing",
        "  - id: languages\n",
        "  - id: italian\n    when: {lead.language: {eq: it}}\n    pool: field\n  - id: languages\n",
    )
    assert [problem.example for problem in found(base, "language-nobody-speaks")] == [{"lead.language": "pt"}] * 2


def test_an_example_has_no_more_than_it_needs(edit: Edit, base: Path) -> None:
    edit("routing", "    legs: [is]\n    when: {}", "    legs: [is]\n    when: {lead.country: {exists: true}}")
    assert [p.example for p in found(base, "no-catch-all")] == [{}]
    edit("routing", "{lead.country: {exists: true}}", "{lead.country: {ne: JP}}")
    assert [p.example for p in found(base, "no-catch-all")] == [{"lead.country": "JP"}]


def test_skills_that_different_people_have_serve_no_lead_that_asks_for_both(edit: Edit, base: Path) -> None:
    edit("teams", "{id: sato, name: Sato,", "{id: sato, name: Sato, skills: [Factory],")
    edit("teams", "{id: mori, name: Mori,", "{id: mori, name: Mori, skills: [finance],")
    asks = (
        "[{when: {lead.industry: {eq: 'jsic:E'}}, skills: [factory]},"
        " {when: {score.fit_grade: {eq: A}, lead.country: {ne: JP}}, skills: [FINANCE]}]"
    )
    edit("teams", "{id: field, members:", f"{{id: field, requires: {asks}, members:")
    (problem,) = found(base, "skill-nobody-has")
    assert problem.example is not None
    assert "leads that ask for `factory`, `FINANCE` on leg `fs`, which nobody there has together" in problem.message
    assert fitting(base, "fs", problem.example)[0] == "rest-field"
    assert problem.example["lead.industry"] == "jsic:E"
    assert problem.example["score.fit_grade"] == "A"
    edit("teams", "skills: [finance]", "skills: [finance, factory]")
    assert lint(base, NOW) == []


def test_who_speaks_the_language_and_who_has_the_skill_have_to_be_one(edit: Edit, base: Path) -> None:
    edit("teams", "{id: ken, name: Ken,", "{id: ken, name: Ken, skills: [factory],")
    edit("teams", "members: [{rep: lena}]}", "members: [{rep: lena}, {rep: ken}], requires: [{skills: [factory]}]}")
    for problem in found(base, "skill-nobody-has"):
        assert problem.example is not None
        assert problem.example["lead.language"] in ("de", "fr")
        assert "that ask for `factory` and `" in problem.message
