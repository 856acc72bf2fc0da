"""The checks before any pool: what a lead's account has to say about who takes it, in order, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from services.router.domain.account import CheckId, Known, Party
from shared.availability.people import NotAtWork
from shared.schemas.policies.routing import AccountChecks, ToTheirs
from shared.schemas.policies.teams import Rep
from shared.schemas.routing import Leg, Mode

Said = Literal[
    "takes",  # the rep it leads to takes the lead
    "never",
    "parks",
    "not_asked",  # the policy does not ask
    "passes",  # nothing speaks for it
    "unavailable",  # it leads to somebody who cannot take it
]
Why = Literal[
    "kind",
    "no_deal",
    "deal",
    "no_registration",
    "registration",
    "conflict",
    "no_owner",
    "has_owner",
    "other_tier",
    "account_manager",
    "is_customer",
    "no_customer",
    "unknown_rep",
    "inactive",
    "earlier_holder",
    "absent",
    "manager",
]


@dataclass(frozen=True, slots=True)
class Check:
    """One check and what it said. rep_id: whom it leads to;  about: the lead, partner or kind that it is about."""

    check: CheckId
    said: Said
    why: Why | None = None
    rep_id: str | None = None
    about: str | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Direct:
    """A rep who takes the lead without any pool having been asked."""

    check: CheckId
    rep: Rep
    leg: Leg
    mode: Mode


ParkedBy = Literal["partner_protected", "partner_conflict", "owner_absent"]


@dataclass(frozen=True, slots=True)
class Before:
    """What the checks said, and what follows: `direct`, `parked`, `never`, or the rules where there is nothing of these."""

    checks: tuple[Check, ...] = ()
    direct: Direct | None = None
    parked: ParkedBy | None = None
    never: bool = False

    @property
    def decides(self) -> bool:
        return self.direct is not None or self.parked is not None or self.never


def is_target(known: Known | None, policy: AccountChecks) -> bool:
    """Whether a lead is of a target account, and so ripe whatever its grade."""
    if known is None or known.party is None or policy.named_account is None:
        return False
    return known.party.tier in policy.named_account.any_score


AT_WORK: Mapping[str, NotAtWork] = MappingProxyType({})


def before_pools(
    known: Known | None,
    policy: AccountChecks,
    reps: Mapping[str, Rep],
    holders: Collection[str],
    now: int,
    out: Mapping[str, NotAtWork] = AT_WORK,
) -> Before:
    """Ask the account, in the order of the checks, up to the first that decides. holders: reps who had the lead in this cycle;
    out: who is not at work."""
    if known is None or known.party is None:
        return Before()
    asking = _Asking(known, known.party, policy, reps, holders, now, out)
    checks: list[Check] = []
    for ask in (asking.kind, asking.open_opportunity, asking.deal_registration, asking.named_account, asking.customer):
        said = ask()
        checks.append(said.checks[0])
        if said.decides:
            return Before(tuple(checks), said.direct, said.parked, said.never)
    return Before(tuple(checks))


class _Asking:
    def __init__(
        self,
        known: Known,
        party: Party,
        policy: AccountChecks,
        reps: Mapping[str, Rep],
        holders: Collection[str],
        now: int,
        out: Mapping[str, NotAtWork],
    ) -> None:
        self._out = out
        self._known, self._party, self._policy = known, party, policy
        self._reps, self._holders, self._now = reps, holders, now

    def kind(self) -> Before:
        kind = self._party.kind
        effect = self._policy.kinds.get(kind, "rules")
        if effect == "never":
            return Before((Check("kind", "never", "kind", about=kind),), never=True)
        if effect == "rules":
            return _only(Check("kind", "passes", "kind", about=kind))
        return self._to("kind", self._party.owner, "partner" if kind == "partner" else "fs", "assign", "kind", kind)

    def open_opportunity(self) -> Before:
        policy = self._policy.open_opportunity
        if policy is None:
            return _only(Check("open_opportunity", "not_asked"))
        deals = [
            deal
            for deal in self._known.deals
            if deal.place.within(self._party, policy.within) and (deal.accepted or policy.held == "offered")
        ]
        if not deals:
            return _only(Check("open_opportunity", "passes", "no_deal"))
        # An accepted one before an offer, the nearest first; of several the one of the lowest lead, for ever the same.
        deals.sort(key=lambda deal: (not deal.accepted, deal.place.account_id != self._party.account_id, deal.lead_id))
        tried = [self._to("open_opportunity", d.rep_id, d.leg or "fs", policy.mode, "deal", d.lead_id) for d in deals]
        return next((one for one in tried if one.direct), tried[0])

    def deal_registration(self) -> Before:
        policy = self._policy.deal_registration
        if policy is None:
            return _only(Check("deal_registration", "not_asked"))
        live = [
            one
            for one in self._known.registrations
            if one.place.within(self._party, policy.within) and one.protected_until > self._now
        ]
        if not live:
            return _only(Check("deal_registration", "passes", "no_registration"))
        live.sort(key=lambda one: (-one.protected_until, one.registration_id))
        partners = sorted({one.partner for one in live})
        if len(partners) > 1:
            check = Check(
                "deal_registration", "parks", "conflict", about=", ".join(partners), until=live[0].protected_until
            )
            return Before((check,), parked="partner_conflict")
        first = live[0]
        parks = Check(
            "deal_registration", "parks", "registration", about=first.partner_name, until=first.protected_until
        )
        if policy.then == "park":
            return Before((parks,), parked="partner_protected")
        to = self._to(
            "deal_registration", first.partner_owner, "partner", policy.mode, "registration", first.partner_name
        )
        if to.direct:
            return to
        why = to.checks[0].why
        # No pool: that would be the direct approach from which the registration protects.
        check = Check("deal_registration", "parks", why, to.checks[0].rep_id, first.partner_name, first.protected_until)
        return Before((check,), parked="partner_protected")

    def named_account(self) -> Before:
        policy, party = self._policy.named_account, self._party
        if policy is None:
            return _only(Check("named_account", "not_asked"))
        if party.owner is None:
            return _only(Check("named_account", "passes", "no_owner"))
        if policy.tiers is not None and party.tier not in policy.tiers:
            return _only(Check("named_account", "passes", "other_tier", about=party.tier))
        if self._policy.customer is not None and party.is_customer and party.account_manager is not None:
            return _only(Check("named_account", "passes", "is_customer"))
        return self._theirs("named_account", party.owner, "fs", policy, "has_owner")

    def customer(self) -> Before:
        policy, party = self._policy.customer, self._party
        if policy is None:
            return _only(Check("customer", "not_asked"))
        if not party.is_customer:
            return _only(Check("customer", "passes", "no_customer"))
        return self._theirs("customer", party.account_manager or party.owner, "am", policy, "account_manager")

    def _theirs(self, check: CheckId, rep_id: str | None, leg: Leg, policy: ToTheirs, why: Why) -> Before:
        """The rep whose account it is takes the lead; their manager what they gave back; while they are absent as policy says."""
        if rep_id in self._holders:
            return self._to_manager(check, str(rep_id), leg, policy.mode)
        to, out = self._to(check, rep_id, leg, policy.mode, why), self._out.get(rep_id or "")
        if to.direct is None or out is None or out.why == "closed" or policy.absent == "give":
            return to
        if policy.absent == "pool":
            return _only(Check(check, "unavailable", "absent", rep_id, until=out.until))
        return Before((Check(check, "parks", "absent", rep_id, until=out.until),), parked="owner_absent")

    def _to_manager(self, check: CheckId, rep_id: str, leg: Leg, mode: Mode) -> Before:
        """The first above `rep_id` who can have the lead that this one gave back."""
        asked, rep = [rep_id], self._reps.get(rep_id)
        while rep is not None and rep.manager and rep.manager not in asked:
            asked.append(rep.manager)
            rep = self._reps.get(rep.manager)
            if rep is not None and rep.active and rep.id not in self._holders:
                return Before((Check(check, "takes", "manager", rep.id, rep_id),), Direct(check, rep, leg, mode))
        return _only(Check(check, "unavailable", "earlier_holder", rep_id))

    def _to(
        self, check: CheckId, rep_id: str | None, leg: Leg, mode: Mode, why: Why, about: str | None = None
    ) -> Before:
        """The rep takes it, or why they cannot."""
        if rep_id is None:
            return _only(Check(check, "unavailable", "no_owner", about=about))
        rep = self._reps.get(rep_id)
        if rep is None:
            return _only(Check(check, "unavailable", "unknown_rep", rep_id, about))
        if not rep.active:
            return _only(Check(check, "unavailable", "inactive", rep_id, about))
        if rep_id in self._holders:
            return _only(Check(check, "unavailable", "earlier_holder", rep_id, about))
        return Before((Check(check, "takes", why, rep_id, about),), Direct(check, rep, leg, mode))


def _only(check: Check) -> Before:
    return Before((check,))
