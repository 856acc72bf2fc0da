"""What marketing automation is to do with a lead that is not ripe: its scenario, and whether it may write."""

from __future__ import annotations

from dataclasses import dataclass

from services.router.domain.facts import WITHDRAWN, Facts
from services.router.domain.gate import Gated
from shared.schemas import conditions
from shared.schemas.catalogue import NURTURE_FIELDS
from shared.schemas.conditions import Condition
from shared.schemas.policies.base import Label
from shared.schemas.policies.qualification import Nurture, Scenario


@dataclass(frozen=True, slots=True)
class Nurturing:
    """scenario: the id of the one that the lead goes into; None for none"""

    scenario: str | None = None
    may_email: bool = False


NONE = Nurturing()


@dataclass(frozen=True, slots=True)
class NurtureRules:
    """Scenarios with their conditions parsed, and the one under which mail may be sent."""

    scenarios: tuple[tuple[Condition, Scenario], ...] = ()
    may_email: Condition | None = None

    @staticmethod
    def of(policy: Nurture | None) -> NurtureRules:
        if policy is None:
            return NurtureRules()
        return NurtureRules(
            tuple((conditions.parse(one.when, NURTURE_FIELDS), one) for one in policy.scenarios),
            conditions.parse(policy.may_email, NURTURE_FIELDS) if policy.may_email is not None else None,
        )

    def choose(self, gated: Gated, facts: Facts) -> Nurturing:
        """The first scenario whose condition holds. Who is never to be routed is left alone."""
        if gated.never and gated.outcome != "nurture":
            return NONE
        return self._choose(facts)

    def after(self, ended: str, reason: str | None, facts: Facts) -> Nurturing:
        """The same for a lead whose cycle ended as `ended`, given back for `reason`; nobody goes on with one that was won, or
        that is out, or that somebody else has, or only was a test."""
        if ended in ("won", "disqualified", "to_owner") or facts.get("lead.internal") or facts.get("lead.is_test"):
            return NONE
        told: Facts = {"lead.ended": ended}
        if reason is not None:
            told["lead.given_back_for"] = reason
        return self._choose(facts | told)

    def _choose(self, facts: Facts) -> Nurturing:
        scenario = next((one.id for condition, one in self.scenarios if condition.holds(facts)), None)
        refused = facts.get("lead.consent_email") == WITHDRAWN  # whatever the rule says
        may_email = self.may_email is not None and not refused and self.may_email.holds(facts)
        return Nurturing(scenario, may_email and scenario is not None)

    def label(self, scenario: str) -> Label:
        return next((one.label for _, one in self.scenarios if one.id == scenario), Label())
