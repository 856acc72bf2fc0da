"""A fault of one policy is told with file, line, what is wrong and the nearest thing that would be right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Edit = Callable[[str, str, str], None]
Faults = Callable[[], list[str]]
LineOf = Callable[[str, str], int]


def test_the_demo_policies_are_good(faults: Faults) -> None:
    assert faults() == []


@pytest.mark.parametrize(
    ("kind", "old", "new", "told"),
    [
        ("routing", "pool: field-global", "pol: field-global", "there is no field `pol` here. Did you mean `pool`?"),
        ("routing", "pool: field-global", "label_x: {}", "the field `pool` is missing"),
        (
            "routing",
            "lead.language: {in: [de, fr, es, pt, zh]}",
            "lead.langage: {in: [de]}",
            "there is no field `lead.langage` here. Did you mean `lead.language`?",
        ),
        (
            "routing",
            "lead.language: {in: [de, fr, es, pt, zh]}",
            "lead.language: {is: de}",
            "there is no operator `is`.",
        ),
        (
            "routing",
            "lead.language: {in: [de, fr, es, pt, zh]}",
            "lead.language: {in: de}",
            "`in` takes a list",
        ),
        (
            "routing",
            "lead.language: {in: [de, fr, es, pt, zh]}",
            "lead.employees: {gte: many}",
            "`gte` takes a number, not 'many'",
        ),
        (
            "routing",
            "{code: absent, kind: decline, effect: reroute,",
            "{code: absent, kind: decline, effect: rerout,",
            "Did you mean `reroute`?",
        ),
        ("teams", "weight: 2}, {rep: tanaka", "weight: 0}, {rep: tanaka", "`weight`: input should be greater than"),
        (
            "teams",
            "capacity: 400, languages: [de",
            "capacity: lots, languages: [de",
            "is to be a whole number, not `lots`",
        ),
        ("qualification", "mql: [A1, A2, B1]", "mql: [A1, A5]", "a grade is a letter A to D and a band 1 to 4"),
        ("sla", "accept: 900", "accept: 0", "`accept`: input should be greater than or equal to 1, not `0`"),
        ("scoring", "per: once, group: email", "per: daily, group: email", "is to be a number of days such as `1d`"),
        (
            "scoring",
            "cap: 100\n  groups",
            "cap: 100\n  group",
            "there is no field `group` here. Did you mean `groups`?",
        ),
        ("lifecycle", "- id: visitor", "- id: Visitor!", "an id has up to 64 of"),
        ("sources", "trusted: true", "trusted: maybe", "is to be true or false, not `maybe`"),
    ],
)
def test_a_fault_is_told_on_its_line_with_the_nearest_valid_name(
    kind: str, old: str, new: str, told: str, edit: Edit, faults: Faults, line_of: LineOf
) -> None:
    line = line_of(kind, old.split("\n")[-1].strip())
    edit(kind, old, new)
    found = faults()
    matching = [fault for fault in found if told in fault]
    assert matching, f"{told!r} is not told in {found}"
    where = int(matching[0].split(":")[1])
    assert matching[0].startswith(f"policies/northstar/{kind}.yaml:")
    assert abs(where - line) <= (4 if "missing" in told else 0), f"line {where} is told, and {line} was spoilt"


def test_all_faults_of_all_files_are_told_at_once(edit: Edit, faults: Faults) -> None:
    edit("routing", "pool: field-global", "pol: field-global")
    edit("sla", "accept: 900", "accept: 0")
    edit("scoring", "kind: scoring", "kind: scorn")
    files = {fault.split(":")[0].rpartition("/")[2] for fault in faults()}
    assert files == {"routing.yaml", "sla.yaml", "scoring.yaml"}


def test_a_policy_that_is_no_mapping_is_refused(demo: Path, faults: Faults) -> None:
    (demo / "sla.yaml").write_text("- a\n- b\n")
    assert faults() == ["policies/northstar/sla.yaml:1: a policy is a mapping of fields, such as `kind: routing`"]


def test_a_missing_file_is_refused(demo: Path, faults: Faults) -> None:
    (demo / "teams.yaml").unlink()
    assert faults()[0].startswith("policies/northstar/teams.yaml: is missing: a tenant has all of sources.yaml")


def test_all_missing_files_are_told_in_one_message(demo: Path, faults: Faults) -> None:
    for kind in ("sla", "teams", "sources", "pipeline"):
        (demo / f"{kind}.yaml").unlink()
    (told,) = faults()
    assert told.startswith(
        "policies/northstar: sources.yaml, teams.yaml and sla.yaml are missing: a tenant has all of sources"
    )
    assert "pipeline" not in told


def test_a_file_of_no_known_kind_is_refused(demo: Path, faults: Faults) -> None:
    (demo / "routng.yaml").write_text("kind: routing\n")
    assert faults() == [
        "policies/northstar/routng.yaml: there is no kind of policy of this name. Did you mean `routing.yaml`?"
    ]
