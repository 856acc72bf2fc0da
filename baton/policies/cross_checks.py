"""What no file can know alone: that what one policy names stands in another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from baton.policies.calendar_checks import CALENDAR_CHECKS
from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from baton.policies.problems import Problem, suggest
from baton.policies.routing_checks import ROUTING_POLICY_CHECKS, routing_rules
from baton.policies.scoring_checks import SCORING_CHECKS, overlay_lists
from baton.policies.secret_checks import expired
from baton.policies.word_checks import WORD_CHECKS
from shared.schemas.policies.pipeline import PipelinePolicy
from shared.schemas.policies.qualification import Cells
from shared.schemas.policies.teams import Pool, Rep, TeamsPolicy


def cross_check(policies: Policies) -> list[Problem]:
    """All that is found, in order of file and line."""
    return told(policies, [finding for check in CHECKS for finding in check(policies)])


def told(policies: Policies, found: Sequence[Finding]) -> list[Problem]:
    """Findings with their files and lines, in order of these."""
    problems = []
    for finding in found:
        document = policies.documents[finding.kind]
        line = document.line(finding.place)
        problems.append(Problem(document.file, line, finding.message, finding.code, finding.ja, finding.example))
    return sorted(problems, key=Problem.where)


def _ids_once(policies: Policies) -> Iterator[Finding]:
    """Every id stands once in its list."""
    lists: list[tuple[str, Place, str, Sequence[Any]]] = [
        ("sources", ("sources",), "id", policies.sources.sources),
        *(("sources", ("sources", n, "secrets"), "id", s.secrets) for n, s in enumerate(policies.sources.sources)),
        ("sources", ("mapping",), "id", policies.sources.mapping),
        *(("sources", ("sources", n, "mapping"), "id", s.mapping) for n, s in enumerate(policies.sources.sources)),
        ("sources", ("evidence",), "criterion", policies.sources.evidence),
        ("sources", ("campaigns",), "id", policies.sources.campaigns),
        ("scoring", ("engagement", "rules"), "id", policies.scoring.engagement.rules),
        ("scoring", ("fit", "rules"), "id", policies.scoring.fit.rules),
        *(("scoring", place, "id", items) for place, items in overlay_lists(policies.scoring)),
        ("lifecycle", ("stages",), "id", policies.lifecycle.stages),
        (
            "lifecycle",
            ("again",),
            "id",
            policies.lifecycle.again if "again" in policies.lifecycle.model_fields_set else (),
        ),
        ("routing", ("rules",), "id", policies.routing.rules),
        ("routing", ("overlays",), "id", policies.routing.overlays),
        *(("routing", ("overlays", n, "rules"), "id", one.rules) for n, one in enumerate(policies.routing.overlays)),
        ("routing", ("decline_reasons",), "code", policies.routing.decline_reasons),
        ("teams", ("calendars",), "id", policies.teams.calendars),
        ("teams", ("channels",), "id", policies.teams.channels),
        ("teams", ("reps",), "id", policies.teams.reps),
        ("teams", ("pools",), "id", policies.teams.pools),
        *(("teams", ("pools", n, "members"), "rep", p.members) for n, p in enumerate(policies.teams.pools)),
        ("sla", ("classes",), "id", (*policies.sla.classes, policies.sla.default)),
        *(_lists_of_pipeline(policies.pipeline) if policies.pipeline else ()),
    ]
    for kind, place, name, items in lists:
        first: dict[str, int] = {}
        for index, item in enumerate(items):
            value = getattr(item, name)
            if value in first:
                here = (*place, index, name) if index < len(items) or kind != "sla" else ("default", "id")
                where = policies.documents[kind].line((*place, first[value]))
                yield Finding(kind, here, f"`{value}` is there already, on line {where}", code="id-twice")
            first.setdefault(value, index)


def _lists_of_pipeline(pipeline: PipelinePolicy) -> Iterator[tuple[str, Place, str, Sequence[Any]]]:
    yield "pipeline", ("types",), "type", pipeline.types
    for number, one in enumerate(pipeline.types):
        yield "pipeline", ("types", number, "stages"), "id", one.stages
    yield "pipeline", ("loss_reasons",), "code", pipeline.loss_reasons
    yield "pipeline", ("handover",), "id", pipeline.handover
    for ended, asked in pipeline.review.items():
        yield "pipeline", ("review", ended), "id", asked


def able(teams: TeamsPolicy, pool: Pool) -> list[Rep]:
    """Members who take leads at all: active, and with room for one."""
    named = {member.rep for member in pool.members}
    return [
        rep
        for rep in teams.reps
        if rep.id in named and rep.active and 0 not in (rep.capacity, rep.per_day, rep.per_week)
    ]


def _pools_and_reps(policies: Policies) -> Iterator[Finding]:
    """Rules name pools, pools and reps name reps, and somebody is there to take the lead."""
    teams = policies.teams
    pools, reps = [pool.id for pool in teams.pools], {rep.id: rep for rep in teams.reps}
    for base, rule in routing_rules(policies.routing):
        if rule.pool not in pools:
            message = f"rule `{rule.id}` names pool `{rule.pool}`, which teams.yaml does not have."
            ja = f"ルール `{rule.id}` のプール `{rule.pool}` は teams.yaml にありません。{suggest(rule.pool, pools, 'ja')}"
            yield Finding("routing", (*base, "pool"), message + suggest(rule.pool, pools), code="unknown-pool", ja=ja)
    for index, pool in enumerate(teams.pools):
        for number, member in enumerate(pool.members):
            if member.rep not in reps:
                message = f"pool `{pool.id}` names rep `{member.rep}`, whom `reps` does not have."
                place: Place = ("pools", index, "members", number, "rep")
                yield Finding("teams", place, message + suggest(member.rep, reps), code="unknown-rep")
        if pool.manager is not None and pool.manager not in reps:
            message = f"pool `{pool.id}` has the manager `{pool.manager}`, whom `reps` does not have."
            yield Finding(
                "teams", ("pools", index, "manager"), message + suggest(pool.manager, reps), code="unknown-manager"
            )
        if not able(teams, pool):
            message = f"pool `{pool.id}` has nobody who is active and has capacity: its leads will wait"
            yield Finding("teams", ("pools", index), message, code="pool-nobody")
        if pool.id not in {rule.pool for rule in policies.routing.all_rules}:
            yield Finding(
                "teams", ("pools", index), f"pool `{pool.id}` is named by no routing rule", code="unused-pool"
            )
    for index, rep in enumerate(teams.reps):
        if rep.manager is not None and (rep.manager not in reps or rep.manager == rep.id):
            others = [other for other in reps if other != rep.id]
            message = f"rep `{rep.id}` has the manager `{rep.manager}`, who is no other rep of this file."
            yield Finding(
                "teams", ("reps", index, "manager"), message + suggest(rep.manager, others), code="unknown-manager"
            )


def _channels(policies: Policies) -> Iterator[Finding]:
    """Reps are told on channels that are there, and every channel tells somebody."""
    known = [channel.id for channel in policies.teams.channels]
    named = {address.channel for rep in policies.teams.reps for address in rep.notify}
    for index, rep in enumerate(policies.teams.reps):
        for number, address in enumerate(rep.notify):
            if address.channel not in known:
                message = f"rep `{rep.id}` is told on `{address.channel}`, which `channels` does not have."
                place: Place = ("reps", index, "notify", number, "channel")
                yield Finding("teams", place, message + suggest(address.channel, known), code="unknown-notify-channel")
    for index, channel in enumerate(policies.teams.channels):
        if channel.id not in named:
            message = f"nobody is told on channel `{channel.id}`"
            yield Finding("teams", ("channels", index), message, code="unused-notify-channel")


def _unreachable(policies: Policies) -> Iterator[Finding]:
    """Who cannot be reached is given back for a reason that there is, and by which the lead comes back."""
    rule = policies.sla.unreachable
    if rule is None:
        return
    back = [one.code for one in policies.routing.decline_reasons if one.effect in ("recycle", "nurture", "on_hold")]
    if rule.reason not in back:
        message = (
            f"`{rule.reason}` is none of routing.yaml's decline_reasons with the effect recycle, nurture or on_hold."
        )
        place: Place = ("unreachable", "reason") if "reason" in rule.model_fields_set else ("unreachable",)
        yield Finding("sla", place, message + suggest(rule.reason, back), code="unreachable-reason")


def _skills(policies: Policies) -> Iterator[Finding]:
    """What a pool asks for or prefers, one of its members has: all the skills of one entry together."""
    teams = policies.teams
    has = {rep.id: {skill.casefold() for skill in rep.skills} for rep in teams.reps}
    known = {skill.casefold(): skill for rep in teams.reps for skill in rep.skills}
    for index, pool in enumerate(teams.pools):
        asked = [("requires", n, one.skills, "leads that ask for it will wait") for n, one in enumerate(pool.requires)]
        asked += [("prefers", n, one.skills, "it gives nobody points") for n, one in enumerate(pool.prefers)]
        for field, number, skills, so in asked:
            wanted = {skill.casefold() for skill in skills}
            if not any(wanted <= has.get(member.rep, set()) for member in pool.members):
                missing = next((one for one in skills if one.casefold() not in known), None)
                message = f"nobody in pool `{pool.id}` has {', '.join(f'`{one}`' for one in skills)}: {so}."
                message += suggest(missing, list(known.values())) if missing else ""
                yield Finding("teams", ("pools", index, field, number, "skills"), message, code="skill-nobody-has")
        if (pool.strategy == "best_fit") != bool(pool.prefers):
            message = f"pool `{pool.id}` has the strategy `{pool.strategy}`, and `prefers` counts for `best_fit` alone"
            if pool.strategy == "best_fit":
                message = f"pool `{pool.id}` is to go by best fit, and nothing in `prefers` says what that is"
            place: Place = ("pools", index, "strategy" if pool.strategy == "best_fit" else "prefers")
            yield Finding("teams", place, message, code="strategy-without-points")


def _queues(policies: Policies) -> Iterator[Finding]:
    """Leads wait in a queue only where somebody is to choose, and what is overdue has somebody to go to."""
    for index, pool in enumerate(policies.teams.pools):
        if pool.mode not in ("dispatch", "claim") and "queue" in pool.model_fields_set:
            message = f"pool `{pool.id}` has the mode `{pool.mode}`: `queue` counts for `dispatch` and `claim` alone"
            yield Finding("teams", ("pools", index, "queue"), message, code="queue-without-pool")
        elif pool.queue.overdue == "manager" and pool.manager is None:
            message = f"what is overdue in pool `{pool.id}` is to go to its manager, and it names no `manager`"
            yield Finding("teams", ("pools", index, "queue", "overdue"), message, code="queue-without-manager")


def _staff(policies: Policies) -> Iterator[Finding]:
    """Who stands at a fair is a rep."""
    reps = [rep.id for rep in policies.teams.reps]
    for index, campaign in enumerate(policies.sources.campaigns):
        for number, rep in enumerate(campaign.staff):
            if rep not in reps:
                message = f"campaign `{campaign.id}` has `{rep}` on its staff, whom `reps` of teams.yaml does not have."
                yield Finding(
                    "sources", ("campaigns", index, "staff", number), message + suggest(rep, reps), code="unknown-rep"
                )


def _gate(policies: Policies) -> Iterator[Finding]:
    """A grade has one way."""
    gate = policies.qualification.gate
    segments = [(("gate", "segments", number), segment) for number, segment in enumerate(gate.segments)]
    cells: list[tuple[Place, Cells]] = [(("gate",), gate), *segments]
    for place, each in cells:
        for index, grade in enumerate(each.explore.grades if each.explore else ()):
            if grade in (*each.mql, *each.inside_sales_check):
                message = f"`{grade}` passes the gate already: there is nothing to explore"
                yield Finding("qualification", (*place, "explore", "grades", index), message, code="grade-twice")
        for index, grade in enumerate(each.inside_sales_check):
            if grade in each.mql:
                message = f"`{grade}` is an MQL already: a grade has one way"
                yield Finding("qualification", (*place, "inside_sales_check", index), message, code="grade-twice")


def _write_keys(policies: Policies) -> Iterator[Finding]:
    """A write key says which source it is."""
    holders: dict[str, str] = {}
    for index, source in enumerate(policies.sources.sources):
        for number, key in enumerate(source.write_keys):
            place: Place = ("sources", index, "write_keys", number)
            holder = holders.setdefault(key, source.id)
            if holder != source.id:
                message = f"source `{source.id}` has the write key of `{holder}`: nobody could tell them apart"
                yield Finding("sources", place, message, code="shared-key")
            if not key.startswith(("env:", "file:")):
                message = f"source `{source.id}` has its write key in the file; `env:NAME` or `file:PATH` keeps it out"
                yield Finding("sources", place, message, code="key-in-file")


CHECKS: tuple[Check, ...] = (
    _ids_once,
    _pools_and_reps,
    _channels,
    _unreachable,
    _skills,
    _queues,
    _staff,
    _gate,
    _write_keys,
    expired,
    *CALENDAR_CHECKS,
    *SCORING_CHECKS,
    *ROUTING_POLICY_CHECKS,
    *WORD_CHECKS,
)
