"""What was known of leads on a given day, when many of them had not been watched for long. Pure; durations in days."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 200
SETTLED = 1e-9


@dataclass(frozen=True, slots=True)
class Watched:
    """One lead: its traits, for how many days it was watched (until it was won, or the watching ended), and whether it was won."""

    traits: Mapping[str, str]
    days: float
    won: bool


class Course:
    """How the winning of leads goes with the days: the Nelson-Aalen estimate of the cumulative hazard."""

    def __init__(self, watched: Iterable[Watched]) -> None:
        leaving = sorted(watched, key=lambda each: (each.days, not each.won))
        left, hazard = len(leaving), 0.0
        self._days: list[float] = []
        self._hazards: list[float] = []
        for each in leaving:
            if each.won:
                hazard += 1 / left
                self._days.append(each.days)
                self._hazards.append(hazard)
            left -= 1

    def hazard(self, days: float) -> float:
        """How many wins an average lead has had after so many days, if it could be won again and again."""
        place = bisect_right(self._days, days)
        return self._hazards[place - 1] if place else 0.0


def factors(
    watched: Sequence[Watched], course: Course, traits: Sequence[str], *, smoothing: float
) -> dict[str, dict[str, float]]:
    """By trait and value: how many times as often as the average lead those with this value are won, all else being equal.

    Won against expected, as in the log-rank test; the traits are settled in turn until nothing moves, so that none is counted
    for what another explains. smoothing: so many wins at the average rate are added to each value, so that few leads say little.
    """
    expected = [course.hazard(each.days) for each in watched]
    found: dict[str, dict[str, float]] = {trait: {each.traits[trait]: 1.0 for each in watched} for trait in traits}
    for _ in range(ROUNDS):
        moved = 0.0
        for trait in traits:
            won, due = dict.fromkeys(found[trait], smoothing), dict.fromkeys(found[trait], smoothing)
            for each, base in zip(watched, expected, strict=True):
                value = each.traits[trait]
                for other in traits:
                    if other != trait:
                        base *= found[other][each.traits[other]]
                won[value] += each.won
                due[value] += base
            fresh = {value: won[value] / due[value] for value in won}
            moved = max(moved, *(abs(fresh[value] - old) for value, old in found[trait].items()))
            found[trait] = fresh
        if moved < SETTLED:
            break
    return found
