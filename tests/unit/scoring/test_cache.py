"""What is kept in memory stays within its bound, however large the accounts are."""

from __future__ import annotations

from random import Random

from services.scoring.cache import PEOPLE_PER_LEAD, StateCache
from services.scoring.domain.people import People, Person
from services.scoring.domain.state import LeadState
from shared.schemas.scores import Version


def account(people: int) -> People:
    return People({f"lead-{number}": Person(Version(1, 1, 1, 1)) for number in range(people)})


def test_the_states_used_last_are_kept() -> None:
    cache = StateCache(3)
    for name in "abcad":
        cache.hold(0, {}, [(name, LeadState())])
    held = cache.find(0)
    assert held is not None
    assert list(held.states) == ["c", "a", "d"]


def test_a_large_account_takes_the_room_of_many_leads() -> None:
    cache = StateCache(20)
    cache.hold(0, {}, [(f"lead-{number}", LeadState()) for number in range(20)])
    cache.hold(0, {}, [("account", account(9 * PEOPLE_PER_LEAD))])
    assert cache.size() == 11
    cache.hold(0, {}, [("account", account(1)), ("lead-0", LeadState())])
    assert cache.size() == 12, "and gives it back when its people go"


def test_what_alone_is_larger_than_the_bound_is_not_kept() -> None:
    cache = StateCache(5)
    cache.hold(0, {"touchpoints": 7}, [("account", account(100 * PEOPLE_PER_LEAD))])
    held = cache.find(0)
    assert held is not None
    assert (cache.size(), held.room, held.applied) == (0, 0, {"touchpoints": 7})


def test_the_room_is_that_of_what_is_held_whatever_came_and_went() -> None:
    rng = Random(1)
    cache = StateCache(30)
    for _ in range(500):
        cache.hold(0, {}, [(str(rng.randrange(40)), account(rng.randrange(8 * PEOPLE_PER_LEAD)))])
        held = cache.find(0)
        assert held is not None
        assert held.room == sum(1 + len(state) // PEOPLE_PER_LEAD for state in held.states.values()) <= 30  # type: ignore[arg-type]
