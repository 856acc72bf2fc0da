"""A decision in one sentence, and the balances after it."""

from __future__ import annotations

from fractions import Fraction

import pytest

from services.router.domain.assignment import due_after
from services.router.domain.decision import Inputs, decide
from services.router.domain.fairness import PoolState
from services.router.domain.lead import Cause
from services.router.domain.sentence import sentence


@pytest.fixture
def decided(playbook, scored):
    def of(grade="A1", cause=None, **more):
        pools = {"field": PoolState("field").follow(playbook.weights("field"), 1)}
        lead = scored(grade, raised="demo_requested" if grade == "A1" else None, answers=[("B1", "secured", 900)])
        return decide(
            Inputs("t", "lead-1", 1, 1, cause or Cause("scored", "1", 9), 9, lead, pools=pools, **more), playbook
        )

    return of


def test_it_says_who_what_made_it_ripe_and_whose_turn_it_was(decided, playbook):
    assert sentence(decided(), playbook) == {
        "en": "Misaki Sato gets this lead: hand-raise (demo requested): an MQL; it was their turn in pool “field”.",
        "ja": "Misaki Sato が担当: 手挙げ(デモ依頼)により MQL、プール「field」での順番。",
    }


def test_of_one_that_moves_on_it_begins_with_why(decided, playbook):
    cause = Cause("offer-declined", "e", 9, "at_capacity", "sato")
    told = sentence(decided(cause=cause, holders=("sato",)), playbook)
    assert told["en"].startswith("Ken Tanaka gets this lead: Misaki Sato gave it back: at capacity; hand-raise")
    late = sentence(decided(cause=Cause("offer-expired", "e", 9, "first_touch", "sato"), holders=("sato",)), playbook)
    assert late["ja"].startswith("Ken Tanaka が担当: Misaki Sato が初回接触期限を超過、手挙げ")


def test_of_one_that_nobody_gets_it_says_what_for(decided, playbook):
    told = sentence(decided(holders=("sato", "tanaka")), playbook)
    assert told["en"].endswith("; nobody who could take it is active.")
    assert sentence(decided("D4"), playbook)["en"].startswith("Nobody gets this lead yet: ")


def test_balances_after_are_what_the_pool_has_then(decided):
    decision = decided()
    after = {one.rep_id: due_after(one, decision.trace.chosen, decision.trace.way) for one in decision.trace.candidates}
    assert after == {balance.rep_id: balance.due for balance in decision.pool.balances}
    assert sum(after.values()) == 0
    assert after["sato"] == Fraction(-1, 3)
