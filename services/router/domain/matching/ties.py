"""Tie-breakers: which of several accounts that the same step found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.router.domain.account import Account
from services.router.domain.matching.keys import Asked, label_of, name_key, names_of
from services.router.domain.matching.result import Tie

if TYPE_CHECKING:
    from services.router.domain.matching.ladder import Found

_LEVELS = {"legal_entity": 0, "group": 1, "site": 2}
_PROOFS: tuple[Tie, ...] = ("corporate_number", "site", "name", "prefecture")
_ORDER: tuple[Tie, ...] = (*_PROOFS, "level", "tier")


@dataclass(frozen=True, slots=True)
class Choice:
    """The one, and what made the difference; None where nothing does."""

    account: Account | None
    tie: Tie | None = None


def choose(lead: Asked, accounts: Sequence[Account], found: Found, *, sure: bool) -> Choice | None:
    """The best of `accounts`, with their sites and, where name or number says so, the entities below them; None of none.

    sure: the step proves by itself (a domain, a number): then level and tier may choose between families, too. A name or a phone
    number that two families share proves neither of them.
    """
    if not accounts:
        return None
    judge = _Judge(lead, found)
    possible = {one.account_id: one for one in (*accounts, *judge.below(accounts))}
    ranked = sorted(possible.values(), key=lambda one: (judge.rank(one), one.account_id))
    best, rest = ranked[0], ranked[1:]
    proof = len(_PROOFS)
    for other in rest:
        mine, theirs = judge.rank(best), judge.rank(other)
        if other.root != best.root and not sure and mine[:proof] == theirs[:proof]:
            return Choice(None)
    equal = [other for other in rest if judge.rank(other) == judge.rank(best)]
    if any(other.root != best.root for other in equal):
        return Choice(None)
    if equal:
        return Choice(judge.above(best, equal), "common")
    return Choice(best, judge.difference(best, rest) if len(accounts) > 1 or best not in accounts else None)


class _Judge:
    def __init__(self, lead: Asked, found: Found) -> None:
        self._lead, self._known, self._families = lead, found.accounts, found.families
        self._names = {name_key(name) for name in (lead.firm, lead.company) if name}
        self._site = name_key(lead.site.rpartition(" ")[2]) if lead.site else None
        self._outer = name_key(lead.site.partition(" ")[0]) if lead.site else None

    def below(self, accounts: Sequence[Account]) -> list[Account]:
        """Sites of what was found that are named or in the lead's prefecture; entities of groups by name or number."""
        entities = {one.entity for one in accounts if one.level != "site"}
        groups = {one.account_id for one in accounts if one.level == "group"}
        found = []
        for one in (one for root in sorted({one.root for one in accounts}) for one in self._families[root]):
            if one.level == "site" and one.entity in entities:
                entity = self._known.get(one.entity)
                elsewhere = entity is None or entity.area != one.area
                if self._is_site(one) or (self._lead.area is not None and one.area == self._lead.area and elsewhere):
                    found.append(one)
            elif one.level == "legal_entity" and one.root in groups and (self._is_named(one) or self._is_numbered(one)):
                found.append(one)
        return found

    def rank(self, account: Account) -> tuple[int, int, int, int, int, tuple[int, str]]:
        """The lower the better, in the order of `_ORDER`."""
        return (
            not self._is_numbered(account),
            not self._is_site(account),
            not self._is_named(account),
            not (self._lead.area is not None and account.area == self._lead.area),
            _LEVELS[account.level],
            (account.tier is None, account.tier or ""),
        )

    def difference(self, best: Account, rest: Sequence[Account]) -> Tie | None:
        """What the best has before the next best."""
        if not rest:
            return None
        mine, theirs = self.rank(best), self.rank(rest[0])
        return next(name for name, one, other in zip(_ORDER, mine, theirs, strict=True) if one != other)

    def above(self, best: Account, equal: Sequence[Account]) -> Account:
        """The nearest account that stands above all of them, or is one of them."""
        chains = [self._chain(one) for one in (best, *equal)]
        shared = [one for one in chains[0] if all(one in chain for chain in chains[1:])]
        return self._known.get(shared[0], best) if shared else best

    def _chain(self, account: Account) -> list[str]:
        chain = [account.account_id]
        while account.parent and account.parent in self._known and account.parent not in chain:
            account = self._known[account.parent]
            chain.append(account.account_id)
        return chain

    def _is_numbered(self, account: Account) -> bool:
        return self._lead.corporate_number is not None and account.corporate_number == self._lead.corporate_number

    def _is_named(self, account: Account) -> bool:
        parent = self._known.get(account.parent or "")
        return any(name_key(name) in self._names for _, name in names_of(account, parent))

    def _is_site(self, account: Account) -> bool:
        label = label_of(account)
        return label is not None and self._site is not None and label in (self._site, self._outer)
