"""Whose an identity is, and how many a lead holds."""

from __future__ import annotations

from random import Random

import pytest

from services.scoring.batch import Told
from services.scoring.decide import join
from services.scoring.domain.codec import digest
from services.scoring.domain.memory import MOST_ACCOUNTS, Memory
from services.scoring.domain.score import score
from services.scoring.domain.state import MOST_IDENTITIES, LeadState
from shared.schemas.ids import lead_id
from tests.unit.scoring.leads import LEAD, NOW, link, outcome, page, rules, state_of, touch

UNDER = rules([page()])
BOB = lead_id("bob")


def test_an_identity_belongs_to_the_lead_that_derives_from_it_until_a_link_says_otherwise() -> None:
    state = state_of(UNDER, touch(1), touch(2, "phone"))
    assert (state.owner("ann"), state.owner("phone")) == (LEAD, lead_id("phone"))
    linked = state_of(UNDER, link("phone", LEAD, 3), link("phone", BOB, 2), base=state)
    assert linked.owned(LEAD) == ["ann", "phone"], "the highest sequence stands"


def test_who_is_merged_says_into_whom_as_of_the_moment_when_that_was_heard() -> None:
    state = state_of(UNDER, touch(1), link("ann", BOB, 2, at=NOW + 7))
    assert state.merged_into(LEAD, state.owned(LEAD)) == BOB
    assert score(state, LEAD, UNDER).as_of == NOW + 7


def test_who_had_an_identity_by_a_link_alone_is_merged_in_whatever_order_it_was_told() -> None:
    links = [link("phone", LEAD, 2), link("phone", BOB, 3)]
    for told in (links, links[::-1]):
        state = state_of(UNDER, *told)
        assert state.merged_into(LEAD, state.owned(LEAD)) == BOB
    never = state_of(UNDER, links[1])
    assert never.merged_into(LEAD, never.owned(LEAD)) is None


def test_memories_that_are_changed_are_never_shared() -> None:
    memory = Memory()
    memory.remember(touch(1, attributes={"level": "head"}), [("a.1.1.1.0", 1)], {"name": "Ann"}, True)
    before = memory.copy()
    copied = memory.copy()
    more = touch(2, attributes={"level": "staff", "account": "a"}, at=NOW + 1, evidence={"N1": "none"}, condemns=("x",))
    copied.remember(more, [("a.1.1.1.0", 2)], {"name": "Anna"}, True)
    assert memory == before
    assert all(
        getattr(copied, field) is not getattr(memory, field)
        for field in ("marks", "touches", "attributes", "evidence", "person", "hand_raises", "condemned", "accounts")
    )


def test_an_event_received_twice_keeps_its_first_receipt() -> None:
    first, again = touch(1, type="contact_requested"), touch(1, type="contact_requested", received_at=NOW + 9)
    one, other = state_of(UNDER, first, again), state_of(UNDER, again, first)
    assert one == other
    memory = one.memories["ann"]
    assert memory.touches[0].received_at == memory.hand_raises["contact_requested"].received_at == NOW


# --- bounds ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_which_identities_a_lead_holds_does_not_depend_on_the_order(seed: int) -> None:
    rng = Random(seed)
    people = [touch(n, f"person-{n}", lead_id=LEAD) for n in range(20)]
    devices = [touch(100 + n, f"device-{n}", lead_id=LEAD, identity_kind="anonymous") for n in range(45)]
    told = [*people, *devices, touch(999), outcome(1, reason="junk"), *people[:5]]
    rng.shuffle(told)
    state, refused = LeadState(), 0
    while told:
        size = rng.randint(1, 30)
        some, told = told[:size], told[size:]
        joining = join(Told("acme", LEAD, [(one, None) for one in some]), state, UNDER)
        state = joining.finish()
        refused += joining.refused_identities
    wanted = {"ann", "outcome/" + LEAD, *(f"person-{n}" for n in range(20))}
    wanted |= set(sorted(f"device-{n}" for n in range(45))[: MOST_IDENTITIES - 22])
    assert state.memories.keys() == wanted
    assert refused >= 45 + 22 - MOST_IDENTITIES


def test_what_a_lead_does_not_hold_is_passed_on_all_the_same() -> None:
    full = state_of(UNDER, touch(0), *(touch(n, f"person-{n:02}", lead_id=LEAD) for n in range(60)))
    joining = join(
        Told("acme", LEAD, [(touch(99, "zoe", lead_id=LEAD), None), (link("zoe", BOB, 3), None)]), full, UNDER
    )
    state = joining.finish()
    assert "zoe" not in state.memories
    assert [(identity, register.owner, memory.received_at) for identity, register, memory in joining.to_pass_on] == [
        ("zoe", BOB, NOW)
    ]


@pytest.mark.parametrize("seed", range(10))
def test_which_companies_are_remembered_does_not_depend_on_the_order(seed: int) -> None:
    rng = Random(seed)
    facts = [
        {"account": f"company-{rng.randrange(16)}", "domain": f"domain-{rng.randrange(14)}", "own_domain": True}
        for _ in range(60)
    ]
    told = [touch(n, at=NOW + n, attributes=one) for n, one in enumerate(facts)]
    together = state_of(UNDER, *told)
    latest = [(one["account"], one["domain"]) for one in facts]
    of_last = list(dict.fromkeys(latest[::-1]))[:MOST_ACCOUNTS]
    accounts = together.memories["ann"].accounts
    assert {(account, domain) for account, by_domain in accounts.items() for domain in by_domain} == set(of_last)
    rng.shuffle(told)
    apart = LeadState()
    while told:
        size = rng.randint(1, 9)
        some, told = told[:size], told[size:]
        apart = state_of(UNDER, *some, base=apart)
    assert digest(apart, LEAD) == digest(together, LEAD)
