"""How well scores tell those who were won from the others. Pure; leads of equal score share their places."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

ROUNDS = 2_000  # of the bootstrap
NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Judged:
    """One lead: its score (any unit, more is better), and whether it was won."""

    score: float
    won: bool


@dataclass(frozen=True, slots=True)
class Step:
    """All leads of one score."""

    leads: int
    won: int


Steps = Sequence[Step]  # the best score first


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the interval that holds it 95 times of 100."""

    value: float
    low: float
    high: float


def steps(judged: Iterable[Judged]) -> list[Step]:
    """By score, the best first."""
    return _steps(Counter((each.score, each.won) for each in judged))


def auc(by_score: Steps) -> float:
    """How often one that was won stands above one that was not; a tie is half. 0.5 is chance. Raises ValueError where one of
    the two kinds is missing."""
    lost_below, pairs = _leads(by_score) - _won(by_score), 0.0
    all_pairs = lost_below * _won(by_score)
    if not all_pairs:
        raise ValueError("to tell those who were won from the others takes some of both")
    for step in by_score:
        lost = step.leads - step.won
        lost_below -= lost
        pairs += step.won * (lost_below + lost / 2)
    return pairs / all_pairs


def won_among(by_score: Steps, share: float) -> float:
    """How many were won among the best `share` of all; of a step that the line cuts, as many as lots would give."""
    left, won = share * _leads(by_score), 0.0
    for step in by_score:
        taken = min(left, step.leads)
        won += step.won * taken / step.leads
        left -= taken
        if left <= 0:
            break
    return won


def precision(by_score: Steps, share: float = 0.1) -> float:
    """The share of those who were won among the best `share`."""
    return won_among(by_score, share) / (share * _leads(by_score))


def lift(by_score: Steps, share: float = 0.1) -> float:
    """How many times more often the best `share` were won than all. Raises ValueError where nobody was won."""
    if not _won(by_score):
        raise ValueError("nobody was won")
    return precision(by_score, share) / rate(by_score)


def captured(by_score: Steps, share: float) -> float:
    """The share of all who were won that is found among the best `share`: a point of the gains curve."""
    return won_among(by_score, share) / _won(by_score)


def rate(by_score: Steps) -> float:
    """The share of those who were won."""
    return _won(by_score) / _leads(by_score)


def brier(forecasts: Iterable[tuple[float, bool]]) -> float:
    """The mean squared error of probabilities; 0 is perfect. Raises ValueError for none."""
    errors = [(probability - won) ** 2 for probability, won in forecasts]
    if not errors:
        raise ValueError("there is no forecast")
    return sum(errors) / len(errors)


def wilson(won: int, leads: int) -> Estimate:
    """A share with Wilson's interval, which stays between 0 and 1 also for few."""
    share, spread = won / leads, NORMAL_95**2 / leads
    middle = (share + spread / 2) / (1 + spread)
    width = NORMAL_95 * sqrt(share * (1 - share) / leads + spread / (4 * leads)) / (1 + spread)
    return Estimate(share, max(0.0, middle - width), min(1.0, middle + width))


def bootstrap(
    judged: Sequence[Judged], figures: dict[str, Callable[[Steps], float]], *, rounds: int = ROUNDS, seed: int = 1
) -> dict[str, Estimate]:
    """Each figure with the interval between which it lies in 95 % of samples drawn from the same leads, with replacement.

    It tells how much chance there is in *which leads came*, nothing of how the policy was made.
    """
    resampled = list(_resampled(judged, rounds, seed))
    whole = steps(judged)
    return {name: spread(figure(whole), [figure(one) for one in resampled]) for name, figure in figures.items()}


def spread(value: float, values: Sequence[float]) -> Estimate:
    """`value`, with the middle 95 % of `values`."""
    return Estimate(value, percentile(values, 0.025), percentile(values, 0.975))


def percentile(values: Sequence[float], share: float) -> float:
    """Linear between neighbours. Raises ValueError for no values."""
    if not values:
        raise ValueError("nothing has no percentile")
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _resampled(judged: Sequence[Judged], rounds: int, seed: int) -> Iterator[list[Step]]:
    """Samples as large as `judged`, each with some of both kinds."""
    kinds = Counter((each.score, each.won) for each in judged)
    if len({won for _, won in kinds}) < 2:
        raise ValueError("to tell those who were won from the others takes some of both")
    dice, cells, weights = random.Random(seed), list(kinds), list(kinds.values())
    for _ in range(rounds):
        drawn = Counter(dice.choices(cells, weights, k=len(judged)))
        while len({won for _, won in drawn}) < 2:
            drawn = Counter(dice.choices(cells, weights, k=len(judged)))
        yield _steps(drawn)


def _steps(kinds: Counter[tuple[float, bool]]) -> list[Step]:
    by_score: dict[float, list[int]] = {}
    for (score, won), count in kinds.items():
        step = by_score.setdefault(score, [0, 0])
        step[0] += count
        step[1] += count * won
    return [Step(*by_score[score]) for score in sorted(by_score, reverse=True)]


def _leads(by_score: Steps) -> int:
    return sum([step.leads for step in by_score])


def _won(by_score: Steps) -> int:
    return sum([step.won for step in by_score])
