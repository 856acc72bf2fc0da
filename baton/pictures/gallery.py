"""All pictures, by the names of their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from matplotlib.figure import Figure

from baton.pictures import caps, course, decay, gains, grades
from baton.pictures.paper import drawing, svg
from baton.pictures.words import LANGUAGES, Language

DRAWN: dict[str, Callable[[Language], Figure]] = {
    "decay": decay.draw,
    "caps": caps.draw,
    "grades": grades.draw,
    "course": course.draw,
    "gains": gains.draw,
}


def pictures() -> Iterator[tuple[str, bytes]]:
    """Name of the file, and the SVG."""
    for name, draw in DRAWN.items():
        for language in LANGUAGES:
            with drawing():
                yield f"{name}.{language}.svg", svg(draw(language))
