"""Mapping rules: some event fits every one, and no earlier one takes all of its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from baton.lint import universe
from baton.lint.rules import EVENT, Ruled
from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from shared.schemas.policies import MappingRule


def _mapping(policies: Policies) -> Iterator[Finding]:
    """A source's own rules come before those of all; these are compared with each other alone, since every source has its own."""
    lists: list[tuple[Place, Sequence[MappingRule]]] = [(("mapping",), policies.sources.mapping)]
    lists += [(("sources", index, "mapping"), source.mapping) for index, source in enumerate(policies.sources.sources)]
    for base, rules in lists:
        ruled = Ruled(universe.events(policies), EVENT)
        for index, rule in enumerate(rules):
            ruled.add("sources", (*base, index, "when"), rule.id, rule.when)
        yield from ruled.findings
        yield from ruled.dead()
        yield from ruled.shadowed(lambda _: True)


SOURCES_CHECKS: tuple[Check, ...] = (_mapping,)
