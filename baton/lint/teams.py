"""Teams that can serve: reps who are named, managers who lead to an end, a rule for what inside sales gets back."""

from __future__ import annotations

from collections.abc import Iterator

from baton.policies.findings import Check, Finding, Policies


def _unused(policies: Policies) -> Iterator[Finding]:
    """Every rep is in a pool, on the staff of a campaign, or somebody's manager."""
    teams = policies.teams
    named = {member.rep for pool in teams.pools for member in pool.members}
    named |= {rep.manager for rep in teams.reps if rep.manager} | {pool.manager for pool in teams.pools if pool.manager}
    named |= {staff for campaign in policies.sources.campaigns for staff in campaign.staff}
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


def _no_manager(policies: Policies) -> Iterator[Finding]:
    """What a whole pool has had and given back ends with somebody who takes leads: its manager, or that of one who had it."""
    reps = {rep.id: rep for rep in policies.teams.reps}
    for index, pool in enumerate(policies.teams.pools):
        members = [member.rep for member in pool.members if member.rep in reps]
        named = [pool.manager] if pool.manager else [reps[rep].manager for rep in members]
        if any(
            one not in reps or reps[one].active for one in named if one
        ):  # of names that are not there another check tells
            continue
        en = f"pool `{pool.id}` has no `manager` who takes leads, nor has anybody in it: what all of them give back is parked"
        ja = f"プール`{pool.id}`にもその担当者にも、リードを受けられる上長がいません: 全員が辞退したリードは滞留します"
        yield Finding(
            "teams", ("pools", index, "manager") if pool.manager else ("pools", index), en, "pool-without-manager", ja
        )


def _returned(policies: Policies) -> Iterator[Finding]:
    """What field sales returns to inside sales is taken by some rule."""
    if any("is" in rule.legs for rule in policies.routing.rules):
        return
    for index, reason in enumerate(policies.routing.decline_reasons):
        if reason.effect == "return_to_is":
            en = f"reason `{reason.code}` returns leads to inside sales, and no rule is of leg `is`"
            ja = f"理由`{reason.code}`はISに戻しますが、レグ`is`の規則がありません"
            yield Finding("routing", ("decline_reasons", index, "effect"), en, "return-without-rule", ja)


def _unreached(policies: Policies) -> Iterator[Finding]:
    """Where people are told at all, everybody is who takes leads or answers for those who do."""
    teams = policies.teams
    named = {member.rep for pool in teams.pools for member in pool.members}
    named |= {rep.manager for rep in teams.reps if rep.manager} | {pool.manager for pool in teams.pools if pool.manager}
    for index, rep in enumerate(teams.reps):
        if teams.channels and rep.active and rep.id in named and not rep.notify:
            en = f"rep `{rep.id}` has no `notify`: nobody tells them of offers, or of what is late"
            ja = f"担当者`{rep.id}`に`notify`がありません: ご案内も遅れも通知されません"
            yield Finding("teams", ("reps", index), en, "rep-unreachable", ja)


TEAM_CHECKS: tuple[Check, ...] = (_unused, _loops, _no_manager, _returned, _unreached)
