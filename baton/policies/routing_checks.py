"""Routing rules of every region, and those whose time is over."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from baton.policies.problems import suggest
from shared.schemas.policies.routing import RoutingPolicy, RoutingRule


def routing_rules(policy: RoutingPolicy) -> Iterator[tuple[Place, RoutingRule]]:
    """Of all regions, with their places."""
    yield from ((("rules", n), rule) for n, rule in enumerate(policy.rules))
    for index, overlay in enumerate(policy.overlays):
        yield from ((("overlays", index, "rules", n), rule) for n, rule in enumerate(overlay.rules))


def _dates(policies: Policies) -> Iterator[Finding]:
    """Rules whose time is over."""
    today = policies.now.astimezone(ZoneInfo(policies.routing.zone)).date()
    for place, rule in routing_rules(policies.routing):
        if rule.valid_until is not None and rule.valid_until < today:
            message = f"rule `{rule.id}` ended on {rule.valid_until}: it takes no lead any more"
            yield Finding("routing", (*place, "valid_until"), message, code="rule-past")


def _overlays(policies: Policies) -> Iterator[Finding]:
    """An overlay changes what there is."""
    base = [rule.id for rule in policies.routing.rules]
    for index, overlay in enumerate(policies.routing.overlays):
        place: Place = ("overlays", index)
        own = {rule.id for rule in overlay.rules}
        for number, off in enumerate(overlay.off):
            if off not in base:
                message = f"overlay `{overlay.id}` switches off `{off}`, and there is no such rule."
                yield Finding("routing", (*place, "off", number), message + suggest(off, base), code="unknown-rule")
            elif off in own:
                message = f"overlay `{overlay.id}` switches `{off}` off and has a rule of this id: one or the other"
                yield Finding("routing", (*place, "off", number), message, code="off-and-own")
        if not own and not overlay.off:
            yield Finding("routing", place, f"overlay `{overlay.id}` changes nothing", code="overlay-changes-nothing")


ROUTING_POLICY_CHECKS: tuple[Check, ...] = (_dates, _overlays)
