"""From what was learnt of traits to the fit rules of a policy, as YAML that a person reads and changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log2

DOUBLE = 20  # points that stand for being won twice as often
AVERAGE = 50  # points of a lead of which nothing is known that sets it apart
STEP = 5  # points are rounded to it: finer ones would pretend to know more
GRADES = (65, 50, 35)  # about 1.7 times as often as the average, as often, 0.6 times
WIDTH = 120


def points(factor: float) -> int:
    """The points of a lead that is won `factor` times as often as the average."""
    return STEP * round(DOUBLE * log2(factor) / STEP)


def factor(fit: float) -> float:
    """How many times as often as the average a lead of so much fit is won; the inverse of what the points were made by."""
    return float(2 ** ((fit - AVERAGE) / DOUBLE))


def fit_section(factors: Mapping[str, Mapping[str, float]], labels: Mapping[str, tuple[str, str]]) -> str:
    """`fit:` of a scoring policy. factors: by attribute and value;  labels: what an attribute's values are called (en, ja)."""
    lines = [
        "fit:",
        "  cap: 100",
        f"  grades: [{', '.join(map(str, GRADES))}]",
        "  rules:",
        f"    - {{id: average, points: {AVERAGE}, when: {{lead.{next(iter(factors))}: {{exists: true}}}},",
        "       label: {en: A seller like the average, ja: 平均的な出店希望者}}",
    ]
    for attribute, by_value in factors.items():
        english, japanese = labels[attribute]
        for worth, values in _by_points(by_value):
            times = f"{2 ** (worth / DOUBLE):.2g}"
            name = f"{attribute.replace('_', '-')}-{'plus' if worth > 0 else 'minus'}-{abs(worth)}"
            lines += [
                f"    - id: {name}",
                f"      points: {worth}",
                f"      group: {attribute.replace('_', '-')}",
                "      when:",
                f"        lead.{attribute}:",
                *_wrapped("          in: [", values),
                "      label:",
                f"        en: {english} won {times} times as often as the average",
                f"        ja: 成約率が平均の{times}倍の{japanese}",
            ]
    return "\n".join(lines) + "\n"


def with_fit(policy: str, section: str) -> str:
    """A policy's text with its last part, `fit:`, written anew. Raises ValueError where there is none."""
    head, found, _ = policy.partition("\nfit:\n")
    if not found:
        raise ValueError("the policy has no line `fit:`")
    return f"{head}\n{section}"


def _by_points(by_value: Mapping[str, float]) -> Iterator[tuple[int, list[str]]]:
    """What sets a lead apart, the best first; what gives no points needs no rule."""
    worths: dict[int, list[str]] = {}
    for value in sorted(by_value):
        worths.setdefault(points(by_value[value]), []).append(value)
    for worth in sorted(worths, reverse=True):
        if worth:
            yield worth, worths[worth]


def _wrapped(start: str, values: list[str]) -> Iterator[str]:
    line = start
    for place, value in enumerate(values):
        word = f"'{value}'" + ("]" if place == len(values) - 1 else ", ")
        if len(line) + len(word.rstrip()) > WIDTH:
            yield line.rstrip()
            line = " " * len(start)
        line += word
    yield line
