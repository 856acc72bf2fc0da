"""The scoring policies in force, compiled, as read from the `policies` topic."""

from __future__ import annotations

import asyncio

import structlog

from services.scoring.domain.rules import Rules
from shared.kit.kafka import Message
from shared.kit.policies import take
from shared.schemas.policies import ScoringPolicy
from shared.schemas.policies.book import PolicyBook

log = structlog.get_logger(__name__)


class Policies:
    """Rules per tenant. A record that cannot be read changes nothing; the good one stays.

    patience: seconds that the first touch of a tenant waits for the tenant's policy, which may be on its way
    """

    def __init__(self, *, patience: float = 0) -> None:
        self._book = PolicyBook({"scoring": ScoringPolicy})
        self._rules: dict[str, Rules] = {}
        self._since: dict[str, int] = {}
        self._patience = patience
        self._waited: set[str] = set()
        self._changed = asyncio.Event()

    def apply(self, message: Message) -> None:
        if take(self._book, message) is None:
            return
        for tenant in self._book.tenants():
            self._compile(tenant, message.at)
        self._changed.set()

    def _compile(self, tenant: str, at: int) -> None:
        found = self._book.find(tenant, ScoringPolicy)
        if found is None:
            return
        policy, ref = found
        known = self._rules.get(tenant)
        if known is None or known.ref.sequence != ref.sequence:
            self._rules[tenant] = Rules(policy, ref)
            self._since[tenant] = at
            log.info("scoring_policy", tenant=tenant, sequence=ref.sequence)

    def find(self, tenant: str) -> Rules | None:
        return self._rules.get(tenant)

    def all(self) -> dict[str, tuple[Rules, int]]:
        """By tenant the rules in force, and since when they are on the topic, ms."""
        return {tenant: (rules, self._since[tenant]) for tenant, rules in self._rules.items()}

    def sequences(self) -> dict[str, int]:
        """By tenant, of the policies in force."""
        return {tenant: rules.ref.sequence for tenant, rules in self._rules.items()}

    async def wait(self, tenant: str) -> Rules | None:
        """The tenant's rules, waited for once; None when there are none."""
        if tenant in self._waited or tenant in self._rules:
            return self._rules.get(tenant)
        self._waited.add(tenant)
        try:
            async with asyncio.timeout(self._patience):
                while tenant not in self._rules:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.warning("no_scoring_policy", tenant=tenant)
        return self._rules.get(tenant)
