"""docs/scoring.md says what the program does: its policies are applied, its figures are measured, both languages say the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML
from typer.core import TyperGroup
from typer.main import get_command

from baton.cli import app
from baton.pictures import caps, course
from baton.pictures.life import Happening, Life, read_policy
from baton.policies import read
from shared.schemas.policies import ScoringPolicy
from shared.schemas.policies.scoring import AccountScoring, Temperature
from shared.schemas.vocabulary import TOUCH_TYPES

ROOT = Path(__file__).parents[3]
READ = YAML(typ="safe").load  # as policies are read: YAML 1.2, in which `off` is a word
PAGE = ROOT / "docs" / "scoring.md"
ENGLISH, JAPANESE = PAGE.read_text().split("\n---\n")
HALVES = {"en": ENGLISH, "ja": JAPANESE}
POLICIES = [READ(block) for block in re.findall(r"```yaml\n(.*?)```", ENGLISH, re.DOTALL)]


def _laid_over(base: Any, more: Any) -> Any:
    """`more` over `base`: maps are merged, of lists of rules the one of the same id is replaced."""
    if isinstance(base, dict) and isinstance(more, dict):
        return base | {key: _laid_over(base[key], value) if key in base else value for key, value in more.items()}
    if isinstance(base, list) and isinstance(more, list) and all(isinstance(one, dict) for one in [*base, *more]):
        return list({one["id"]: one for one in [*base, *more]}.values())
    return more


def _policy(**parts: Any) -> ScoringPolicy:
    return ScoringPolicy.model_validate(_laid_over(read_policy().model_dump(exclude_none=True), parts))


def _part(key: str) -> Iterator[Any]:
    return (policy[key] for policy in POLICIES if key in policy)


def _rule(name: str) -> dict[str, Any]:
    return next(rule for part in _part("engagement") for rule in part.get("rules", ()) if rule["id"] == name)


@pytest.mark.parametrize("number", range(len(POLICIES)))
def test_every_policy_of_the_page_could_be_applied_as_it_stands(number: int, tmp_path: Path) -> None:
    northstar = ROOT / "policies" / "northstar"
    shutil.copytree(northstar, tmp_path / "northstar")
    body = _laid_over(READ((northstar / "scoring.yaml").read_text()), POLICIES[number])
    (tmp_path / "northstar" / "scoring.yaml").write_bytes(orjson.dumps(body, default=str))
    while_it_runs = datetime(2026, 8, 1, tzinfo=UTC)
    assert [str(warning) for warning in read(tmp_path / "northstar", while_it_runs).warnings] == []


def test_there_is_an_example_of_every_part_of_a_policy() -> None:
    assert len(POLICIES) == 9
    shown = {key for policy in POLICIES for key in policy}
    assert shown == set(ScoringPolicy.model_fields) - {"kind", "generation", "zone_offset_minutes"}
    fields = {name for part in _part("engagement") for rule in part.get("rules", ()) for name in rule}
    assert {"window_days", "valid_from", "valid_until", "limit", "per"} < fields
    assert {name for policy in POLICIES for part in policy.get("fit", {}).get("rules", ()) for name in part} > {
        "expires_days"
    }


@pytest.mark.parametrize("language", HALVES)
def test_touch_types_that_the_page_names_are_there(language: str) -> None:
    named = set(re.findall(r"`((?:sales|opportunity|wrong)_[a-z_]+)`", HALVES[language]))
    types = re.findall(r"touch\.type: \{eq: ([a-z_]+)\}", HALVES[language])
    assert len(named) == 5
    assert named | set(types) <= set(TOUCH_TYPES)


def _shape(half: str) -> dict[str, Any]:
    code = re.compile(r"```.*?```", re.DOTALL)
    prose = code.sub("", half)
    return {
        "headings": [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)],
        "code": [re.sub(r" *#.*", "", block) for block in code.findall(half)],
        "pictures": [name.rpartition(".")[0] for name in re.findall(r"!\[.*?\]\(pictures/(.*?)\.svg\)", prose)],
        "rows": [line.count("|") for line in prose.splitlines() if line.startswith("|")],
        "points": re.findall(r"^(-|\d+\.) ", prose, re.MULTILINE),
        "names": sorted(set(re.findall(r"`[a-z_]+`", prose))),
        "figures": sorted(re.findall(r"\d+\.\d+", prose)),
    }


def test_both_languages_say_the_same() -> None:
    assert _shape(ENGLISH) == _shape(JAPANESE)
    assert len(_shape(ENGLISH)["headings"]) == 15


@pytest.mark.parametrize("language", HALVES)
def test_pictures_and_pages_that_the_page_links_are_there(language: str) -> None:
    links = re.findall(r"\]\((?!https://|#)(.*?)\)", HALVES[language])
    assert [link for link in links if not (PAGE.parent / link).is_file()] == []
    pictures = [link for link in links if link.endswith(".svg")]
    assert len(pictures) == 5
    assert all(link.endswith(f".{language}.svg") for link in pictures)
    assert set(links) - set(pictures) == {"fields.md", "senders/README.md"}


@pytest.mark.parametrize("language", HALVES)
def test_commands_of_the_page_are_there_with_their_options(language: str) -> None:
    quoted = re.findall(r"`(baton [^`\n]+)`|^(baton .*?)(?:#.*)?$", HALVES[language], re.MULTILINE)
    assert len(quoted) > 5
    for line in filter(None, (one for both in quoted for one in both)):
        words, command = line.split()[1:], get_command(app)
        while isinstance(command, TyperGroup):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_the_rule_that_is_read_aloud_does_what_is_read() -> None:
    rule = _rule("pricing_page_viewed")
    life = Life(_policy(engagement={"rules": [rule]}), [Happening(0, "pricing_page_viewed")])
    assert [life.at(day, known=0).engagement for day in (0, 14, 28)] == [8, 4, 2]
    assert life.at(30.01, known=0).engagement == 0
    often = [Happening(hour / 24, "pricing_page_viewed") for hour in range(8)]
    assert len(Life(_policy(engagement={"rules": [rule]}), often).at(0.5).parts) == 1
    assert 23 < Life(_policy(engagement={"rules": [rule]}), often).at(0.5).engagement < 24


@pytest.mark.parametrize("language", HALVES)
def test_the_week_of_the_caps_is_told_in_the_picture_s_numbers(language: str) -> None:
    score = caps.week()
    web, content = ([part for part in score.parts if part.group == group] for group in ("web", "content"))
    left = sum(part.given - part.cut_by_group for part in score.parts)
    numbers = [sum(part.given for part in web), sum(part.given for part in content), left, score.engagement]
    assert [round(number) for number in numbers] == [44, 41, 117, 100]
    assert all(re.search(rf"(?<!\d){round(number)}(?!\d)", HALVES[language]) for number in numbers)


@pytest.mark.parametrize("language", HALVES)
def test_the_sixty_days_are_told_as_the_engine_has_them(language: str) -> None:
    lead = course.life()
    changes = course.by_time_alone(lead)
    rows = re.findall(r"^\| (\d+) \| .*? \| (.*?) \| ([A-D][1-4]) \| (.*?) \|$", HALVES[language], re.MULTILINE)
    assert len(rows) == 7
    for told_day, told, grade, temperature in rows:
        touches = [happening.day for happening in lead.happenings if int(happening.day) == int(told_day)]
        day = max(touches) if touches else next(change for change in changes if round(change) == int(told_day))
        score = lead.at(day)
        assert (score.grade, course.say(score.temperature, language)) == (grade, temperature)  # type: ignore[arg-type]
        number = int(re.sub(r"\D", "", told))
        assert round(score.engagement) == number
        assert touches or score.engagement < number
    assert sum(round(change) in {int(row[0]) for row in rows} for change in changes) == len(changes)


def test_what_is_said_to_be_so_if_nothing_is_written_is_so() -> None:
    assert AccountScoring.model_validate(next(_part("account"))) == AccountScoring()
    assert Temperature.model_validate(next(_part("temperature"))) == Temperature()


def test_colleagues_are_scored_nothing_and_a_season_ends() -> None:
    happened = [Happening(0, "demo_requested", {"domain": "northstar.example", "own_domain": True})]
    assert Life(_policy(internal=next(_part("internal"))), happened).at(0).engagement == 0
    assert Life(_policy(), happened).at(0).engagement == 40
    season = _rule("spring_fair_booth") | {"when": {"touch.type": {"eq": "trade_fair_booth_talked"}}}
    booth = Life(_policy(engagement={"rules": [season]}), [Happening(170, "trade_fair_booth_talked")])
    assert booth.at(170).engagement == 20
    assert booth.at(190, known=170).engagement == 0, "30 September 2026 is day 182"


def test_a_region_changes_the_rules_that_it_names_and_no_other() -> None:
    overlays = next(_part("overlays"))
    for country, fit, webinar in (("JP", 15, 0), ("DE", 10, 15)):
        who = {"country": country, "own_domain": True}
        score = Life(_policy(overlays=overlays), [Happening(0, "webinar_attended", who)]).at(0)
        assert (score.fit, score.engagement) == (fit, webinar)


@pytest.mark.parametrize("language", HALVES)
def test_the_figures_of_the_real_leads_are_those_that_were_measured(language: str) -> None:
    found = orjson.loads((ROOT / "bench/results/olist_quality.json").read_bytes())
    half, cut, brier = HALVES[language], found["cut"], found["brier"]

    def auc(three: list[float]) -> str:
        return "{:.3f} ({:.2f}–{:.2f})".format(*three)

    def percent(three: list[float]) -> str:
        return "{:.1f} % ({:.1f}–{:.1f})".format(*(100 * each for each in three))

    def lift(three: list[float]) -> str:
        return "{:.2f} ({:.2f}–{:.2f})".format(*three)

    lot, reference = found["random"], found["reference"]
    rows = [
        f"| {auc(found['policy']['auc'])} | {auc(lot['auc'])} | {reference['auc']} |",
        f"| {percent(found['policy']['precision'])} | {percent(lot['precision'])} | {100 * reference['precision']:.1f} % |",
        f"| {lift(found['policy']['lift'])} | {lift(lot['lift'])} | {reference['lift']} |",
        f"| {brier['policy']:.4f} | | {reference['brier']} |",
        *(f"| {g['fit']} | {g['leads']:,} | {g['won']} | {100 * g['rate'][0]:.1f} % |" for g in found["grades"]),
    ]
    said = [
        *(f"{cut[name]:,}" for name in ("leads_before", "learnt_from", "judged", "won", "deals_known_that_day")),
        f"{cut['leads_before'] - cut['learnt_from']:,}",
        *(f"{100 * share:.1f} %" for share in (found["rate"], brier["rate_foreseen"])),
        *(f"{100 * month['rate']:.1f} %" for month in found["months"]),
        *(f"{other['auc']:.3f}" for other in found["other_smoothing"]),
        f"{brier['one_rate_for_all']:.4f}",
        f"{100 * found['new_values']['landing_page']:.0f} %",
        f"{100 * next(value for share, value, *_ in found['gains'] if share == 0.3):.0f} %",
        "50 " if language == "en" else "50の",
    ]
    assert [words for words in [*rows, *said] if words not in half] == []
    assert (lot["policies"], cut["undecided"], found["policy_is_as_derived"]) == (50, 0, True)
