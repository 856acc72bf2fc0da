"""The policies that a tenant's decisions follow, ready for use, and which versions of them they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.router.domain.facts import Facts
from services.router.domain.gate import GateRules
from services.router.domain.nurture import NurtureRules
from services.router.domain.stages import Stages
from shared.availability.people import Away, NotAtWork, Person, not_at_work, people
from shared.schemas import conditions
from shared.schemas.catalogue import ROUTING_FIELDS
from shared.schemas.conditions import Condition
from shared.schemas.policies.frameworks import Framework
from shared.schemas.policies.lifecycle import LifecyclePolicy
from shared.schemas.policies.qualification import QualificationPolicy
from shared.schemas.policies.routing import DeclineReason, RoutingOverlay, RoutingPolicy, RoutingRule
from shared.schemas.policies.sla import LeadClass, SlaPolicy
from shared.schemas.policies.teams import Pool, Preference, Rep, TeamsPolicy
from shared.schemas.scores import PolicyRef

NEEDED = ("qualification", "routing", "teams", "sla")
FOLLOWED = (*NEEDED, "lifecycle")  # a tenant without the last has the stages of the vocabulary


@dataclass(frozen=True, slots=True)
class Rule:
    """A routing rule with its condition parsed. region: whose overlay it is of, if any"""

    rule: RoutingRule
    condition: Condition
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """The rules that count for leads for which the condition holds."""

    condition: Condition
    rules: tuple[Rule, ...]

    @staticmethod
    def of(overlay: RoutingOverlay, rules: Sequence[RoutingRule]) -> Region:
        own = {rule.id for rule in overlay.rules}
        counting = tuple(
            Rule(rule, conditions.parse(rule.when, ROUTING_FIELDS), overlay.id if rule.id in own else None)
            for rule in overlay.over(rules)
        )
        return Region(conditions.parse(overlay.when, ROUTING_FIELDS), counting)


@dataclass(frozen=True, slots=True)
class Required:
    """Skills that a pool asks of its members for leads for which the condition holds."""

    skills: tuple[str, ...]
    condition: Condition


@dataclass(frozen=True, slots=True)
class Preferred:
    """What gives points in a pool, with its condition parsed."""

    preference: Preference
    condition: Condition


@dataclass(frozen=True, slots=True)
class Playbook:
    """All that a decision follows beside its inputs. refs: kind of policy -> its version."""

    qualification: QualificationPolicy
    routing: RoutingPolicy
    teams: TeamsPolicy
    sla: SlaPolicy
    refs: Mapping[str, PolicyRef]
    rules: tuple[Rule, ...] = field(repr=False)
    regions: tuple[Region, ...] = field(repr=False)
    pools: Mapping[str, Pool] = field(repr=False)
    requires: Mapping[str, tuple[Required, ...]] = field(repr=False)  # by pool
    prefers: Mapping[str, tuple[Preferred, ...]] = field(repr=False)  # by pool
    reps: Mapping[str, Rep] = field(repr=False)
    accounts_first: bool = field(repr=False)  # whether the gate has to know a lead's account
    gate: GateRules = field(repr=False)
    nurture: NurtureRules = field(repr=False)
    framework: Framework = field(repr=False)
    stages: Stages = field(repr=False)
    people: Mapping[str, Person] = field(repr=False)  # reps whose hours the policy knows; the others are always at work

    @staticmethod
    def of(
        qualification: QualificationPolicy,
        routing: RoutingPolicy,
        teams: TeamsPolicy,
        sla: SlaPolicy,
        refs: Mapping[str, PolicyRef],
        lifecycle: LifecyclePolicy | None = None,
    ) -> Playbook:
        gate = GateRules.of(qualification.gate)
        return Playbook(
            qualification,
            routing,
            teams,
            sla,
            refs,
            rules=tuple(Rule(rule, conditions.parse(rule.when, ROUTING_FIELDS)) for rule in routing.rules),
            regions=tuple(Region.of(overlay, routing.rules) for overlay in routing.overlays),
            pools={pool.id: pool for pool in teams.pools},
            requires={
                pool.id: tuple(
                    Required(one.skills, conditions.parse(one.when, ROUTING_FIELDS)) for one in pool.requires
                )
                for pool in teams.pools
            },
            prefers={
                pool.id: tuple(Preferred(one, conditions.parse(one.when, ROUTING_FIELDS)) for one in pool.prefers)
                for pool in teams.pools
            },
            reps={rep.id: rep for rep in teams.reps},
            accounts_first=_names_account(qualification.model_dump())
            or gate.may_drop_who_is_alone
            or _has_targets(routing),
            gate=gate,
            nurture=NurtureRules.of(qualification.nurture),
            framework=qualification.asked,
            stages=Stages.of(lifecycle),
            people=people(teams),
        )

    @property
    def sequence(self) -> int:
        """Of the newest of its policies."""
        return max(ref.sequence for ref in self.refs.values())

    @property
    def gate_sequence(self) -> int:
        return self.refs["qualification"].sequence

    def rules_for(self, facts: Facts) -> tuple[Rule, ...]:
        """Those of the first region that the lead is of, else those of all."""
        return next((region.rules for region in self.regions if region.condition.holds(facts)), self.rules)

    def moment(self, at: int) -> datetime:
        """A moment (ms) by the clocks of the routing policy's zone."""
        return datetime.fromtimestamp(at / 1000, ZoneInfo(self.routing.zone))

    def weights(self, pool_id: str) -> dict[str, int]:
        """Members of a pool and their weights; a member named twice counts as named last."""
        pool = self.pools.get(pool_id)
        return {member.rep: member.weight for member in pool.members} if pool else {}

    def skills(self, pool_id: str, facts: Facts) -> tuple[str, ...]:
        """All skills that a member of the pool must have for a lead of these facts."""
        asked = (one.skills for one in self.requires.get(pool_id, ()) if one.condition.holds(facts))
        return tuple(dict.fromkeys(skill for skills in asked for skill in skills))

    def preferred(self, pool_id: str, facts: Facts) -> tuple[Preference, ...]:
        """What gives points to members of the pool for a lead of these facts."""
        return tuple(one.preference for one in self.prefers.get(pool_id, ()) if one.condition.holds(facts))

    def out(self, away: Mapping[str, Away], at: int) -> dict[str, NotAtWork]:
        """Reps who are not at work at `at`, and until when. away: what they have said at run time"""
        return not_at_work(self.people, away, {rep_id: rep.zone for rep_id, rep in self.reps.items()}, at)

    def decline(self, code: str | None) -> DeclineReason | None:
        return next((reason for reason in self.routing.decline_reasons if reason.code == code), None)

    def promise(self, lead_class: str) -> LeadClass:
        """The class of this id; the default one where the policy does not name it any more."""
        return next((known for known in self.sla.classes if known.id == lead_class), self.sla.default)

    def lead_class(self, touch_type: str | None) -> LeadClass:
        """The first class that claims this touch; the default class where none does."""
        claims = (kind for kind in self.sla.classes if touch_type in kind.touch_types)
        return next(claims, self.sla.default)


def _names_account(policy: Any) -> bool:
    """Whether any condition of a policy names a field of `account.*`."""
    if isinstance(policy, Mapping):
        return any(_of_account(name) or _names_account(value) for name, value in policy.items())
    return isinstance(policy, list | tuple) and any(_names_account(one) for one in policy)


def _of_account(name: object) -> bool:
    return isinstance(name, str) and name.startswith("account.")


def _has_targets(routing: RoutingPolicy) -> bool:
    named = routing.accounts.named_account
    return named is not None and bool(named.any_score)


@dataclass(frozen=True, slots=True)
class Following:
    """What is known of a tenant's policies: its playbook, or which kinds of policy are missing for one."""

    playbook: Playbook | None
    missing: tuple[str, ...] = ()
