"""How the caps of groups, and the cap of all, cut what a busy week gives."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baton.pictures.life import Happening, Life, Score, read_policy
from baton.pictures.paper import BLUE, INK, LINE, ORANGE, PALE_BLUE, PALE_ORANGE, SOFT, area, sheet
from baton.pictures.words import Language, say

WEEK = (
    *(Happening(1 + hour / 24, "pricing_page_viewed") for hour in range(3)),
    *(Happening(4 + hour / 24, "pricing_page_viewed") for hour in range(3)),
    *(Happening(2 + hour / 24, "page_viewed") for hour in range(4)),
    Happening(1, "email_clicked"),
    *(Happening(3 + hour / 24, "whitepaper_downloaded") for hour in range(2)),
    *(Happening(3.5 + hour / 24, "case_study_downloaded") for hour in range(2)),
    Happening(5, "webinar_attended"),
    Happening(5.5, "demo_requested"),
)
END = 6.0
GROUPS = ("web", "email", "content", "event", "inquiry")


def week() -> Score:
    """The score at the end of the week."""
    return Life(read_policy(), WEEK).at(END)


def draw(language: Language) -> Figure:
    score, policy = week(), read_policy()
    figure = sheet(420, say("caps.title", language), say("caps.subtitle", language))
    axes = area(figure, 110, 92, 600, 276)
    axes.set_xlim(0, 180)
    axes.set_ylim(len(GROUPS) + 0.8, -0.6)
    axes.set_xlabel(say("points", language))
    rows = [(place, say(f"group.{group}", language)) for place, group in enumerate(GROUPS)]
    rows.append((len(GROUPS) + 0.3, say("caps.all", language)))  # type: ignore[arg-type]
    axes.set_yticks([place for place, _ in rows], [name for _, name in rows])
    axes.tick_params(axis="y", length=0, labelsize=12, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    for place, group in enumerate(GROUPS):
        of_group = [part for part in score.parts if part.group == group]
        _bar(
            axes,
            place,
            sum(part.kept for part in of_group),
            sum(part.cut_by_total for part in of_group),
            sum(part.cut_by_group for part in of_group),
            float(policy.engagement.groups[group]),
            language,
        )
    by_group = sum(part.cut_by_group for part in score.parts)
    by_total = sum(part.cut_by_total for part in score.parts)
    _bar(axes, len(GROUPS) + 0.3, score.engagement, by_total, by_group, float(policy.engagement.cap), language)
    axes.axhline(len(GROUPS) - 0.42, color=LINE, linewidth=0.8)
    _legend(figure, language)
    return figure


def _bar(
    axes: Axes, place: float, kept: float, by_total: float, by_group: float, cap: float, language: Language
) -> None:
    given = kept + by_total + by_group
    axes.barh(place, kept, height=0.56, color=BLUE)
    axes.barh(place, by_total, left=kept, height=0.56, color=PALE_BLUE, edgecolor=BLUE, hatch="////", linewidth=0)
    axes.barh(
        place, by_group, left=kept + by_total, height=0.56, color=PALE_ORANGE, edgecolor=ORANGE, hatch="\\\\\\\\", linewidth=0
    )  # fmt: skip
    axes.plot([cap, cap], [place - 0.38, place + 0.38], color=INK, linewidth=1.4)
    axes.text(
        cap, place - 0.4, say("caps.cap", language, cap=f"{cap:g}"), fontsize=10, color=SOFT, ha="center", va="bottom"
    )
    words = say("caps.numbers", language, given=f"{given:.0f}", kept=f"{kept:.0f}")
    axes.text(max(given, cap) + 1.5, place, words, fontsize=11, color=SOFT, va="center")


def _legend(figure: Figure, language: Language) -> None:
    axes = area(figure, 110, 60, 600, 24)
    axes.set_axis_off()
    axes.set_xlim(0, 600)
    axes.set_ylim(24, 0)
    kinds = (
        ("caps.kept", BLUE, BLUE, "", 0),
        ("caps.group", PALE_ORANGE, ORANGE, "\\\\\\\\", 130),
        ("caps.total", PALE_BLUE, BLUE, "////", 350),
    )
    for key, colour, edge, hatch, left in kinds:
        axes.barh(12, 14, left=left, height=14, color=colour, edgecolor=edge, hatch=hatch, linewidth=0)
        axes.text(left + 20, 12, say(key, language), va="center", fontsize=11)
