"""The gate's own rules: exclusions and segments, of which the first that holds decides, and what each gate requires."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from baton.lint import universe
from baton.lint.rules import LEAD, Ruled
from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies


def _rules(policies: Policies) -> Iterator[Finding]:
    """Some lead fits each of them, and none takes all leads of a later one."""
    gate = policies.qualification.gate
    space = universe.scored(policies)
    required: list[tuple[Place, Sequence[Any]]] = [(("gate", "requires"), gate.requires)]
    required += [(("gate", "segments", n, "requires"), one.requires) for n, one in enumerate(gate.segments)]
    in_order: list[tuple[Place, Sequence[Any]]] = [
        (("gate", "exclude"), gate.exclude),
        (("gate", "segments"), gate.segments),
    ]
    for base, rules in (*in_order, *required):
        ruled = Ruled(space, LEAD)
        for index, rule in enumerate(rules):
            ruled.add("qualification", (*base, index, "when"), rule.id, rule.when)
        yield from ruled.findings
        yield from ruled.dead()
        if base[-1] != "requires":
            yield from ruled.shadowed(lambda _: True)


GATE_CHECKS: tuple[Check, ...] = (_rules,)
