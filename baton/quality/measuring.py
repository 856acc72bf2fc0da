"""The quality of the Olist policy: learnt before the cut, judged on the leads after it, by the services' own code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from math import exp
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from baton.policies import read
from baton.quality import engine
from baton.quality.chance import by_lot
from baton.quality.olist import TRAINING_SHARE, TRAITS, WITHIN, Cut, cut, decided, known, was_won
from baton.quality.ranking import (
    Estimate,
    Judged,
    Steps,
    auc,
    bootstrap,
    brier,
    captured,
    lift,
    precision,
    rate,
    spread,
    steps,
    wilson,
)
from baton.quality.watching import Course, Watched, factors
from baton.quality.writing import factor, fit_section, with_fit
from baton.replay.olist import Lead, messages
from services.ingest.domain.touch import Sender
from shared.schemas.policies import ScoringPolicy

SMOOTHING = 10.0  # wins at the average rate that are added to each value
OTHER_SMOOTHING = (5.0, 20.0)
LOTS = 50  # random policies
SHARES = tuple(percent / 100 for percent in range(0, 101, 5))
LABELS = {"origin": ("An origin", "経路"), "landing_page": ("A landing page", "ランディングページ")}
# Of the description that comes with the data: logistic regression on origin, landing page and weekday, same question and cut.
REFERENCE = {"auc": 0.703, "precision": 0.229, "lift": 2.26, "brier": 0.087}
FIGURES: Mapping[str, Callable[[Steps], float]] = {"auc": auc, "precision": precision, "lift": lift}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the leads before the cut taught. hazard: how often an average lead is won within 90 days, as known that day."""

    halves: Cut
    watched: Sequence[Watched]
    factors: Mapping[str, Mapping[str, float]]
    hazard: float

    def chance(self, fit: int) -> float:
        """The probability of being won that a fit (milli-points) stands for."""
        return 1 - exp(-self.hazard * factor(fit / 1000))

    def section(self) -> str:
        """`fit:` of the policy that follows."""
        return fit_section(self.factors, LABELS)


def learn(leads: Sequence[Lead], smoothing: float = SMOOTHING) -> Learnt:
    """Raises ValueError where nothing was won before the cut."""
    halves = cut(leads)
    watched = known(halves)
    course = Course(watched)
    found = factors(watched, course, TRAITS, smoothing=smoothing)
    return Learnt(halves, watched, found, course.hazard(WITHIN / timedelta(days=1)))


class Judge:
    """The later leads, told to the engine as they stood at their first contact, to be scored under any policy.

    The deal is not told: it comes later, and would give the answer away.
    """

    def __init__(self, halves: Cut, sender: Sender) -> None:
        self.leads = decided(halves)
        self._told = [
            engine.touches(
                (m for m in messages(lead, timedelta()) if m.get("event") != "Deal Won"), lead.first_contact, sender
            )
            for lead in self.leads
        ]

    def points(self, policy: ScoringPolicy) -> list[engine.Points]:
        rules = engine.rules_of(policy)
        return [engine.score(told, rules) for told in self._told]

    def judged(self, points: Sequence[engine.Points]) -> list[Judged]:
        return [Judged(each.total, was_won(lead)) for each, lead in zip(points, self.leads, strict=True)]


def measure(leads: Sequence[Lead], folder: Path) -> Json:
    """All figures, as they are kept in `bench/results/olist_quality.json`. folder: of the tenant's policies."""
    policies = read(folder).checked
    learnt = learn(leads)
    judge = Judge(learnt.halves, engine.sender_of(folder.name, policies.sources))
    points = judge.points(policies.scoring)
    judged = judge.judged(points)
    gains = {f"{share:.2f}": partial(captured, share=share) for share in SHARES}
    found = bootstrap(judged, {**FIGURES, **gains})
    written = (folder / "scoring.yaml").read_text()
    return {
        "data": "olist",
        "question": "won within 90 days of the first contact",
        "scored_at": "the first contact",
        "cut": _cut(learnt, judge.leads),
        "rate": _rounded(rate(steps(judged))),
        "policy": {name: _interval(found[name]) for name in FIGURES},
        "policy_is_as_derived": with_fit(written, learnt.section()) == written,
        "distinct_scores": len(steps(judged)),
        "random": _random(judge, policies.scoring, learnt),
        "reference": REFERENCE,
        "brier": _brier(learnt, points, judge.leads),
        "gains": [[share, *_interval(found[name])] for share, name in zip(SHARES, gains, strict=True)],
        "grades": [_grade(letter, points, judge.leads) for letter in "ABCD"],
        "months": _months(judge.leads, judged),
        "new_values": {trait: _rounded(_new(learnt, judge.leads, trait)) for trait in TRAITS},
        "other_smoothing": [_other(smoothing, leads, judge, written) for smoothing in OTHER_SMOOTHING],
    }


def _cut(learnt: Learnt, judged: Sequence[Lead]) -> Json:
    halves = learnt.halves
    return {
        "share": TRAINING_SHARE,
        "day": f"{halves.day:%Y-%m-%d}",
        "leads_before": len(halves.before),
        "learnt_from": len(learnt.watched),
        "deals_known_that_day": sum(each.won for each in learnt.watched),
        "leads_after": len(halves.after),
        "undecided": len(halves.after) - len(judged),
        "judged": len(judged),
        "won": sum(map(was_won, judged)),
        "observed_until": f"{halves.observed_until:%Y-%m-%d}",
    }


def _random(judge: Judge, policy: ScoringPolicy, learnt: Learnt) -> Json:
    """The mean of policies drawn by lot, and between what 95 % of them lie."""
    known_values = {f"lead.{trait}": sorted(learnt.factors[trait]) for trait in TRAITS}
    lots = [steps(judge.judged(judge.points(by_lot(policy, known_values, seed)))) for seed in range(LOTS)]
    figures = {name: [figure(lot) for lot in lots] for name, figure in FIGURES.items()}
    return {"policies": LOTS} | {
        name: _interval(spread(sum(values) / LOTS, values)) for name, values in figures.items()
    }


def _brier(learnt: Learnt, points: Sequence[engine.Points], leads: Sequence[Lead]) -> Json:
    """Of the probabilities that the points stand for, beside the one rate that was known on the day of the cut."""
    ends = list(map(was_won, leads))
    rate_foreseen = 1 - exp(-learnt.hazard)
    return {
        "policy": _rounded(brier(zip((learnt.chance(each.fit) for each in points), ends, strict=True))),
        "one_rate_for_all": _rounded(brier((rate_foreseen, won) for won in ends)),
        "rate_foreseen": _rounded(rate_foreseen),
    }


def _grade(letter: str, points: Sequence[engine.Points], leads: Sequence[Lead]) -> Json:
    ends = [was_won(lead) for each, lead in zip(points, leads, strict=True) if each.grade.startswith(letter)]
    share = _interval(wilson(sum(ends), len(ends))) if ends else None
    return {"fit": letter, "leads": len(ends), "won": sum(ends), "rate": share}


def _months(leads: Sequence[Lead], judged: Sequence[Judged]) -> list[Json]:
    by_month: dict[str, list[Judged]] = {}
    for lead, each in zip(leads, judged, strict=True):
        by_month.setdefault(f"{lead.first_contact:%Y-%m}", []).append(each)
    return [
        {"month": month, "leads": len(some), "rate": _rounded(rate(steps(some)))}
        | ({"auc": _rounded(auc(steps(some)))} if len({each.won for each in some}) == 2 else {})
        for month, some in by_month.items()
    ]


def _new(learnt: Learnt, leads: Sequence[Lead], trait: str) -> float:
    """The share of later leads with a value that no earlier lead had."""
    return sum(getattr(lead, trait) not in learnt.factors[trait] for lead in leads) / len(leads)


def _other(smoothing: float, leads: Sequence[Lead], judge: Judge, written: str) -> Json:
    """What would have come of another smoothing: to see whether the choice matters."""
    body = YAML(typ="safe").load(with_fit(written, learn(leads, smoothing).section()))
    by_score = steps(judge.judged(judge.points(ScoringPolicy.model_validate(body))))
    return {"smoothing": smoothing} | {name: _rounded(figure(by_score)) for name, figure in FIGURES.items()}


def _interval(estimate: Estimate) -> list[float]:
    return [_rounded(estimate.value), _rounded(estimate.low), _rounded(estimate.high)]


def _rounded(value: float) -> float:
    return round(value, 6)
