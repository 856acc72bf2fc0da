"""What differs between two versions of a policy, thing by thing."""

from __future__ import annotations

from pathlib import Path

from baton.policies.diffs import differences
from baton.policies.reading import read_all

RULES = [
    {"id": "large", "when": {"lead.employees": {"gte": 1000}}, "pool": "enterprise", "label": {"en": None}},
    {"id": "all", "when": {}, "pool": "field", "label": {"en": "All"}},
]
POOLS = [{"id": "field", "members": [{"rep": "sato", "weight": 2}, {"rep": "tanaka", "weight": 1}]}]


def test_a_policy_against_itself_has_no_difference():
    for policies in read_all(Path("policies")):
        for body in policies.bodies.values():
            assert differences(body, body) == []


def test_a_changed_value_is_told_from_what_to_what_by_the_ids_around_it():
    members = [{"rep": "sato", "weight": 2}, {"rep": "tanaka", "weight": 3}]
    told = differences({"pools": POOLS}, {"pools": [POOLS[0] | {"members": members}]})
    assert told == ["~ pools.field.members.tanaka.weight: 1 → 3"]
    assert differences({"gate": {"mql": ["A1"]}}, {"gate": {"mql": ["A1", "B1"]}}) == ["~ gate.mql: [A1] → [A1, B1]"]


def test_what_comes_and_what_goes_is_told_without_what_it_leaves_out():
    new = {"id": "german", "when": {"lead.language": {"eq": "de"}}, "pool": "languages", "label": {"en": None}}
    told = differences({"rules": RULES}, {"rules": [new, RULES[1]]})
    assert told == ["- rules.large", "+ rules.german: {when: {lead.language: {eq: de}}, pool: languages}"]
    assert differences({"requires": []}, {"requires": [{"id": "x", "skills": ["a"]}]}) == [
        "+ requires.x: {skills: [a]}"
    ]
    assert differences({"manager": None}, {"manager": "chief"}) == ["+ manager: chief"]
    assert differences({"manager": "chief"}, {"manager": None}) == ["- manager: chief"]


def test_another_order_of_rules_is_a_change():
    assert differences({"rules": RULES}, {"rules": RULES[::-1]}) == ["~ rules, their order: large, all → all, large"]


def test_a_policy_that_was_not_there_is_new_as_a_whole():
    assert differences(None, {"rules": RULES}) == ["+ all of it"]


def test_a_long_value_is_cut():
    [told] = differences({"text": "a"}, {"text": "b" * 500})
    assert told.endswith("…")
    assert len(told) < 140
