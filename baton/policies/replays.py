"""Which rules of a scoring policy begin at nothing when it comes into force: what they would count was not kept for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from services.scoring.domain.ledger import DAY
from services.scoring.domain.rules import Behaviour, Rules
from services.scoring.recorded import HAND_RAISE, kept_by
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef

REBUILD = "`baton scoring rebuild` counts what came before"
GONE = f"what it gave until now is gone at once; {REBUILD}"
BACK = "has the marks of an earlier version again, and lacks what came in meanwhile (all, if the states were rebuilt since)"


def replays(
    before: Mapping[str, Any] | None, after: Mapping[str, Any], earlier: Iterable[Mapping[str, Any]] = ()
) -> list[str]:
    """One sentence for each rule and hand-raise of `after` that does not count all. All are bodies of scoring policies.

    earlier: the versions before `before`, whose marks stay where nothing was rebuilt

    None of a tenant's first policy: there was nothing to count. Points, caps and half-lives within the horizon are read from
    the same marks.
    """
    if before is None:
        return []
    new = _rules(after)
    try:
        old = _rules(before)
    except ValidationError:  # of an earlier version of this program
        return [
            f"the policy before this one cannot be read any more: what it kept is not known; if in doubt, {REBUILD}"
        ]
    kept = _marks(earlier)
    found = [
        f"{name} {BACK}; {REBUILD}"
        if key in kept
        else f"{name} counts from now on only: {why or 'it is new'}; {GONE if why else REBUILD}"
        for name, key, why in _changed(old, new)
    ]
    return found + [
        f"hand-raise {kind} {BACK if HAND_RAISE + kind in kept else 'counts from now on only: it is new'}; {REBUILD}"
        for kind in sorted(new.hand_raises - old.hand_raises)
    ]


def _rules(body: Mapping[str, Any]) -> Rules:
    return Rules(ScoringPolicy.model_validate(body), PolicyRef(sequence=0, hash=""))


def _marks(bodies: Iterable[Mapping[str, Any]]) -> set[str]:
    found: set[str] = set()
    for body in bodies:
        with suppress(ValidationError):  # of an earlier version of this program
            found |= {kept.name for kept in kept_by(_rules(body))}
    return found


def _changed(old: Rules, new: Rules) -> Iterator[tuple[str, str, str]]:
    """Name, key, and what of the key differs; "" where the rule is new."""
    kept = old.keys()
    before = {(rules.region, rule.rule_id): rule for rules in old.rule_sets() for rule in rules.behaviour}
    told: set[tuple[str, str]] = set()
    for rules in new.rule_sets():
        for rule in rules.behaviour:
            if rule.key in kept or (rule.rule_id, rule.key) in told:  # an overlay has the base's rules, too
                continue
            told.add((rule.rule_id, rule.key))
            known = before.get((rules.region, rule.rule_id)) or before.get((None, rule.rule_id))
            where = f" of overlay {rules.region}" if rules.region else ""
            yield f"rule {rule.rule_id}{where}", rule.key, _why(known, rule) if known else ""


def _why(old: Behaviour, new: Behaviour) -> str:
    """What of the key differs; its parts are those of `ledger.rule_key`."""
    when, limit, horizon, per, zone = (
        before != after for before, after in zip(old.key.split("."), new.key.split("."), strict=True)
    )
    changes = [name for name, changed in (("its `when`", when), ("its `limit`", limit), ("its `per`", per)) if changed]
    if horizon:
        changes.append(f"its reach ({_days(old)} to {_days(new)} days, by half-life and window)")
    if zone and not per:
        changes.append("the zone of its days")
    *others, last = changes
    return f"{', '.join(others)} and {last} changed" if others else f"{last} changed"


def _days(rule: Behaviour) -> str:
    return f"{rule.horizon / DAY:g}"
