"""The fair rule, and who joins, leaves and gets a lead back."""

from __future__ import annotations

from fractions import Fraction

from services.router.domain.fairness import Balance, PoolState, assign, choose, credit_back, deviation, join, leave


def pool(**weights):
    return tuple(Balance(name, number, weight) for number, (name, weight) in enumerate(weights.items(), start=1))


def dues(balances):
    return {balance.rep_id: balance.due for balance in balances}


def test_equals_take_turns_in_the_order_of_joining():
    balances, order = pool(zoe=1, adam=1, mia=1), []
    for _ in range(6):
        chosen, balances = assign(balances, {"zoe", "adam", "mia"})
        order.append(chosen.rep_id)
    assert order == ["zoe", "adam", "mia"] * 2


def test_nobody_is_chosen_from_nobody():
    assert choose(pool(a=1), set()) is None
    assert assign(pool(a=1), {"stranger"}) == (None, pool(a=1))


def test_who_is_not_eligible_is_owed_nothing():
    chosen, balances = assign(pool(a=1, b=1, c=1), {"a", "b"})
    assert dues(balances) == {"a": Fraction(-1, 2), "b": Fraction(1, 2), "c": 0}
    assert chosen.rep_id == "a"


def test_a_leavers_balance_goes_to_the_others_by_weight():
    _, balances = assign(pool(a=3, b=2, c=1), {"a", "b", "c"})
    assert dues(balances) == {"a": Fraction(-1, 2), "b": Fraction(1, 3), "c": Fraction(1, 6)}
    assert dues(leave(balances, "a")) == {"b": 0, "c": 0}
    assert leave(pool(a=1), "a") == ()


def test_a_joiner_starts_at_the_mean():
    _, balances = assign(pool(a=1, b=1), {"a", "b"})
    joined = join(balances, "c", 2, 3)
    assert joined[-1] == Balance("c", 3, 2, Fraction(0), 0)
    assert sum(dues(joined).values()) == 0


def test_a_lead_that_was_none_is_as_if_it_had_never_been():
    before = pool(a=2, b=1)
    chosen, after = assign(before, {"a", "b"})
    assert credit_back(after, chosen.rep_id) == before
    assert credit_back(after, "who-left") == after


def test_a_lead_that_was_none_leaves_no_debt_with_who_could_not_have_it():
    before = (Balance("sato", 1), Balance("tanaka", 2), Balance("away", 3))
    _, after = assign(before, ["sato", "tanaka"])
    assert credit_back(after, "sato", ["sato", "tanaka"]) == before


def test_a_newer_policy_changes_the_members_and_an_older_one_does_not():
    state = PoolState("p").follow({"a": 1, "b": 1}, 3)
    assert [balance.rep_id for balance in state.balances] == ["a", "b"]
    changed = state.follow({"b": 5, "c": 1}, 4)
    assert [(m.rep_id, m.weight, m.joined) for m in changed.balances] == [("b", 5, 2), ("c", 1, 3)]
    assert changed.follow({"a": 1}, 3) is changed


def test_deviation_is_the_furthest_of_all():
    _, balances = assign(pool(a=1, b=1, c=1), {"a", "b", "c"})
    assert deviation(balances) == Fraction(2, 3)
    assert deviation(()) == 0
