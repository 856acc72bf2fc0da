"""Teams that can serve: reps who are named, managers who lead to an end, a rule for what inside sales gets back."""

from __future__ import annotations

from collections.abc import Iterator

from baton.policies.findings import Check, Finding, Policies


def _unused(policies: Policies) -> Iterator[Finding]:
    """Every rep is in a pool, on the staff of a campaign, or somebody's manager."""
    teams = policies.teams
    named = {member.rep for pool in teams.pools for member in pool.members}
    named |= {rep.manager for rep in teams.reps if rep.manager} | {
        r for c in policies.sources.campaigns for r in c.staff
    }
    for index, rep in enumerate(teams.reps):
        if rep.id not in named:
            en = f"rep `{rep.id}` is in no pool, on no staff and nobody's manager: no lead ever comes to them"
            ja = f"担当者`{rep.id}`はどのプールにも属さず、当番でも上長でもありません: リードは届きません"
            yield Finding("teams", ("reps", index), en, "unused-rep", ja)


def _loops(policies: Policies) -> Iterator[Finding]:
    """Whoever asks for the manager, and for theirs, comes to somebody who has none."""
    managers = {rep.id: rep.manager for rep in policies.teams.reps}
    indexes = {rep.id: index for index, rep in enumerate(policies.teams.reps)}
    told: set[str] = set()
    for rep in policies.teams.reps:
        way, current = list[str](), rep.id
        while current in managers and current not in way:
            way.append(current)
            current = managers[current] or ""
        loop = way[way.index(current) :] if current in way else []
        if len(loop) > 1 and current not in told:  # who is their own manager, another check tells
            told |= set(loop)
            names = " → ".join(f"`{name}`" for name in (*loop, current))
            en, ja = f"managers lead back to where they began: {names}", f"上長をたどると元に戻ります: {names}"
            yield Finding("teams", ("reps", indexes[current], "manager"), en, "manager-loop", ja)


def _returned(policies: Policies) -> Iterator[Finding]:
    """What field sales returns to inside sales is taken by some rule."""
    if any("is" in rule.legs for rule in policies.routing.rules):
        return
    for index, reason in enumerate(policies.routing.decline_reasons):
        if reason.effect == "return_to_is":
            en = f"reason `{reason.code}` returns leads to inside sales, and no rule is of leg `is`"
            ja = f"理由`{reason.code}`はISに戻しますが、レグ`is`の規則がありません"
            yield Finding("routing", ("decline_reasons", index, "effect"), en, "return-without-rule", ja)


TEAM_CHECKS: tuple[Check, ...] = (_unused, _loops, _returned)
