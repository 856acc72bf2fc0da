"""The policies that handoff goes by: SLA (clocks), routing (reasons of a decline), qualification (questions), teams (names),
pipeline (deals)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog

from services.handoff.domain.activities import ACTIVITY_TYPES
from services.handoff.domain.terms import Promises
from shared.availability.calendar import ALWAYS, Calendar
from shared.availability.people import Away, calendar_of, person_of
from shared.kit.dead_letters import Reject
from shared.kit.kafka import Message
from shared.kit.policies import take
from shared.schemas.policies import PipelinePolicy, QualificationPolicy, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.policies.book import PolicyBook
from shared.schemas.policies.frameworks import Framework
from shared.schemas.policies.routing import DeclineReason
from shared.schemas.policies.sla import PauseReason, Unreachable

log = structlog.get_logger(__name__)


class Policies:
    """Filled from the `policies` topic.

    wait_seconds: how long a tenant's first lead waits for the tenant's SLA policy. They come by different topics, so a lead may be
                  faster than its policy; a tenant without one is not waited for again until some policy arrives.
    """

    def __init__(self, *, wait_seconds: float) -> None:
        self._book = PolicyBook(
            {
                "sla": SlaPolicy,
                "routing": RoutingPolicy,
                "qualification": QualificationPolicy,
                "teams": TeamsPolicy,
                "pipeline": PipelinePolicy,
            }
        )
        self._wait = wait_seconds
        self._given_up: set[str] = set()
        self._arrived = asyncio.Condition()
        self.changed = asyncio.Event()  # set when one arrived: clocks may go by it

    async def apply(self, message: Message) -> None:
        """Take in a record of the topic. One that cannot be read changes nothing."""
        if take(self._book, message):
            self.changed.set()
            async with self._arrived:
                self._given_up.clear()
                self._arrived.notify_all()

    async def awaited(self, tenant: str) -> Promises:
        """What is promised to the tenant's leads, waited for. Raises Reject `no_policy`."""
        if not self._known(tenant) and tenant not in self._given_up:
            await self._await(tenant)
        found = self.promises(tenant)
        if found is None:
            raise Reject("no_policy", "the tenant has no SLA policy: apply one, then replay the dead letters")
        return found

    def promises(self, tenant: str, away: Mapping[str, Away] | None = None) -> Promises | None:
        """What is promised to the tenant's leads while these reps are away; None without an SLA policy."""
        sla, teams = self._book.find(tenant, SlaPolicy), self._book.find(tenant, TeamsPolicy)
        return Promises(sla[0], teams[0] if teams else None, away or {}, self.pipeline(tenant)) if sla else None

    def _known(self, tenant: str) -> bool:
        return self._book.find(tenant, SlaPolicy) is not None

    async def _await(self, tenant: str) -> None:
        log.warning("waiting_for_policy", tenant=tenant, kind="sla")
        try:
            async with asyncio.timeout(self._wait), self._arrived:
                await self._arrived.wait_for(lambda: self._known(tenant))
        except TimeoutError:
            self._given_up.add(tenant)

    def activity_types(self, tenant: str) -> tuple[frozenset[str], frozenset[str]]:
        """Activities that count as a human touch (none without an SLA policy), and all that may be logged."""
        found = self._book.find(tenant, SlaPolicy)
        touches = frozenset(found[0].first_touch_types if found else ())
        return touches, touches | ACTIVITY_TYPES

    def decline_reasons(self, tenant: str) -> dict[str, DeclineReason]:
        """The reasons that a rep may give, by code; none without a routing policy."""
        found = self._book.find(tenant, RoutingPolicy)
        return {reason.code: reason for reason in found[0].decline_reasons} if found else {}

    def framework(self, tenant: str) -> Framework | None:
        """By whose questions leads are qualified; None without a qualification policy."""
        found = self._book.find(tenant, QualificationPolicy)
        return found[0].asked if found else None

    def handover(self, tenant: str) -> tuple[str, ...]:
        """What inside sales has to hand over with a lead."""
        found = self._book.find(tenant, QualificationPolicy)
        return found[0].handover if found else ()

    def pause_reasons(self, tenant: str) -> dict[str, PauseReason]:
        """The reasons for which clocks may be paused, by code; none without an SLA policy."""
        found = self._book.find(tenant, SlaPolicy)
        return {reason.code: reason for reason in found[0].pauses} if found else {}

    def unreachable(self, tenant: str) -> tuple[Unreachable | None, DeclineReason | None]:
        """When nobody can be reached, and the reason for which the lead is given back then; None where nothing says so."""
        found = self._book.find(tenant, SlaPolicy)
        rule = found[0].unreachable if found else None
        return rule, self.decline_reasons(tenant).get(rule.reason) if rule else None

    def hours(self, tenant: str, rep_id: str) -> Calendar:
        """When this rep is at work, by the teams policy; always, where that does not say."""
        teams = self.teams(tenant)
        rep = next((rep for rep in teams.reps if rep.id == rep_id), None) if teams else None
        if teams is None or rep is None:
            return ALWAYS
        named = next((calendar for calendar in teams.calendars if calendar.id == rep.calendar), None)
        return person_of(rep, calendar_of(named, named.zone or rep.zone) if named else ALWAYS).calendar(None)

    def zone(self, tenant: str, rep_id: str | None) -> str:
        """Where the clock of this rep hangs on the wall; UTC where that is not known."""
        found = self._book.find(tenant, TeamsPolicy)
        return next((rep.zone for rep in found[0].reps if rep.id == rep_id), "UTC") if found else "UTC"

    def teams(self, tenant: str) -> TeamsPolicy | None:
        found = self._book.find(tenant, TeamsPolicy)
        return found[0] if found else None

    def pipeline(self, tenant: str) -> PipelinePolicy | None:
        """How deals go; None for a tenant without the policy, whose opportunities end where field sales accepts."""
        found = self._book.find(tenant, PipelinePolicy)
        return found[0] if found else None

    def rep_names(self, tenant: str) -> dict[str, str]:
        found = self._book.find(tenant, TeamsPolicy)
        return {rep.id: rep.name for rep in found[0].reps} if found else {}
