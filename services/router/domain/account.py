"""A company as the tenant knows it: a group, a legal entity of it, or a site of that; and what a decision knows of a lead's one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from services.router.domain.facts import Facts
from services.router.domain.matching.result import Matched
from shared.schemas.accounts import AccountKind, AccountLevel
from shared.schemas.policies.routing import Scope
from shared.schemas.routing import Leg
from shared.schemas.scores import AccountScored


@dataclass(frozen=True, slots=True)
class Account:
    """One row, as it was imported.

    root, entity:  the highest account above it, and the legal entity that it is or belongs to; itself where there is none
    domains:       the first is the primary one
    names:         other names that it goes by;  former_names: which it had
    area:          prefecture (JP-13), or a state as written;  fiscal_month: in which its fiscal year ends, 3 is usual in Japan
    """

    account_id: str
    name: str
    kind: AccountKind = "end_customer"
    level: AccountLevel = "legal_entity"
    parent: str | None = None
    root: str = ""
    entity: str = ""
    domains: tuple[str, ...] = ()
    corporate_number: str | None = None
    names: tuple[str, ...] = ()
    former_names: tuple[str, ...] = ()
    kana: str | None = None
    country: str | None = None
    area: str | None = None
    postcode: str | None = None
    phone: str | None = None
    tier: str | None = None
    owner: str | None = None
    region: str | None = None
    fiscal_month: int = 3
    is_customer: bool = False
    account_manager: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", self.root or self.account_id)
        object.__setattr__(self, "entity", self.entity or self.account_id)

    def inheriting(self, known: Mapping[str, Account]) -> Account:
        """It, with what only the accounts above it say: owner, tier, region, whether they buy from us, and from whom."""
        found, above = self, known.get(self.parent or "")
        for _ in range(len(known)):  # a chain is never longer than all
            if above is None:
                break
            found = replace(
                found,
                tier=found.tier or above.tier,
                owner=found.owner or above.owner,
                region=found.region or above.region,
                is_customer=found.is_customer or above.is_customer,
                account_manager=found.account_manager or above.account_manager,
            )
            above = known.get(above.parent or "")
        return found


@dataclass(frozen=True, slots=True)
class Party:
    """What a decision keeps of an account: what rules ask for, inherited from above where it does not say itself."""

    account_id: str
    name: str
    kind: AccountKind
    level: AccountLevel
    root: str
    entity: str
    tier: str | None = None
    owner: str | None = None
    region: str | None = None
    is_customer: bool = False
    account_manager: str | None = None
    fiscal_month: int | None = None

    @staticmethod
    def of(account: Account) -> Party:
        return Party(**{name: getattr(account, name) for name in Party.__slots__})


@dataclass(frozen=True, slots=True)
class Place:
    """Where in its family an account stands."""

    account_id: str
    entity: str
    root: str

    def within(self, party: Party, scope: Scope) -> bool:
        if scope == "group":
            return self.root == party.root
        return self.entity == party.entity if scope == "legal_entity" else self.account_id == party.account_id


@dataclass(frozen=True, slots=True)
class Deal:
    """A lead of an account that a rep holds: an open opportunity where they accepted it, an offer otherwise."""

    lead_id: str
    place: Place
    rep_id: str
    leg: Leg | None
    accepted: bool


@dataclass(frozen=True, slots=True)
class Registration:
    """A deal that a partner registered, and until when (ms) it is protected."""

    registration_id: str
    place: Place
    partner: str
    partner_name: str
    partner_owner: str | None
    protected_until: int


@dataclass(frozen=True, slots=True)
class Breadth:
    """What the people of a company do together, by its latest `account-scored`. active: of them within the days that count"""

    active: int = 0
    band: int = 4
    roles: int = 0
    departments: int = 0
    surging: bool = False

    @staticmethod
    def of(scored: AccountScored) -> Breadth:
        return Breadth(scored.active, scored.band, len(scored.roles), len(scored.departments), scored.surging)

    def facts(self) -> Facts:
        return {
            "account.active": self.active,
            "account.band": str(self.band),
            "account.roles": self.roles,
            "account.departments": self.departments,
            "account.surging": self.surging,
        }


@dataclass(frozen=True, slots=True)
class Known:
    """What a decision knows of the lead's account: how it was found, or why none was, and what is going on there.

    people:  of its company who did something of late, itself included; None where it names no company
    breadth: of its company; None where nothing is known of that
    """

    matched: Matched
    party: Party | None = None
    deals: tuple[Deal, ...] = ()
    registrations: tuple[Registration, ...] = ()
    people: int | None = None
    breadth: Breadth | None = None

    def facts(self) -> Facts:
        """The fields of `account.*` that rules may name; without an account none but its people."""
        party = self.party
        people: Facts = {} if self.people is None else {"account.people": self.people}
        people |= self.breadth.facts() if self.breadth else {}
        if party is None:
            return people
        facts: dict[str, str | bool | None] = {
            "account.id": party.account_id,
            "account.kind": party.kind,
            "account.level": party.level,
            "account.tier": party.tier,
            "account.owner": party.owner,
            "account.region": party.region,
            "account.is_customer": party.is_customer,
            "account.matched_by": self.matched.code,
        }
        return people | {name: value for name, value in facts.items() if value is not None}


CheckId = Literal["kind", "open_opportunity", "deal_registration", "named_account", "customer"]
CHECKS: tuple[CheckId, ...] = ("kind", "open_opportunity", "deal_registration", "named_account", "customer")
