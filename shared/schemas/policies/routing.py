"""Who is asked before any pool because of the lead's account, and which pool a ripe lead goes to otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.schemas.accounts import AccountKind
from shared.schemas.catalogue import ROUTING_FIELDS
from shared.schemas.policies.base import Label, Policy, RuleId, Strict, condition_of
from shared.schemas.policies.calendars import Zone

Effect = Literal["reroute", "return_to_is", "recycle", "nurture", "on_hold", "disqualify", "to_owner"]
COMES_BACK = frozenset({"on_hold", "recycle", "nurture"})  # effects after which a lead may come back


class RoutingRule(Strict):
    """Leads of `legs` for which `when` holds go to `pool`; the first rule that holds decides.

    valid_from, valid_until: first and last day, in the zone of the policy, on which it counts
    """

    id: RuleId
    legs: tuple[Literal["is", "fs"], ...] = ("is", "fs")
    when: condition_of(ROUTING_FIELDS)  # type: ignore[valid-type]
    pool: RuleId
    label: Label = Label()
    valid_from: date | None = None
    valid_until: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from: the rule would never count")
        return self

    @property
    def scheduled(self) -> bool:
        return self.valid_from is not None or self.valid_until is not None

    def counts_on(self, day: date) -> bool:
        return (self.valid_from or day) <= day <= (self.valid_until or day)


class RoutingOverlay(Strict):
    """A region's own rules. Of several overlays the first whose condition holds for the lead counts.

    off: ids of rules of all that do not count here;  rules: those of the id of a rule of all stand in its place, others come first
    """

    id: RuleId
    when: condition_of(ROUTING_FIELDS)  # type: ignore[valid-type]
    off: tuple[RuleId, ...] = ()
    rules: tuple[RoutingRule, ...] = ()
    label: Label = Label()

    def over(self, rules: Sequence[RoutingRule]) -> tuple[RoutingRule, ...]:
        """The rules that count in this region, in order."""
        own, known = {rule.id: rule for rule in self.rules}, {rule.id for rule in rules}
        first = [rule for rule in self.rules if rule.id not in known]
        return (*first, *(own.get(rule.id, rule) for rule in rules if rule.id not in self.off))


class DeclineReason(Strict):
    """What a decline for one reason causes (vocabulary, section 8).

    credit_back:   the lead does not count against the rep's fair share
    cool_off_days: after which the lead comes back by itself, where the rep names no day; else as lifecycle.yaml says
    before_fiscal_year: instead, so many months before the customer's next fiscal year begins
    """

    code: RuleId
    kind: Literal["decline", "quality", "recycle"]
    label: Label
    effect: Effect
    credit_back: bool = False
    cool_off_days: Annotated[float, Field(gt=0, le=1_100)] | None = None
    before_fiscal_year: Annotated[int, Field(ge=0, le=11, description="months")] | None = None

    @model_validator(mode="after")
    def _comes_back_once(self) -> Self:
        if self.before_fiscal_year is not None and self.cool_off_days is not None:
            raise ValueError(
                "`before_fiscal_year` and `cool_off_days` both say when the lead comes back: leave one out"
            )
        if self.before_fiscal_year is not None and self.effect not in COMES_BACK:
            raise ValueError(f"a lead that is given back with the effect {self.effect} has no day to come back")
        return self


Scope = Literal["site", "legal_entity", "group"]


class ToOwner(Strict):
    """A lead that goes to one rep because of its account. mode: `assign` is accepted by the first touch, `offer` is asked."""

    mode: Literal["offer", "assign"] = "assign"


class OpenOpportunity(ToOwner):
    """Who holds another lead of the account gets this one, too: nobody else approaches a company beside them.

    within: of the same site, legal entity or group
    held:   `accepted`: leads that a rep took over;  `offered`: also those that were only offered to one
    """

    within: Scope = "legal_entity"
    held: Literal["accepted", "offered"] = "offered"


class DealRegistration(ToOwner):
    """A deal that a partner registered, until its protection ends: to the `owner` of the partner's account, or `park` for a person.

    Never a pool: without an owner who can take it, and where two partners are protected, it is parked.
    """

    within: Scope = "legal_entity"
    then: Literal["owner", "park"] = "owner"


Absent = Literal["give", "wait", "pool"]


class ToTheirs(ToOwner):
    """absent: what becomes of the lead while that rep is absent or away (not: after hours): it is given to them all the same, it
    waits until they are back, or it goes on as if the account had nobody. A lead that they gave back goes to their manager."""

    absent: Absent = "give"


class NamedAccount(ToTheirs):
    """Leads of accounts that have an owner go to that one; of these tiers only, where they are given.

    any_score: tiers of target accounts, whose leads are ripe whatever their grade: inside sales or the owner looks at them
    """

    tiers: tuple[str, ...] | None = None
    any_score: tuple[str, ...] = ()


class Customer(ToTheirs):
    """Leads of customers go to their account manager, else to the account's owner."""


KindEffect = Literal["never", "owner", "rules"]


class AccountChecks(Strict):
    """What is asked of a lead's account before any pool, in this order; what is `null` is not asked.

    kinds: what becomes of leads of accounts of a kind: `never` routed, to the account's `owner` (of partners on the partner
           leg), or as the other checks and the `rules` say, which may ask for account.kind themselves
    """

    kinds: dict[AccountKind, KindEffect] = Field(
        default={"competitor": "never", "supplier": "never", "partner": "owner"}, validate_default=True
    )
    open_opportunity: OpenOpportunity | None = OpenOpportunity()
    deal_registration: DealRegistration | None = DealRegistration()
    named_account: NamedAccount | None = NamedAccount()
    customer: Customer | None = Customer()


def asks_absence(checks: AccountChecks) -> bool:
    """Whether it may come to matter whether the rep that an account leads to is at work."""
    return any(one is not None and one.absent != "give" for one in (checks.named_account, checks.customer))


class RoutingPolicy(Policy):
    """accounts: asked before any rule;  rules: in order;  overlays: rules of regions;  zone: of the days and hours that rules name
    decline_reasons: the only ones that a rep may give
    """

    kind: Literal["routing"] = "routing"
    accounts: AccountChecks = AccountChecks()
    zone: Zone = "Asia/Tokyo"
    rules: tuple[RoutingRule, ...] = Field(min_length=1)
    overlays: tuple[RoutingOverlay, ...] = ()
    decline_reasons: tuple[DeclineReason, ...] = Field(min_length=1)

    @property
    def all_rules(self) -> tuple[RoutingRule, ...]:
        """Of all regions."""
        return (*self.rules, *(rule for overlay in self.overlays for rule in overlay.rules))
