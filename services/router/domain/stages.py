"""The stages of a tenant's lifecycle, and what brings a lead back whose cycle has ended; ready for use."""

from __future__ import annotations

from dataclasses import dataclass

from services.router.domain.facts import Facts
from shared.schemas import conditions
from shared.schemas.catalogue import LIFECYCLE_FIELDS
from shared.schemas.conditions import Condition
from shared.schemas.policies.lifecycle import ENTRIES, USUAL, Again, Form, LifecyclePolicy
from shared.schemas.routing import Leg

DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Stages:
    """stages: those that a machine puts leads in, in order, each with its entry;  cool_off: ms, by how a cycle ended"""

    form: Form
    stages: tuple[tuple[str, Condition], ...]
    again: tuple[Again, ...]
    cool_off: dict[str, int]

    @staticmethod
    def of(policy: LifecyclePolicy | None) -> Stages:
        """Of a tenant without the policy: the stages of the vocabulary in their short form."""
        if policy is None:
            usual = tuple((name, conditions.parse(raw, LIFECYCLE_FIELDS)) for name, raw in ENTRIES.items())
            return Stages("short", usual, USUAL, {})
        stages = [
            (stage.id, conditions.parse(stage.entered_when, LIFECYCLE_FIELDS))
            for stage in policy.stages
            if stage.entered_when is not None
        ]
        cool_off = {str(ended): round(days * DAY) for ended, days in policy.cool_off_days.items()}
        return Stages(policy.form, tuple(stages), policy.again, cool_off)

    def stage(
        self,
        *,
        verdict: str | None,
        leg: Leg | None,
        passed_on: bool,
        accepted: bool = False,
        opportunity: str | None = None,
    ) -> str:
        """The last stage whose entry holds; `inquiry` where none does.

        verdict: of the gate, if it is ripe;  passed_on: inside sales has qualified it;  opportunity: the stage of its opportunity
        """
        facts: Facts = {"lead.passed_on": passed_on, "offer.accepted": accepted}
        facts |= {"gate.verdict": verdict} if verdict else {}
        facts |= {"lead.leg": leg} if leg else {}
        facts |= {"opportunity.stage": opportunity} if opportunity else {}
        return next((name for name, entry in reversed(self.stages) if entry.holds(facts)), "inquiry")
