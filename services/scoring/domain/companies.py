"""Which company a lead belongs to: the one that was named last, by the strongest key that is known of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.scoring.domain.memory import Accounts, Memory, Told, name_company

_STRONGEST = ("corporate:", "group:")  # before the domain alone


def account_of(memories: Sequence[Memory]) -> Told | None:
    """The account's key, told when the company was last named; None where none was.

    One event knows less than another: a form names the corporate number, a call of the same person's product only the sender's
    own id, a mail the domain alone. A company is its mail domain: keys that were named with one are keys of one company. A key that
    never was is of the company whose domain the lead had begun to use last when the key was last named; and where it is known from
    before any domain, of the first.
    """
    named: Accounts = {}
    for memory in memories:
        for account, by_domain in memory.accounts.items():
            for domain, one in by_domain.items():
                name_company(named, account, domain, one)
    if not named:
        return None
    at, event_id, latest, domain = max(
        (*one, account, domain) for account, by_domain in named.items() for domain, one in by_domain.items()
    )
    if len(named) == 1:
        return Told(at, event_id, latest)
    domains = _domains(named, memories)
    own = {domain} if domain else domains[latest]
    same = [account for account in named if domains[account] & own] or [latest]
    strongest = min(same, key=lambda account: (_strength(account), -_last(named, account), account))
    return Told(at, event_id, strongest)


def accounts_of(memories: Iterable[Memory]) -> set[str]:
    """All that were ever named, as far as is remembered."""
    return {account for memory in memories for account in memory.accounts}


def _domains(named: Accounts, memories: Sequence[Memory]) -> dict[str, set[str]]:
    """The mail domains of the company of each key."""
    begun: dict[str, int] = {}
    for by_domain in named.values():
        for domain, one in by_domain.items():
            if domain:  # of one that is not remembered to have begun it is known when it was named last
                first = min([memory.begun[domain] for memory in memories if domain in memory.begun], default=one.at)
                begun[domain] = min(first, begun.get(domain, first))
    domains = {account: {domain for domain in by_domain if domain} for account, by_domain in named.items()}
    for account, told in domains.items():
        if not told and begun:
            last = _last(named, account)
            before = [domain for domain in begun if begun[domain] <= last]
            told.add(max(before, key=lambda d: (begun[d], d)) if before else min(begun, key=lambda d: (begun[d], d)))
    return domains


def _last(named: Accounts, account: str) -> int:
    return max(one.at for one in named[account].values())


def _strength(account: str) -> int:
    return next((rank for rank, prefix in enumerate(_STRONGEST) if account.startswith(prefix)), len(_STRONGEST))
