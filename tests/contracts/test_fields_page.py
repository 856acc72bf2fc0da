"""docs/fields.md names all that may stand in a `when`, and every example on it could be applied."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from baton.contracts import ROOT, files
from baton.contracts.__main__ import drifted
from baton.contracts.fields_page import EXAMPLES, LISTS, OWN, PLACES, SAMPLES, places
from baton.policies import PolicySet, read
from baton.policies.word_checks import CLOSED, FORMS, closed_sets, compared
from shared.schemas import catalogue, conditions
from shared.schemas.policies import KINDS
from shared.schemas.vocabulary import TOUCH_TYPES
from shared.words import fields as words

PAGE = (ROOT / "docs/fields.md").read_text()
ROWS = [[cell.strip() for cell in line[1:-1].split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
BY_NAME = {row[0]: row for row in ROWS}
KNOWN = {name: kind for place in PLACES.values() for name, kind in place.catalogue.items()}
READ = YAML(typ="safe").load  # as policies are read: YAML 1.2
SHOWN = [span for row in ROWS for span in re.findall(r"`(\{.+?\})`", "|".join(row))]
BESIDES = {  # conditions that no tenant of the demo has
    "qualification": {
        "gate": {"requires": [{"id": "known", "when": {}, "otherwise": "nurture"}]},
        "nurture": {"scenarios": [{"id": "all", "when": {}}]},
    }
}
TENANTS = ("northstar", "hinode")


@pytest.fixture(scope="module")
def tenants() -> list[PolicySet]:
    return [read(ROOT / "policies" / tenant) for tenant in TENANTS]


def test_the_page_is_one_of_the_generated_files() -> None:
    assert files()["docs/fields.md"] == PAGE


def test_a_field_that_is_new_in_the_catalogue_is_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "docs/fields.md" not in drifted()
    monkeypatch.setitem(catalogue.ROUTING_FIELDS, "lead.shoe_size", int)
    assert "docs/fields.md" in drifted()


def test_every_touch_type_stands_there_with_both_its_names() -> None:
    for code, word in TOUCH_TYPES.items():
        assert BY_NAME[f"`{code}`"] == [f"`{code}`", word.en, word.ja]


def test_every_field_stands_there_with_its_names_values_and_files() -> None:
    assert words.FIELDS.keys() == KNOWN.keys()
    for name in KNOWN:
        row = BY_NAME[f"`{name}`"]
        assert row[1:3] == list(words.FIELDS[name])
        assert all(row[3:5])
        told = set(re.findall(r"[a-z]+(?= \(|,|$)", re.sub(r"\([^)]*\)", "", row[4]).replace(" ,", ",").strip()))
        assert told == {
            kind for short, found in places().items() if name in PLACES[short].catalogue for kind, _ in found
        }


def test_every_operator_stands_there_with_both_its_meanings() -> None:
    assert tuple(words.OPERATORS) == conditions.OPERATORS
    assert {*conditions.OPERATORS, "all", "any", "not"} == EXAMPLES.keys() == {*words.OPERATORS, *words.JOINTS}
    for name, example in EXAMPLES.items():
        assert BY_NAME[f"`{name}`"][-1] == f"`{example}`"
        assert f"{name}:" in example


def test_every_value_of_a_closed_field_stands_there_as_text() -> None:
    listed = {name: codes for _, codes, names in LISTS for name in names}
    for name, values in CLOSED.items():
        if name in listed:
            assert set(values) == listed[name].keys()
            assert all(f"`{code}`" in BY_NAME for code in values)
        else:
            assert [READ(code) for code in re.findall(r"`(.+?)`", BY_NAME[f"`{name}`"][3])] == list(values)


def test_what_the_tenants_own_policies_name_is_where_the_page_says(tenants: list[PolicySet]) -> None:
    for tenant in tenants:
        closed = closed_sets(tenant.checked)
        assert closed.keys() - CLOSED.keys() == OWN.keys()
        for name, (kind, paths, besides) in OWN.items():
            told = [value for path in paths for value in _at(tenant.bodies.get(kind, {}), _steps(path))]
            assert {*told, *besides} == set(closed[name]), name


def test_samples_are_of_the_form_that_their_fields_have() -> None:
    assert FORMS.keys() <= SAMPLES.keys()
    assert all(read_form(SAMPLES[name]) == SAMPLES[name] for name, (_, read_form) in FORMS.items())


@pytest.mark.parametrize("example", sorted(set(SHOWN)))
def test_every_example_could_be_applied(example: str, tenants: list[PolicySet]) -> None:
    raw = READ(example)
    given = [short for short, place in PLACES.items() if place.example == example]
    for short in given or ["routing"]:
        _could_stand(raw, short, tenants)
    closed = closed_sets(tenants[0].checked)
    assert [value for _, name, value in compared(raw, ()) if value not in closed.get(name, (value,))] == []


def test_all_examples_are_shown() -> None:
    assert set(SHOWN) == {*EXAMPLES.values(), *(place.example for place in PLACES.values())}


@pytest.mark.parametrize("short", PLACES)
def test_a_field_can_stand_where_the_page_says_and_a_stranger_cannot(short: str, tenants: list[PolicySet]) -> None:
    for name in PLACES[short].catalogue:
        _could_stand({name.replace("*", "size"): {"exists": True}}, short, tenants)
    with pytest.raises(ValidationError, match="there is no field"):
        _could_stand({"lead.shoe_size": {"exists": True}}, short, tenants)


def _could_stand(raw: Any, short: str, tenants: list[PolicySet]) -> None:
    """Some tenant's policy is good with `raw` in the place of its own first condition over the catalogue."""
    tried = 0
    for tenant in tenants:
        for kind, path in places()[short]:
            body = copy.deepcopy(dict(tenant.bodies[kind]))
            for part, more in BESIDES.get(kind, {}).items():
                body[part] = {**body.get(part, {}), **copy.deepcopy(more)}
            *steps, last = _steps(path)
            for around in _at(body, steps):
                if last in around:
                    around[last] = raw
                    KINDS[kind].model_validate(body)
                    tried += 1
                    break
    assert tried, f"no tenant has a condition of {short}"


def _steps(path: str) -> list[str]:
    return path.replace("[]", ".[]").split(".")


def _at(body: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield body
    elif steps[0] == "[]":
        for item in body:
            yield from _at(item, steps[1:])
    elif isinstance(body, dict) and body.get(steps[0]) is not None:
        yield from _at(body[steps[0]], steps[1:])
