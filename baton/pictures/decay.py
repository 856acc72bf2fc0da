"""How a touch fades by its half-life, and how a window ends it."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure

from baton.pictures.life import Happening, Life
from baton.pictures.paper import BLUE, FAINT, GREEN, ORANGE, RED, area, sheet
from baton.pictures.words import Language, say
from services.scoring.domain.ledger import HALF_LIVES
from shared.schemas.policies import ScoringPolicy

DAYS, POINTS = 60, 10


@dataclass(frozen=True, slots=True)
class Curve:
    """A rule's half-life and window (days), and where its name stands."""

    half_life: int
    window: int | None
    colour: str
    beside: tuple[float, float]


CURVES = (
    Curve(7, None, RED, (DAYS + 1, 0.0)),
    Curve(14, None, ORANGE, (DAYS + 1, 0.75)),
    Curve(30, None, BLUE, (DAYS + 1, 2.5)),
    Curve(60, 40, GREEN, (17, 9.1)),
)


def worth(half_life: int, window: int | None, days: int = DAYS) -> list[tuple[float, float]]:
    """What is left of one touch of 10 points, every quarter of a day, and before and after it ends: (day, points)."""
    rule = {
        "id": "touch",
        "points": POINTS,
        "half_life_days": half_life,
        "window_days": window,
        "group": "web",
        "when": {"touch.type": {"eq": "page_viewed"}},
    }
    policy = {"hand_raises": [], "engagement": {"groups": {}, "rules": [rule]}, "fit": {"rules": []}}
    life = Life(ScoringPolicy.model_validate(policy), [Happening(0, "page_viewed")])
    ends = [window or HALF_LIVES * half_life, (window or HALF_LIVES * half_life) + 1 / 1440]
    moments = sorted({quarter / 4 for quarter in range(4 * days + 1)} | {end for end in ends if end < days})
    return [(day, life.at(day, known=0).engagement) for day in moments]


def draw(language: Language) -> Figure:
    figure = sheet(400, say("decay.title", language), say("decay.subtitle", language))
    axes = area(figure, 60, 72, 530, 270)
    axes.set_xlim(0, DAYS)
    axes.set_ylim(0, POINTS * 1.04)
    axes.set_xticks(range(0, DAYS + 1, 10))
    axes.set_yticks([0, 2.5, 5, 7.5, 10], ["0", "2.5", "5", "7.5", "10"])
    axes.grid(axis="y", color=FAINT)
    axes.set_axisbelow(True)
    axes.set_xlabel(say("days", language))
    axes.set_ylabel(say("points", language))
    for curve in CURVES:
        points = worth(curve.half_life, curve.window)
        axes.plot(*zip(*points, strict=True), color=curve.colour, linewidth=2.2, clip_on=False)
        if curve.window is None:
            axes.plot([curve.half_life], [dict(points)[curve.half_life]], "o", color=curve.colour, markersize=6)
            name = say("decay.line", language, days=curve.half_life)
        else:
            name = say("decay.window", language, days=curve.half_life, window=curve.window)
            end = dict(points)[curve.window]
            axes.text(curve.window + 1, end - 0.2, say("decay.cut", language), color=curve.colour, va="top")
        axes.text(*curve.beside, name, color=curve.colour, va="center")
    return figure
