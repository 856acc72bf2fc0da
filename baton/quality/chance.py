"""Policies that know nothing: as many rules with the same points, and what stands in which is drawn by lot. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from shared.schemas.policies import ScoringPolicy
from shared.schemas.policies.scoring import FitRule


def by_lot(policy: ScoringPolicy, values: Mapping[str, Sequence[str]], seed: int) -> ScoringPolicy:
    """The policy with the values of its fit rules (`field: {in: […]}`) drawn from all `values` of that field, each once: every
    rule keeps its points and how many values it names. Other rules stay as they are."""
    dice = random.Random(seed)
    left = {field: dice.sample(all_values, len(all_values)) for field, all_values in values.items()}
    rules = []
    for rule in policy.fit.rules:
        drawn = {field: {"in": [left[field].pop() for _ in named]} for field, named in _named(rule)}
        rules.append(rule.model_copy(update={"when": rule.when | drawn}))
    return policy.model_copy(update={"fit": policy.fit.model_copy(update={"rules": tuple(rules)})})


def _named(rule: FitRule) -> Iterator[tuple[str, list[str]]]:
    """The fields of a rule that have to be one of a list."""
    for field, test in rule.when.items():
        if isinstance(test, dict) and set(test) == {"in"}:
            yield field, test["in"]
