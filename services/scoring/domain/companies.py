"""Which company a lead belongs to: the one that was named last, by the strongest key that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.scoring.domain.memory import Memory, Named, Told

_STRONGEST = ("corporate:", "group:")  # before the domain alone


def account_of(memories: Sequence[Memory]) -> Told | None:
    """The account's key, told when it was last named; None where no company was.

    One event knows less than another: a form names the corporate number, a page view of the same person only the domain. Keys that
    were named with one domain are keys of one company.
    """
    named: dict[str, Named] = {}
    for memory in memories:
        for account, one in memory.accounts.items():
            if account not in named or one[:2] > named[account][:2]:
                named[account] = one
    if not named:
        return None
    latest = max(named, key=lambda account: (*named[account][:2], account))
    domain = named[latest].domain
    same = [account for account, one in named.items() if domain is not None and one.domain == domain] or [latest]
    strongest = min(same, key=lambda account: (_strength(account), *(-part for part in named[account][:1]), account))
    return Told(named[latest].at, named[latest].event_id, strongest)


def accounts_of(memories: Iterable[Memory]) -> set[str]:
    """All that were ever named, as far as is remembered."""
    return {account for memory in memories for account in memory.accounts}


def _strength(account: str) -> int:
    return next((rank for rank, prefix in enumerate(_STRONGEST) if account.startswith(prefix)), len(_STRONGEST))
