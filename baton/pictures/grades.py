"""The matrix of grades, and what the gate does with each."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from ruamel.yaml import YAML

from baton.pictures.life import read_policy
from baton.pictures.paper import BLUE, FAINT, INK, PALE_BLUE, PAPER, SOFT, area, sheet
from baton.pictures.words import Language, say
from services.router.domain.gate import cell
from shared.schemas.policies.qualification import Gate, Verdict

GATE = Path(__file__).with_name("gate.yaml")
FITS, BANDS = "ABCD", "1234"
COLOURS: dict[Verdict, tuple[str, str]] = {  # of a cell, and of what is written in it
    "mql": (BLUE, PAPER),
    "inside_sales_check": (PALE_BLUE, INK),
    "nurture": (FAINT, SOFT),
}
WIDTH, HEIGHT = 132, 58


def verdicts() -> dict[str, Verdict]:
    """What the router's gate does with a lead of each grade that did not ask to be contacted."""
    policy = _gate()
    return {fit + band: cell(fit + band, policy) for fit in FITS for band in BANDS}


def draw(language: Language) -> Figure:
    policy, found = read_policy(), verdicts()
    figure = sheet(410, say("grades.title", language), say("grades.subtitle", language))
    left, top = 170, 120
    axes = area(figure, left, top, 4 * WIDTH, 4 * HEIGHT)
    axes.set_axis_off()
    axes.set_xlim(0, 4)
    axes.set_ylim(4, 0)
    for row, fit in enumerate(FITS):
        for column, band in enumerate(BANDS):
            colour, ink = COLOURS[found[fit + band]]
            axes.fill_between([column + 0.03, column + 0.97], row + 0.06, row + 0.94, color=colour, linewidth=0)
            axes.text(
                column + 0.5, row + 0.4, fit + band, color=ink, fontsize=15, fontweight="bold", ha="center", va="center"
            )
            words = say(f"gate.{found[fit + band]}", language)
            axes.text(column + 0.5, row + 0.72, words, color=ink, fontsize=10, ha="center", va="center")
    edges = [(f"{fit}", _range(place, policy.fit.grades, language)) for place, fit in enumerate(FITS)]
    for row, (name, words) in enumerate(edges):
        axes.text(-0.12, row + 0.36, name, fontsize=14, fontweight="bold", ha="right", va="center")
        axes.text(-0.12, row + 0.7, words, fontsize=10, color=SOFT, ha="right", va="center")
    for column, band in enumerate(BANDS):
        words = _range(column, policy.engagement.bands, language)
        axes.text(column + 0.5, -0.38, band, fontsize=14, fontweight="bold", ha="center", va="center")
        axes.text(column + 0.5, -0.1, words, fontsize=10, color=SOFT, ha="center", va="center")
    axes.text(2, -0.72, say("grades.engagement", language), fontsize=12, color=SOFT, ha="center", va="center")
    axes.text(-1.05, 2, say("grades.fit", language), fontsize=12, color=SOFT, rotation=90, ha="center", va="center")
    asked = say("gate.hand", language, least=_gate().hand_raise_minimum_fit)
    axes.text(1.6, 4.34, asked, fontsize=11, ha="center", va="center")
    return figure


def _range(place: int, least: tuple[float, float, float], language: Language) -> str:
    if place < len(least):
        return say("grades.least", language, least=f"{least[place]:g}")
    return say("grades.below", language, most=f"{least[-1]:g}")


def _gate() -> Gate:
    return Gate.model_validate(YAML(typ="safe").load(GATE.read_text())["gate"])
