"""Which company a lead belongs to: the one named last, by the strongest key that is known of it."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from services.scoring.domain.companies import account_of, accounts_of
from services.scoring.domain.memory import MOST_ACCOUNTS, Memory, Named
from services.scoring.wire import Touch

NOW = 1_790_000_000_000
Naming = tuple[int, str, str | None]


def touch(at: int, account: str, domain: str | None, own: bool = True) -> Touch:
    attributes: dict[str, Any] = {"account": account}
    if domain:
        attributes |= {"domain": domain, "own_domain": own}
    return Touch("acme", "lead", "ann", "email", f"event-{at}", "crm", "identify", at, at, attributes=attributes)


def memory(*namings: Naming, own: bool = True) -> Memory:
    found = Memory()
    for at, account, domain in namings:
        found.remember(touch(at, account, domain, own), (), {}, raises_hand=False)
    return found


@pytest.mark.parametrize(
    ("namings", "account"),
    [
        ([(1, "a.example", "a.example")], "a.example"),
        ([(1, "corporate:1", "a.example"), (2, "a.example", "a.example")], "corporate:1"),
        ([(1, "group:7", "a.example"), (2, "corporate:1", "a.example"), (3, "a.example", "a.example")], "corporate:1"),
        ([(1, "corporate:1", "a.example"), (2, "b.example", "b.example")], "b.example"),
        ([(1, "b.example", "b.example"), (2, "corporate:1", "a.example")], "corporate:1"),
        # The product's calls name the sender's own id alone, the forms the mail domain alone: one company, not two in turn.
        ([(1, "a.example", "a.example"), (2, "group:7", None), (3, "a.example", "a.example")], "group:7"),
        ([(1, "group:7", None), (2, "a.example", "a.example")], "group:7"),
        ([(1, "group:7", "a.example"), (2, "group:7", None), (3, "a.example", "a.example")], "group:7"),
        # … until the person is seen at another company.
        ([(1, "a.example", "a.example"), (2, "group:7", None), (3, "b.example", "b.example")], "b.example"),
        ([(1, "a.example", "a.example"), (2, "group:7", None), (3, "b.example", "b.example"), (4, "group:7", None)],
         "group:7"),
        # Since when a mail domain is in use is known however often it was named since.
        ([(1, "b.example", "b.example"), (2, "a.example", "a.example"), (3, "group:7", None), (4, "b.example", "b.example"),
          (5, "a.example", "a.example")], "group:7"),
        ([(1, "a.example", "a.example"), (2, "b.example", "b.example"), (2, "group:7", None), (3, "b.example", "b.example")],
         "group:7"),
        # Of two keys of one strength the later.
        ([(1, "group:7", "a.example"), (2, "group:8", "a.example"), (3, "a.example", "a.example")], "group:8"),
        # A company with two mail domains.
        ([(1, "group:7", "a.example"), (2, "group:7", "a.co.example"), (3, "a.example", "a.example")], "group:7"),
    ],
)  # fmt: skip
def test_the_company_named_last_by_its_strongest_key(namings: list[Naming], account: str) -> None:
    for order in permutations(namings):
        told = account_of([memory(*order)])
        assert told is not None
        assert (told.value, told.at) == (account, max(at for at, *_ in namings))
        apart = [memory(naming) for naming in order]
        assert account_of(apart) == told, "by one identity or by several"


def test_a_mail_domain_beyond_the_bound_is_in_use_since_any_of_its_keys_was_named_last() -> None:
    accounts = {
        "a.example": {"a.example": Named(5, "event-5")},
        "group:8": {"a.example": Named(2, "event-2")},
        "b.example": {"b.example": Named(1, "event-1")},
        "group:7": {"": Named(3, "event-3")},
    }
    for order in permutations(accounts.items()):
        told = account_of([Memory(accounts=dict(order))])
        assert told is not None
        assert told.value == "group:7"


def test_mail_domains_that_thousands_of_companies_share_make_no_two_of_them_one() -> None:
    found = memory((1, "corporate:1", "gmail.example"), (2, "group:8", "gmail.example"), own=False)
    told = account_of([found])
    assert told is not None
    assert told.value == "group:8"


def test_who_named_no_company_belongs_to_none() -> None:
    assert account_of([Memory()]) is None
    assert account_of([]) is None


def test_of_many_companies_those_named_last_are_remembered_in_whatever_order_they_came() -> None:
    namings: list[Naming] = [(n, f"c{n}.example", f"c{n}.example") for n in range(MOST_ACCOUNTS + 5)]
    forward, backward = memory(*namings), memory(*namings[::-1])
    assert forward == backward
    assert accounts_of([forward]) == {f"c{n}.example" for n in range(5, MOST_ACCOUNTS + 5)}
    halves = memory(*namings[::2])
    halves.absorb(memory(*namings[1::2]))
    assert halves == forward
