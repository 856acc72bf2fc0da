"""The policies in force, as read from the topic: the latest good version per tenant and kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic import ValidationError

from shared.schemas.policies.base import Policy, PolicyPublished
from shared.schemas.scores import PolicyRef

P = TypeVar("P", bound=Policy)


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy and which version of it this is."""

    policy: Policy
    ref: PolicyRef


class PolicyBook:
    """Filled from the `policies` topic. A version that cannot be read, or is older than what is known, changes nothing."""

    def __init__(self, kinds: dict[str, type[Policy]]) -> None:
        self._kinds = kinds
        self._known: dict[tuple[str, str], InForce] = {}

    def apply(self, value: bytes) -> InForce | None:
        """Take in one record; what is now in force because of it, or None when it changed nothing.

        Raises ValueError for a record that is no readable policy: the good one stays.
        """
        try:
            record = PolicyPublished.model_validate_json(value)
            model = self._kinds.get(record.kind)
            if model is None:
                return None
            entry = InForce(model.model_validate(record.body), PolicyRef(sequence=record.sequence, hash=record.hash))
        except ValidationError as error:
            raise ValueError(
                f"unreadable policy: {error.error_count()} errors, first: {error.errors()[0]['msg']}"
            ) from error
        key = (record.tenant, record.kind)
        known = self._known.get(key)
        if known and known.ref.sequence >= record.sequence:
            return None
        self._known[key] = entry
        return entry

    def find(self, tenant: str, model: type[P]) -> tuple[P, PolicyRef] | None:
        """The tenant's policy of this kind, or None where it has none."""
        entry = self._known.get((tenant, cast(str, model.model_fields["kind"].default)))
        return (cast(P, entry.policy), entry.ref) if entry else None

    def tenants(self) -> list[str]:
        return sorted({tenant for tenant, _ in self._known})

    def sequence(self) -> int:
        """The highest sequence known, of any tenant."""
        return max((entry.ref.sequence for entry in self._known.values()), default=0)
