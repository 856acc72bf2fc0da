"""A scoring policy that does what its author thinks: rules of every region, windows, dates, cycles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from baton.policies.problems import suggest
from services.handoff.domain.activities import ACTIVITY_TYPES
from services.scoring.domain.better import types_of
from services.scoring.domain.ledger import HALF_LIVES
from shared.schemas import conditions
from shared.schemas.catalogue import BEHAVIOUR_FIELDS
from shared.schemas.policies import BehaviourRule, FitRule, ScoringPolicy
from shared.schemas.vocabulary import OUTCOME_OF_REASON, OUTCOME_OF_STAGE

OUTCOMES = frozenset(OUTCOME_OF_REASON.values()) | frozenset(OUTCOME_OF_STAGE.values())


def behaviour_rules(policy: ScoringPolicy) -> Iterator[tuple[Place, BehaviourRule]]:
    """Of all regions, with their places."""
    yield from ((("engagement", "rules", n), rule) for n, rule in enumerate(policy.engagement.rules))
    for index, overlay in enumerate(policy.overlays):
        yield from ((("overlays", index, "behaviour", n), rule) for n, rule in enumerate(overlay.behaviour))


def fit_rules(policy: ScoringPolicy) -> Iterator[tuple[Place, FitRule]]:
    yield from ((("fit", "rules", n), rule) for n, rule in enumerate(policy.fit.rules))
    for index, overlay in enumerate(policy.overlays):
        yield from ((("overlays", index, "fit", n), rule) for n, rule in enumerate(overlay.fit))


def _rules(policy: ScoringPolicy) -> Iterator[tuple[Place, BehaviourRule | FitRule]]:
    yield from behaviour_rules(policy)
    yield from fit_rules(policy)


def scoring_conditions(policy: ScoringPolicy) -> Iterator[tuple[Place, Any]]:
    for place, rule in _rules(policy):
        yield (*place, "when"), rule.when
    yield from ((("overlays", index, "when"), overlay.when) for index, overlay in enumerate(policy.overlays))
    if policy.internal is not None:
        yield ("internal",), policy.internal


def _groups(policies: Policies) -> Iterator[Finding]:
    """Behaviour groups have caps, and caps have rules."""
    policy = policies.scoring
    groups, used = policy.engagement.groups, set()
    for place, rule in behaviour_rules(policy):
        used.add(rule.group)
        if rule.group not in groups:
            message = f"rule `{rule.id}` is of group `{rule.group}`, which `groups` gives no cap."
            yield Finding("scoring", (*place, "group"), message + suggest(rule.group, groups), code="unknown-group")
    for group in sorted(groups.keys() - used):
        yield Finding("scoring", ("engagement", "groups", group), f"no rule is of group `{group}`", code="unused-group")


def _bands(policies: Policies) -> Iterator[Finding]:
    """Thresholds fall."""
    policy = policies.scoring
    for place, values in (
        (("engagement", "bands"), policy.engagement.bands),
        (("fit", "grades"), policy.fit.grades),
        (("account", "bands"), policy.account.bands),
    ):
        if not values[0] > values[1] > values[2]:
            told = ", ".join(f"{value:g}" for value in values)
            message = f"`{place[-1]}` are to fall, and {told} do not"
            yield Finding("scoring", place, message, code="thresholds-rise")
    if policy.temperature.hot > policy.temperature.warm:
        message = f"nobody is warm: band {policy.temperature.warm} is hot already"
        yield Finding("scoring", ("temperature", "warm"), message, code="nobody-warm")


def _windows(policies: Policies) -> Iterator[Finding]:
    """A window ends something."""
    for place, rule in behaviour_rules(policies.scoring):
        longest = HALF_LIVES * rule.half_life_days
        if rule.window_days is not None and rule.window_days > longest:
            message = (
                f"rule `{rule.id}`: a window of {rule.window_days:g} days ends nothing, "
                f"after seven half-lives ({longest:g} days) a touch is worth nothing anyway"
            )
            yield Finding("scoring", (*place, "window_days"), message, code="window-ends-nothing")


def _dates(policies: Policies) -> Iterator[Finding]:
    """Rules whose time is over."""
    policy = policies.scoring
    today = (policies.now + timedelta(minutes=policy.zone_offset_minutes)).date()
    for place, rule in _rules(policy):
        if rule.valid_until is not None and rule.valid_until < today:
            message = f"rule `{rule.id}` ended on {rule.valid_until}: it gives nothing any more"
            yield Finding("scoring", (*place, "valid_until"), message, code="rule-past")


def _cycles(policies: Policies) -> Iterator[Finding]:
    """Only what sales says has a cycle."""
    for place, rule in behaviour_rules(policies.scoring):
        types = set(types_of(conditions.parse(rule.when, BEHAVIOUR_FIELDS)))
        if rule.per == "cycle" and not types & (OUTCOMES | ACTIVITY_TYPES):
            message = (
                f"rule `{rule.id}` counts `per: cycle`, and only what sales says has one "
                f"({', '.join(sorted(OUTCOMES))}): for all else this is `campaign`"
            )
            yield Finding("scoring", (*place, "per"), message, code="no-cycle")


def _overlays(policies: Policies) -> Iterator[Finding]:
    """An overlay changes what there is."""
    policy = policies.scoring
    behaviour, fit = [rule.id for rule in policy.engagement.rules], [rule.id for rule in policy.fit.rules]
    base = [*behaviour, *fit]
    for index, overlay in enumerate(policy.overlays):
        place: Place = ("overlays", index)
        their_behaviour, their_fit = [rule.id for rule in overlay.behaviour], [rule.id for rule in overlay.fit]
        own = {*their_behaviour, *their_fit}
        for number, off in enumerate(overlay.off):
            if off not in base:
                message = f"overlay `{overlay.id}` switches off `{off}`, and there is no such rule."
                yield Finding("scoring", (*place, "off", number), message + suggest(off, base), code="unknown-rule")
            elif off in own:
                message = f"overlay `{overlay.id}` switches `{off}` off and has a rule of this id: one or the other"
                yield Finding("scoring", (*place, "off", number), message, code="off-and-own")
        for kind, theirs, others in (
            ("behaviour", their_behaviour, fit),
            ("fit", their_fit, behaviour),
        ):
            for number, rule_id in enumerate(theirs):
                if rule_id in others:
                    where = "fit" if kind == "behaviour" else "engagement"
                    message = f"`{rule_id}` is a rule of {where}: this one stands beside it, and in place of none"
                    yield Finding("scoring", (*place, kind, number, "id"), message, code="rule-beside")
        if not own and not overlay.off:
            yield Finding("scoring", place, f"overlay `{overlay.id}` changes nothing", code="overlay-changes-nothing")


def overlay_lists(policy: ScoringPolicy) -> Iterator[tuple[Place, Sequence[Any]]]:
    """Lists in which every id stands once."""
    yield ("overlays",), policy.overlays
    for index, overlay in enumerate(policy.overlays):
        yield ("overlays", index, "behaviour"), overlay.behaviour
        yield ("overlays", index, "fit"), overlay.fit


SCORING_CHECKS: tuple[Check, ...] = (_groups, _bands, _windows, _dates, _cycles, _overlays)
