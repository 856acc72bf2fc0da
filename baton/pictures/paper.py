"""A sheet to draw on, and how it is kept: SVG that is the same, to the byte, on every machine; text stays text.

Widths of text are guessed from one font that comes with the library, so nothing is placed by the width of a text.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, SOFT, LINE, FAINT, PAPER = "#1f2d3a", "#5b6b79", "#b8c2cb", "#eef1f4", "#ffffff"
BLUE, ORANGE, GREEN, RED = "#1f6fb2", "#d9771b", "#2a8f6a", "#c24b3f"
PALE_BLUE, PALE_ORANGE, PALE_GREEN = "#cfe2f2", "#f8dfc4", "#d3ebe1"
WIDTH, POINTS_PER_INCH = 760, 72  # points; one is a pixel where the picture is shown in its own size
FONTS = "'Helvetica Neue', Arial, 'Hiragino Sans', 'Yu Gothic', Meiryo, 'Noto Sans CJK JP', 'Noto Sans JP', sans-serif"
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "baton",
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "hatch.linewidth": 0.8,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Within it all is drawn alike, whatever is set up on this machine."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # it is looked up where it is shown
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def sheet(height: int, title: str, subtitle: str = "") -> Figure:
    """An empty sheet of WIDTH by `height` points with its title."""
    figure = Figure(figsize=(WIDTH / POINTS_PER_INCH, height / POINTS_PER_INCH), dpi=POINTS_PER_INCH)
    figure.text(24 / WIDTH, 1 - 28 / height, title, fontsize=16, fontweight="bold", va="baseline")
    if subtitle:
        figure.text(24 / WIDTH, 1 - 48 / height, subtitle, fontsize=12, color=SOFT, va="baseline")
    return figure


def area(figure: Figure, left: int, top: int, width: int, height: int) -> Axes:
    """Axes at a place counted in points from the upper left corner."""
    total = figure.get_figheight() * POINTS_PER_INCH
    return figure.add_axes((left / WIDTH, 1 - (top + height) / total, width / WIDTH, height / total))


def svg(figure: Figure) -> bytes:
    """The picture as it is kept."""
    out = BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue().decode()
    text = text.replace("'DejaVu Sans'", FONTS).replace('"DejaVu Sans"', FONTS)
    text = re.sub(r'(width|height)="(\d+)pt"', r'\1="\2"', text, count=2)  # points are pixels
    text = re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", text)
    text = re.sub(r"[ \t]+\n", "\n", text)
    for number, name in enumerate(dict.fromkeys(re.findall(r'id="([a-z][0-9a-f]{10})"', text))):
        text = text.replace(name, f"part{number}")  # they derive from numbers before rounding
    return text.encode()
