"""One lead, offered by the router to 佐藤, under a policy of a minute to accept and ten for the first touch."""

from __future__ import annotations

from typing import Any

import pytest

from services.handoff.domain.rep import Activity
from services.handoff.domain.routed import route
from services.handoff.domain.terms import Promises
from shared.schemas.policies import Label, SlaPolicy
from shared.schemas.policies.routing import DeclineReason
from shared.schemas.policies.sla import LeadClass
from shared.schemas.routing import LeadRouted, LeadWithdrawn, Reason, ScoreSummary

NOW = 1_700_000_000_000
SLA = SlaPolicy(
    classes=(LeadClass(id="hand_raise", accept=30, first_touch=45),),
    default=LeadClass(id="score", accept=60, first_touch=600),
)


class Given:
    """Builds what tests start from; `now` is the moment of the first offer, in ms."""

    now = NOW
    sla = Promises(SLA)

    def routed(self, assignment: int = 1, rep: str = "sato", **more: Any) -> LeadRouted:
        fields: dict[str, Any] = {
            "tenant": "hinode",
            "lead_id": "lead-1",
            "cycle": 1,
            "assignment": assignment,
            "decision_id": f"d-{assignment}",
            "decided_at": NOW,
            "leg": "fs",
            "pool_id": "tokyo",
            "rep_id": rep,
            "rep_name": rep.title(),
            "lead_class": "score",
            "qualifying_at": NOW - 1000,
            "score": ScoreSummary(fit=0, engagement=0, grade="B1", as_of=NOW),
        }
        return LeadRouted(**(fields | more))

    def withdrawn(self, assignment: int = 1, **more: Any) -> LeadWithdrawn:
        fields: dict[str, Any] = {
            "tenant": "hinode",
            "lead_id": "lead-1",
            "cycle": 1,
            "assignment": assignment,
            "reason": Reason(code="recycled"),
            "decided_at": NOW,
        }
        return LeadWithdrawn(**(fields | more))

    def offered(self, **more: Any) -> Any:
        """The opportunity after the first offer."""
        return route(None, self.routed(**more), Promises(SLA), NOW).opportunity

    def reason(self, code: str = "at_capacity", effect: str = "reroute") -> DeclineReason:
        return DeclineReason(code=code, kind="decline", label=Label(en=code), effect=effect)

    def touch(self, rep: str | None = "sato", *, human: bool = True, activity_id: str = "a-1") -> Activity:
        return Activity(activity_id, "call_connected" if human else "job_changed", NOW + 1, rep, is_first_touch=human)


@pytest.fixture
def given() -> Given:
    return Given()


@pytest.fixture
def kinds() -> Any:
    """What a change tells, in order."""
    return lambda change: [event.kind for event in change.events]


@pytest.fixture
def clocks() -> Any:
    """State of each clock, as (assignment, kind) -> state."""
    return lambda change: {(c.assignment, c.kind): c.state for c in change.opportunity.clocks}
