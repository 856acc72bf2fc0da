"""Accounts and matches as JSON."""

from __future__ import annotations

from typing import Any

from services.router.domain.account import Account, Known
from services.router.domain.account_words import candidate_reason, check_reason, matched_reason
from services.router.domain.before_pools import Check
from services.router.domain.playbook import Playbook
from services.router.store.accounts import Shown
from shared.kit.clock import iso

Body = dict[str, Any]
_SUMMARY = (
    "account_id",
    "name",
    "kind",
    "level",
    "parent",
    "tier",
    "owner",
    "region",
    "is_customer",
    "account_manager",
)
_FULL = ("corporate_number", "kana", "country", "postcode", "phone", "fiscal_month")


def match_view(known: Known | None) -> Body | None:
    """How a lead's account was found; None where nobody looked."""
    if known is None:
        return None
    found = known.matched
    candidates = []
    for one in found.candidates:
        reason = candidate_reason(one)
        candidates.append(
            {
                "account_id": one.account_id,
                "name": one.name,
                "by": one.code,
                "likeness": one.likeness,
                "chosen": reason is None,
                "why_not": reason.model_dump() if reason else None,
            }
        )
    return {
        "account_id": found.account_id,
        "name": known.party.name if known.party else None,
        "by": found.code,
        "tie": found.tie,
        "ambiguous": found.ambiguous,
        "why": matched_reason(known).model_dump(),
        "candidates": candidates,
    }


def check_view(check: Check, playbook: Playbook | None) -> Body:
    return {
        "check": check.check,
        "said": check.said,
        "why": check.why,
        "rep_id": check.rep_id,
        "about": check.about,
        "text": check_reason(check, playbook).text,
    }


def summary(account: Account) -> Body:
    return {name: getattr(account, name) for name in _SUMMARY}


def account_view(shown: Shown) -> Body:
    account = shown.account
    return {
        **summary(account),
        **{name: getattr(account, name) for name in _FULL},
        "domains": list(account.domains),
        "names": list(account.names),
        "former_names": list(account.former_names),
        "prefecture": account.area,
        "inherited": summary(shown.inherited),
        "children": [summary(child) for child in shown.children],
        "registrations": [
            {
                "registration_id": one.registration_id,
                "partner": one.partner,
                "partner_name": one.partner_name,
                "protected_until": iso(one.protected_until),
            }
            for one in shown.registrations
        ],
        "leads": shown.leads,
    }
