"""Who of a pool is next, so that each gets its weighted share, to within one lead (P7).

The chairman-assignment problem: R. Tijdeman, Discrete Mathematics 32 (1980). `due` is a member's share while it was eligible
less what it received; with fixed members and weights it stays below `1 - 1/(2k - 2)` for k members. Arithmetic is exact: with
floats, drift would break the ties. The sum of `due` over a pool is always 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Balance:
    """One member of a pool.

    joined:   the how-manieth to join the pool: breaks ties, so that no name is favoured
    weight:   a weight of 2 is due twice the leads of a weight of 1
    due:      leads that it is owed; below 0, leads that it had before its turn
    received: leads that it was given and that counted
    """

    rep_id: str
    joined: int
    weight: int = 1
    due: Fraction = ZERO
    received: int = 0


Balances = tuple[Balance, ...]


def choose(balances: Balances, eligible: Collection[str]) -> Balance | None:
    """The member of `eligible` who is next; None when none of them is in the pool."""
    running = sorted((m for m in balances if m.rep_id in eligible), key=lambda member: member.joined)
    if not running:
        return None
    share = shares(running)
    slack = Fraction(1, 2 * len(running) - 2) if len(running) > 1 else ZERO
    after = {member.rep_id: member.due + share[member.rep_id] for member in running}
    if max(after.values()) <= 1 - slack:
        # Nobody is overdue. Of those who may have a lead already, the one who must have one soonest.
        ready = [member for member in running if after[member.rep_id] >= slack]
        if ready:
            return min(ready, key=lambda member: (1 - slack - member.due) / share[member.rep_id])
    return max(running, key=lambda member: after[member.rep_id])  # the first of equals: the earliest to join


def is_even(balances: Balances, eligible: Collection[str], rep_id: str) -> bool:
    """Whether nothing but the order of joining decides between `rep_id` and the member of `eligible` who is next."""
    first = choose(tuple(replace(m, joined=-1) if m.rep_id == rep_id else m for m in balances), eligible)
    return first is not None and first.rep_id == rep_id


def assign(balances: Balances, eligible: Collection[str]) -> tuple[Balance | None, Balances]:
    """The next member as it was before, and the balances after it was given a lead: every eligible member is owed its share of
    it, the chosen one has had a whole one."""
    chosen = choose(balances, eligible)
    return chosen, balances if chosen is None else give(balances, eligible, chosen.rep_id)


def give(balances: Balances, sharing: Collection[str], rep_id: str) -> Balances:
    """The balances after `rep_id`, one of `sharing`, was given a lead that is shared among these. Shared with nobody else, it
    leaves what anybody is owed alone."""
    share = shares([member for member in balances if member.rep_id in sharing])
    after = tuple(replace(m, due=m.due + share[m.rep_id]) if m.rep_id in share else m for m in balances)
    return tuple(replace(m, due=m.due - 1, received=m.received + 1) if m.rep_id == rep_id else m for m in after)


def credit_back(balances: Balances, rep_id: str, sharing: Collection[str] = ()) -> Balances:
    """The balances after a lead of `rep_id` turned out not to count: it gets the whole lead back, and those who were eligible
    for it (`sharing`; all, where that is not known) give back, by weight, what they were owed of it. That undoes the assignment
    exactly, as long as their weights are the same and none of them has left.

    A rep who left meanwhile gets nothing back: what it was owed went to the others.
    """
    if all(member.rep_id != rep_id for member in balances):
        return balances
    share = shares([member for member in balances if member.rep_id in sharing] or balances)
    lighter = tuple(replace(m, due=m.due - share[m.rep_id]) if m.rep_id in share else m for m in balances)
    return tuple(replace(m, due=m.due + 1, received=m.received - 1) if m.rep_id == rep_id else m for m in lighter)


def join(balances: Balances, rep_id: str, weight: int, joined: int) -> Balances:
    """The pool with one more member, who starts at the pool's mean (0): owed nothing, owing nothing."""
    return (*balances, Balance(rep_id, joined, weight))


def leave(balances: Balances, rep_id: str) -> Balances:
    """The pool without `rep_id`; what it was owed, or had too much, is spread over the others by weight."""
    gone = next((member for member in balances if member.rep_id == rep_id), None)
    staying = tuple(member for member in balances if member.rep_id != rep_id)
    if gone is None or not staying:
        return staying
    share = shares(staying)
    return tuple(replace(member, due=member.due + gone.due * share[member.rep_id]) for member in staying)


def shares(members: Collection[Balance]) -> dict[str, Fraction]:
    """Each one's part of a lead that is shared among `members`, by weight."""
    total = sum(member.weight for member in members)
    return {member.rep_id: Fraction(member.weight, total) for member in members}


def deviation(balances: Balances) -> Fraction:
    """The furthest that anybody is from the share while eligible, in leads: what P7 measures."""
    return max((abs(member.due) for member in balances), default=ZERO)


@dataclass(frozen=True, slots=True)
class PoolState:
    """The balances of one pool, and from which teams policy (its sequence) its members are; `joined` counts who ever joined."""

    pool_id: str
    policy_sequence: int = 0
    joined: int = 0
    balances: Balances = ()

    def follow(self, weights: Mapping[str, int], policy_sequence: int) -> PoolState:
        """The pool with the members and weights that a newer policy gives it; itself, where the policy is none newer."""
        if policy_sequence <= self.policy_sequence:
            return self
        balances, joined = self.balances, self.joined
        for member in self.balances:
            if member.rep_id not in weights:
                balances = leave(balances, member.rep_id)
        present = {member.rep_id for member in balances}
        balances = tuple(replace(member, weight=weights[member.rep_id]) for member in balances)
        for rep_id, weight in weights.items():
            if rep_id not in present:
                joined += 1
                balances = join(balances, rep_id, weight, joined)
        return PoolState(self.pool_id, policy_sequence, joined, balances)

    def without(self, left: Collection[str]) -> PoolState:
        """The pool without members who have left, whatever the policy still says."""
        balances = self.balances
        for rep_id in left:
            balances = leave(balances, rep_id)
        return replace(self, balances=balances)
