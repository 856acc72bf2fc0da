"""What the API answers of accounts, typed."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from shared.schemas.accounts import AccountKind, AccountLevel

Text = dict[str, str]


class WhyBody(BaseModel):
    code: str
    text: Text
    detail: dict[str, Any] = {}


class MatchedCandidate(BaseModel):
    """An account that was looked at."""

    account_id: str
    name: str
    by: str = Field(examples=["domain", "name_prefecture"])
    likeness: int | None = Field(description="of 100, where names were compared by likeness")
    chosen: bool
    why_not: WhyBody | None


class MatchBody(BaseModel):
    """Which account a lead was matched to, by which step of the ladder, and what was against the others."""

    account_id: str | None
    name: str | None
    by: str | None = Field(
        description="account_id, domain, alias_domain, corporate_number, name_prefecture, name_country, phone or fuzzy"
    )
    tie: str | None = Field(description="what chose among several", examples=["site", "prefecture", "tier"])
    ambiguous: bool
    why: WhyBody
    candidates: list[MatchedCandidate]


class CheckBody(BaseModel):
    """One check before any pool, in the order in which they were made."""

    check: str = Field(examples=["open_opportunity", "deal_registration", "named_account", "customer"])
    said: str = Field(description="takes, parks, never, unavailable (it goes on), passes, not_asked")
    why: str | None
    rep_id: str | None
    about: str | None
    text: Text


class AccountSummary(BaseModel):
    account_id: str
    name: str
    kind: AccountKind
    level: AccountLevel
    parent: str | None
    tier: str | None
    owner: str | None
    region: str | None
    is_customer: bool
    account_manager: str | None


class RegistrationBody(BaseModel):
    """A deal that a partner registered."""

    registration_id: str
    partner: str
    partner_name: str
    protected_until: str


class AccountBody(AccountSummary):
    """An account in full. `inherited` is what rules see: with what only the accounts above it say."""

    domains: list[str] = Field(description="the first is the primary one")
    corporate_number: str | None
    names: list[str]
    former_names: list[str]
    kana: str | None
    country: str | None
    prefecture: str | None = Field(examples=["JP-13"])
    postcode: str | None
    phone: str | None
    fiscal_month: int = Field(description="in which its fiscal year ends")
    inherited: AccountSummary
    children: list[AccountSummary]
    registrations: list[RegistrationBody]
    leads: int = Field(description="leads that were matched to it")


class AccountsPage(BaseModel):
    accounts: list[AccountSummary]
    next: str | None = Field(description="`after` of the next page")
