"""What is wrong with a calendar is told with its file and line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from baton.policies import read
from baton.policies.documents import load
from baton.policies.models import validate
from baton.policies.regions import effective, marked
from shared.schemas.policies import RoutingPolicy, TeamsPolicy

ROOT = Path(__file__).parents[3]

Edit = Callable[[str, str, str], None]
Faults = Callable[[], list[str]]
LineOf = Callable[[str, str], int]

GOOD = """kind: teams
calendars:
  - id: tokyo
    label: {ja: 東京, en: Tokyo}
    zone: Asia/Tokyo
    blocks:
      - {open: "09:00", close: "12:00"}
      - {open: "13:00", close: "18:00"}
      - {days: [sat], open: 10:00, close: 24:00}
    holidays: {country: JP}
    presets: [nenmatsu_nenshi, golden_week, kaki_kyugyo]
    days:
      - {first: 10-01, label: {ja: 創立記念日}}
      - {first: 2026-12-28, last: 2026-12-28, hours: [{open: 09:00, close: 12:00}, {open: 13:00, close: 15:00}]}
  - id: anywhere
    blocks: [{open: 09:00, close: 17:00}]
"""
REP = "{id: novak, name: Jan Novak, email: jan.novak@northstar.example, zone: Europe/Prague,"
AWAY = (
    "calendar: anywhere, absences: [{start: 2026-08-10, end: 2026-08-14}],"
    " on_call: [{start: 2026-08-15T10:00, end: 2026-08-15T12:30}],"
)


@pytest.fixture
def calendars(edit: Edit, demo: Path) -> Path:
    """Policies in which two reps have calendars; they are as they should be."""
    edit("teams", "kind: teams\n", GOOD)
    edit("teams", REP, f"{REP} {AWAY}")
    edit("teams", "zone: Asia/Singapore,", "zone: Asia/Singapore, calendar: tokyo,")
    return demo


def test_calendars_that_are_right_have_no_faults_and_no_warnings(calendars: Path) -> None:
    assert {calendar.id for calendar in read(calendars).checked.teams.calendars} == {"tokyo", "anywhere"}
    assert [str(problem) for problem in read(calendars).warnings if problem.file.endswith("teams.yaml")] == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "calendar: tokyo",
            "calendar: tokio",
            "names calendar `tokio`, which `calendars` does not have. Did you mean `tokyo`?",
        ),
        ("zone: Asia/Tokyo\n", "zone: Asia/Tokio\n", "there is no time zone `Asia/Tokio`. Did you mean `Asia/Tokyo`?"),
        (
            "blocks: [{open: 09:00, close: 17:00}]\n",
            "blocks: [{open: 09:00, close: 17:00}]\n  - {id: tokyo, blocks: [{open: 09:00, close: 17:00}]}\n",
            "`tokyo` is there already, on line 4",
        ),
        (
            "{days: [sat], open: 10:00, close: 24:00}",
            "{days: [sat], open: 22:00, close: 06:00}",
            "22:00-06:00 ends before it begins; hours across midnight are two blocks: 22:00-24:00, and 00:00-06:00",
        ),
        ("{days: [sat], open: 10:00", "{days: [fri], open: 11:00", "11:00-24:00 overlaps 09:00-12:00 on fri"),
        ("{open: 13:00, close: 15:00}", "{open: 11:59, close: 15:00}", "11:59-15:00 overlaps 09:00-12:00"),
        ("open: 10:00, close: 24:00", "open: 10, close: 24:00", "is to be text"),
        ("open: 10:00, close: 24:00", "open: '9:30', close: 24:00", "a time of day is such as `09:00`"),
        ("end: 2026-08-14}", "end: 2026-08-09}", "2026-08-10 to 2026-08-09 ends before it begins"),
        (
            "end: 2026-08-15T12:30",
            "end: 2026-08-15T09:30",
            "2026-08-15T10:00 to 2026-08-15T09:30 ends before it begins",
        ),
        ("start: 2026-08-10,", "start: 2026-02-30,", "there is no such day or time"),
        ("holidays: {country: JP}", "holidays: {country: JPX}", "there is no country with known holidays `JPX`."),
        ("first: 10-01", "first: 1 October", "is to be a day of one year such as `2026-12-29`"),
        ("[{open: 09:00, close: 17:00}]", "[]", "calendar `anywhere` never opens: it has no blocks"),
        (
            "blocks: [{open: 09:00, close: 17:00}]",
            "blocks: [{open: 09:00, close: 17:00}]\n    days: [{first: 01-01, last: 12-31}]",
            "calendar `anywhere` never opens: holidays, presets and company days leave nothing of its blocks",
        ),
    ],
)
def test_each_fault_is_told_with_its_line(
    calendars: Path, edit: Edit, faults: Faults, line_of: LineOf, old: str, new: str, told: str
) -> None:
    edit("teams", old, new)
    where = {"anywhere` never": "- id: anywhere", "tokyo` is there": "- {id: tokyo"}
    line = line_of("teams", next((text for part, text in where.items() if part in told), new.partition("\n")[0]))
    [fault] = faults()
    assert fault.startswith(f"policies/northstar/teams.yaml:{line}: "), fault
    assert told in fault


def test_the_example_of_the_router_s_readme_is_a_policy(demo: Path) -> None:
    readme = (ROOT / "services" / "router" / "README.md").read_text()
    path = demo / "teams.yaml"
    path.write_text("kind: teams\n" + _block(readme, "## Availability"))
    document, problems = load(path, "teams.yaml")
    assert (problems, document is None) == ([], False)
    assert validate(document, TeamsPolicy)[1] == []


def _block(page: str, heading: str) -> str:
    return page.partition(f"{heading}\n")[2].partition("```yaml\n")[2].partition("```")[0]


def test_the_rules_of_the_router_s_readme_are_a_policy_and_can_be_shown_by_region() -> None:
    readme = (ROOT / "services" / "router" / "README.md").read_text()
    reasons = [{"code": "junk", "kind": "quality", "label": {"en": "junk"}, "effect": "disqualify"}]
    body = YAML(typ="safe").load(_block(readme, "## Rules")) | {"kind": "routing", "decline_reasons": reasons}
    RoutingPolicy.model_validate(body)
    shown = effective(body, "kansai")
    assert [rule["id"] for rule in shown.policy["rules"]] == ["kobe", "his-cards", "night", "rest"]
    assert "kansai: in place of the rule of all" in marked(shown)
    assert "kansai: without fair" in marked(shown)


def test_a_calendar_that_nobody_names_is_pointed_out(calendars: Path, edit: Edit) -> None:
    edit("teams", "calendar: tokyo,", "")
    assert any("calendar `tokyo` is named by no rep" in warning.message for warning in read(calendars).warnings)
