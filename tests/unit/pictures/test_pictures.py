"""The pictures of docs/scoring.md are what the engine says, and are drawn anew when it says something else."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from baton.pictures import caps, course, decay, gains, grades
from baton.pictures.gallery import DRAWN, pictures
from baton.pictures.life import Happening, Life, read_policy
from baton.pictures.words import LANGUAGES, WORDS, say

FOLDER = Path(__file__).parents[3] / "docs" / "pictures"
TEXT = "{http://www.w3.org/2000/svg}text"


@cache
def made() -> dict[str, bytes]:
    return dict(pictures())


def _texts(name: str) -> str:
    return " ".join("".join(each.itertext()) for each in ElementTree.fromstring(made()[name]).iter(TEXT))


def test_the_pictures_that_are_kept_are_those_that_would_be_drawn_now() -> None:
    kept = {path.name: path.read_bytes() for path in FOLDER.glob("*.svg")}
    assert kept.keys() == made().keys()
    assert [name for name in made() if made()[name] != kept[name]] == [], "run `baton scoring picture`"


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_picture_speaks_its_language_in_text_that_can_be_read(name, language) -> None:
    other = next(each for each in LANGUAGES if each != language)
    told = _texts(f"{name}.{language}.svg")
    assert say(f"{name}.title", language) in told
    assert say(f"{name}.title", other) not in told
    assert "{" not in told


def test_all_words_are_there_in_both_languages_with_the_same_gaps() -> None:
    for words in WORDS.values():
        assert set(words) == set(LANGUAGES)
        gaps = [{part.partition("}")[0] for part in text.split("{")[1:]} for text in words.values()]
        assert gaps[0] == gaps[1]


@pytest.mark.parametrize("curve", decay.CURVES)
def test_a_touch_halves_with_each_half_life_and_a_window_ends_it(curve) -> None:
    worth = dict(decay.worth(curve.half_life, curve.window, days=120))
    for day in (0, curve.half_life, 2 * curve.half_life):
        left = 10 * 0.5 ** (day / curve.half_life) if curve.window is None or day <= curve.window else 0
        assert worth[day] == pytest.approx(left, abs=0.001)
    end = curve.window or 7 * curve.half_life
    assert all(points == 0 for day, points in worth.items() if day > end)


def test_what_caps_cut_and_what_is_kept_add_up_to_what_was_given() -> None:
    score, policy = caps.week(), read_policy()
    assert score.engagement == pytest.approx(100), "the week is busy enough to reach the cap of all"
    for part in score.parts:
        assert part.kept + part.cut_by_group + part.cut_by_total == pytest.approx(part.given)
    for group in caps.GROUPS:
        left = sum(part.given - part.cut_by_group for part in score.parts if part.group == group)
        assert left <= policy.engagement.groups[group] + 1e-9
    assert {part.group for part in score.parts} == set(caps.GROUPS)
    assert any(part.cut_by_group for part in score.parts)
    assert any(part.cut_by_total for part in score.parts)


def test_the_gate_of_the_picture_is_the_one_that_most_begin_with() -> None:
    found = grades.verdicts()
    assert len(found) == 16
    assert {cell for cell, verdict in found.items() if verdict == "mql"} == {"A1", "A2", "B1"}
    assert {cell for cell, verdict in found.items() if verdict == "inside_sales_check"} == {"A3", "B2", "C1"}


def test_at_a_dashed_line_the_lead_becomes_another_though_nothing_happened() -> None:
    lead = course.life()
    changes = course.by_time_alone(lead)
    assert changes
    millisecond = 1 / 86_400_000
    for change in changes:
        before, after = lead.at(change - millisecond), lead.at(change)
        assert (before.grade, before.temperature) != (after.grade, after.temperature)
        assert all(abs(change - happening.day) > 0.01 for happening in lead.happenings)


def test_between_touches_the_curve_only_falls_and_every_fall_through_a_band_is_marked() -> None:
    lead = course.life()
    points = course.curve(lead)
    days = {happening.day for happening in lead.happenings}
    bands = sorted(read_policy().engagement.bands)
    fell = 0
    for (_, before), (day, after) in pairwise(points):
        if day not in days:
            assert after <= before
            fell += sum(after < band <= before for band in bands)
    assert fell == len(course.by_time_alone(lead))


def test_a_score_knows_nothing_of_what_happens_later() -> None:
    lead = Life(read_policy(), [Happening(1, "page_viewed"), Happening(5, "demo_requested")])
    assert lead.at(4).engagement < 1
    assert lead.at(5).engagement > 40
    assert lead.at(5, known=4).engagement < 1
    with pytest.raises(ValueError, match="nothing had happened"):
        lead.at(0.5)


def test_the_gains_curve_tells_the_figures_that_were_kept() -> None:
    found = gains.kept()
    contacted = {round(100 * share): value for share, value, *_ in found["gains"]}
    told = _texts("gains.en.svg")
    for percent in gains.MARKED:
        assert f"the best {percent}% hold {100 * contacted[percent]:.0f}% of those won" in told
    assert f"{found['cut']['judged']:,} leads" in told
