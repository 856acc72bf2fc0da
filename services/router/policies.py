"""The tenants' policies as the router follows them: read from their topic, compiled once per version."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from services.router.domain.playbook import FOLLOWED, NEEDED, Following, Playbook
from shared.kit.kafka import Message
from shared.kit.policies import take
from shared.schemas.policies import (
    KINDS,
    LifecyclePolicy,
    QualificationPolicy,
    RoutingPolicy,
    SlaPolicy,
    TeamsPolicy,
)
from shared.schemas.policies.book import PolicyBook

log = structlog.get_logger(__name__)


class Policies:
    """What each tenant's decisions follow. `changed` is set whenever a version came into force."""

    def __init__(self) -> None:
        self._book = PolicyBook({kind: KINDS[kind] for kind in FOLLOWED})
        self._known: dict[str, Following] = {}
        self.changed = asyncio.Event()

    def apply(self, message: Message) -> None:
        """Take in one record of the topic. One that cannot be read changes nothing: the good version stays."""
        if take(self._book, message) is None:
            return
        self._known.clear()
        self.changed.set()

    def following(self, tenant: str) -> Following:
        """What the tenant's decisions follow now."""
        known = self._known.get(tenant)
        if known is None:
            known = self._known[tenant] = self._compile(tenant)
        return known

    def tenants(self) -> list[str]:
        return self._book.tenants()

    def _compile(self, tenant: str) -> Following:
        qualification = self._book.find(tenant, QualificationPolicy)
        routing = self._book.find(tenant, RoutingPolicy)
        teams = self._book.find(tenant, TeamsPolicy)
        sla = self._book.find(tenant, SlaPolicy)
        if not (qualification and routing and teams and sla):
            found = {"qualification": qualification, "routing": routing, "teams": teams, "sla": sla}
            return Following(None, tuple(kind for kind in NEEDED if not found[kind]))
        refs = {"qualification": qualification[1], "routing": routing[1], "teams": teams[1], "sla": sla[1]}
        lifecycle = self._book.find(tenant, LifecyclePolicy)
        refs |= {"lifecycle": lifecycle[1]} if lifecycle else {}
        stages = lifecycle[0] if lifecycle else None
        return Following(Playbook.of(qualification[0], routing[0], teams[0], sla[0], refs, stages))


Follow = Callable[[str], Following]
