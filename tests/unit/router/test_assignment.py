"""Rules, pools, and who is excluded for which reason."""

from __future__ import annotations

from services.router.domain.assignment import assign_from, match
from services.router.domain.fairness import PoolState


def state_of(playbook, pool_id):
    return PoolState(pool_id).follow(playbook.weights(pool_id), 1)


def give(playbook, pool_id, *, loads=None, language=None, holders=()):
    pool = playbook.pools[pool_id]
    return assign_from(pool, state_of(playbook, pool_id), playbook.reps, loads or {}, language, holders)


def test_the_first_rule_of_the_leg_that_holds_decides_and_the_others_say_why_not(playbook):
    tried = match(playbook, "fs", {"lead.size_band": "s3", "lead.language": "ja"})
    assert [(one.rule_id, one.result) for one in tried] == [
        ("large", "no_match"),
        ("german", "no_match"),
        ("inside", "other_leg"),
        ("field", "matched"),
    ]
    assert tried[0].why_not == ("lead.size_band is s3, not in s6, s7",)
    assert match(playbook, "is", {"lead.language": "DE"})[-1].pool == "languages"


def test_a_rule_that_forbids_says_what_it_forbids(playbook):
    tried = match(playbook, "fs", {"lead.kind": "press"})
    assert (tried[-1].result, tried[-1].why_not) == ("no_match", ("lead.kind is press",))
    assert tried[0].why_not == ("lead.size_band is not known, not in s6, s7",)


def test_each_member_is_eligible_or_says_why_not(playbook):
    assigned = give(playbook, "field", loads={"tanaka": 10})
    reasons = {one.rep_id: one.excluded for one in assigned.candidates}
    assert reasons == {"sato": (), "tanaka": ("at_capacity",), "gone": ("inactive",)}
    assert assigned.rep.id == "sato"


def test_a_pool_that_matches_languages_leaves_out_who_does_not_speak_it(playbook):
    assert give(playbook, "languages", language="DE").rep.id == "schmidt"
    assert {one.rep_id: one.excluded for one in give(playbook, "languages", language="de").candidates}["sato"] == (
        "language",
    )
    assert give(playbook, "languages").rep is not None, "a language that is not known keeps nobody from it"


def test_who_had_the_lead_before_is_not_asked_again(playbook):
    assert give(playbook, "field", holders=("sato",)).rep.id == "tanaka"


def test_a_member_without_a_balance_is_not_in_the_pool_yet(playbook):
    assigned = assign_from(playbook.pools["inside"], PoolState("inside"), playbook.reps, {}, None, ())
    assert (assigned.rep, assigned.candidates[0].excluded) == (None, ("not_in_pool",))


def test_nobody_is_told_by_what_is_nearest_to_being_freed(playbook):
    full = {"sato": 10, "tanaka": 10}
    assert give(playbook, "field", loads=full).parked == "at_capacity"
    assert give(playbook, "field", loads=full, holders=("sato",)).waiting_for == ("tanaka",)
    assert give(playbook, "field", holders=("sato", "tanaka")).parked == "inactive"
    assert give(playbook, "inside", holders=("ito",)).parked == "all_declined"
    assert give(playbook, "languages", language="fr").parked == "language"
    assert give(playbook, "large").parked == "no_eligible_member"
    assert give(playbook, "large").candidates[0].excluded == ("unknown_rep",)


def test_a_lead_that_nobody_takes_leaves_the_balances_alone(playbook):
    assigned = give(playbook, "inside", holders=("ito",))
    assert assigned.pool == state_of(playbook, "inside")
