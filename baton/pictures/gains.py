"""The gains curve of the Olist policy, from the figures that `baton scoring quality --write` kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from matplotlib.figure import Figure

from baton.pictures.paper import BLUE, FAINT, INK, PALE_BLUE, SOFT, area, sheet
from baton.pictures.words import Language, say

KEPT = Path(__file__).parents[2] / "bench/results/olist_quality.json"
MARKED = (10, 30)  # percent


def kept() -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(KEPT.read_bytes())
    return found


def draw(language: Language) -> Figure:
    found = kept()
    figure = sheet(
        460,
        say("gains.title", language),
        say(
            "gains.subtitle",
            language,
            judged=f"{found['cut']['judged']:,}",
            day=found["cut"]["day"],
            won=found["cut"]["won"],
        ),
    )
    axes = area(figure, 70, 78, 420, 320)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 101)
    ticks = range(0, 101, 20)
    axes.set_xticks(ticks, [f"{tick}%" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick}%" for tick in ticks])
    axes.grid(color=FAINT)
    axes.set_axisbelow(True)
    axes.set_xlabel(say("gains.x", language))
    axes.set_ylabel(say("gains.y", language))
    share, value, low, high = ([100 * number for number in column] for column in zip(*found["gains"], strict=True))
    axes.fill_between(share, low, high, color=PALE_BLUE, linewidth=0)
    axes.plot(share, value, color=BLUE, linewidth=2.2)
    axes.plot([0, 100], [0, 100], color=SOFT, linewidth=1.4, dashes=(4, 3))
    axes.text(60, value[share.index(60.0)] + 3, say("gains.policy", language), color=BLUE, ha="right", va="bottom")
    axes.text(72, 64, say("gains.chance", language), color=SOFT, ha="left", va="bottom")
    for percent in MARKED:
        place = [round(one) for one in share].index(percent)
        axes.plot([percent], [value[place]], "o", color=INK, markersize=6)
        words = say("gains.mark", language, contacted=percent, found=f"{value[place]:.0f}")
        axes.annotate(
            words, (percent, value[place]), (103, value[place]), fontsize=11, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.7, "shrinkB": 4},
        )  # fmt: skip
    axes.fill_between([103, 107], 84, 88, color=PALE_BLUE, linewidth=0, clip_on=False)
    axes.text(109, 86, say("gains.band", language), fontsize=11, color=SOFT, va="center")
    return figure
