"""One lead's score over sixty days: what it did, and when time alone changes what it is."""

from __future__ import annotations

from itertools import groupby, pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baton.pictures.life import Happening, Life, read_policy
from baton.pictures.paper import BLUE, FAINT, INK, LINE, ORANGE, PAPER, RED, SOFT, area, sheet
from baton.pictures.words import Language, say

DAYS = 60
WHO: dict[str, str | int | bool] = {"level": "head", "department": "it", "employees": 1200, "own_domain": True}
HAPPENINGS = (
    Happening(1, "email_clicked", WHO),
    Happening(4, "whitepaper_downloaded"),
    Happening(10, "webinar_attended"),
    Happening(17, "pricing_page_viewed"),
    Happening(17.1, "pricing_page_viewed"),
    Happening(19, "demo_requested"),
)
TEMPERATURES = {"hot": RED, "warm": ORANGE, "cold": LINE}


def life() -> Life:
    return Life(read_policy(), HAPPENINGS)


def curve(lead: Life) -> list[tuple[float, float]]:
    """Engagement every hour, and just before and at each touch: (day, points)."""
    touches = [happening.day for happening in lead.happenings]
    days = sorted({step / 24 for step in range(24 * DAYS + 1)} | set(touches))
    days = days[days.index(touches[0]) :]
    points = []
    for day in days:
        if day in touches and day > touches[0]:
            points.append((day, lead.at(day, known=day - 0.01).engagement))
        points.append((day, lead.at(day).engagement))
    return points


def by_time_alone(lead: Life) -> list[float]:
    """The days on which the grade or the temperature changed though nothing happened."""
    days = [happening.day for happening in lead.happenings] + [float(DAYS)]
    return [
        change for day, following in pairwise(days) for change in lead.changes(day, following) if change < following
    ]


def draw(language: Language) -> Figure:
    lead, policy = life(), read_policy()
    figure = sheet(470, say("course.title", language), say("course.subtitle", language))
    axes = area(figure, 60, 84, 640, 270)
    axes.set_xlim(0, DAYS)
    axes.set_ylim(0, 100)
    axes.set_xticks([])
    axes.set_yticks([0, *sorted(policy.engagement.bands), 100])
    axes.set_ylabel(say("course.engagement", language))
    _bands(axes, policy.engagement.bands, language)
    points = curve(lead)
    axes.plot(*zip(*points, strict=True), color=BLUE, linewidth=2.2)
    changes = by_time_alone(lead)
    for change in changes:
        height = lead.at(change).engagement
        axes.plot([change, change], [0, height], color=INK, linewidth=1, dashes=(3, 3))
        axes.plot([change], [height], "o", color=PAPER, markeredgecolor=INK, markersize=5)
    _touches(axes, lead, language)
    _strip(figure, lead, changes, language)
    return figure


def _bands(axes: Axes, least: tuple[float, float, float], language: Language) -> None:
    edges = [100, *least, 0]
    for band, (top, bottom) in enumerate(pairwise(edges), 1):
        axes.axhspan(bottom, top, color=FAINT if band % 2 else PAPER, linewidth=0, zorder=0)
        axes.text(
            DAYS + 0.6,
            (top + bottom) / 2,
            say("course.band", language, band=band),
            color=SOFT,
            va="center",
            fontsize=11,
        )


def _touches(axes: Axes, lead: Life, language: Language) -> None:
    """Numbered on the curve, and named in the corner that is free."""
    rules = {rule.id: rule for rule in read_policy().engagement.rules}
    groups = [(kind, list(some)) for kind, some in groupby(lead.happenings, key=lambda happening: happening.type)]
    for number, (kind, some) in enumerate(groups, 1):
        for happening in some:
            axes.plot([happening.day], [lead.at(happening.day).engagement], "o", color=BLUE, markersize=6)
        last, rule = some[-1].day, rules[kind]
        name = rule.label.texts()[language]
        top = lead.at(last).engagement + 3
        axes.text(last, top, str(number), color=BLUE, fontweight="bold", ha="center", va="bottom")
        axes.text(1.2, 100 - 6.5 * number, str(number), color=BLUE, fontweight="bold", fontsize=11, va="center")
        times = f" ×{len(some)}" if len(some) > 1 else ""
        axes.text(2.6, 100 - 6.5 * number, name + times, fontsize=11, va="center")
        if rule.window_days:
            end = last + rule.window_days
            words = say("course.window", language, number=number)
            axes.text(end + 0.5, lead.at(end - 0.2).engagement + 1.5, words, fontsize=11, color=SOFT, va="bottom")


def _strip(figure: Figure, lead: Life, changes: list[float], language: Language) -> None:
    """Grade and temperature from day to day."""
    axes = area(figure, 60, 362, 640, 40)
    axes.set_xlim(0, DAYS)
    axes.set_ylim(2, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xticks(range(0, DAYS + 1, 10))
    axes.set_xlabel(say("course.days", language) + "  ·  " + say("course.alone", language))
    moments = sorted({happening.day for happening in lead.happenings} | set(changes))
    spans: list[tuple[float, str, str]] = []
    for moment in moments:
        score = lead.at(moment)
        if not spans or spans[-1][1:] != (score.grade, score.temperature):
            spans.append((moment, score.grade, score.temperature))
    for (start, grade, temperature), end in zip(spans, [span[0] for span in spans[1:]] + [float(DAYS)], strict=True):
        axes.fill_betweenx([1.05, 1.95], start, end, color=TEMPERATURES[temperature], linewidth=0)
        axes.plot([start, start], [0, 2], color=PAPER, linewidth=1.5)
        if end - start > 1.4:
            axes.text((start + end) / 2, 0.55, grade, fontsize=11, fontweight="bold", ha="center", va="center")
        if end - start > 4:
            words = say(temperature, language)
            ink = INK if temperature == "cold" else PAPER
            axes.text((start + end) / 2, 1.53, words, fontsize=10, color=ink, ha="center", va="center")
