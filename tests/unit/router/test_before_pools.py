"""The checks before any pool, in their order."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from services.router.domain.account import CHECKS, CheckId, Deal, Known, Party, Place, Registration
from services.router.domain.account_words import (
    BY_NAMES,
    CANNOT,
    CHECK_NAMES,
    CODES,
    SAID,
    TIES,
    WHY_NOT,
    account_steps,
    candidate_reason,
    check_reason,
    matched_reason,
)
from services.router.domain.before_pools import Check, Said, Why, before_pools
from services.router.domain.matching.result import ByName, Candidate, Code, Matched, Tie
from services.router.domain.matching.result import Why as WhyNot
from shared.availability.people import NotAtWork
from shared.schemas.policies.routing import AccountChecks
from shared.schemas.policies.teams import Rep

REPS = {
    name: Rep(id=name, name=name.title(), active=name != "away") for name in ("sato", "mori", "ito", "away", "tanaka")
} | {
    "kato": Rep(id="kato", name="Kato", manager="away"),
    "away": Rep(id="away", name="Away", active=False, manager="mori"),
}
HERE, SISTER = Place("site", "entity", "root"), Place("sister", "sister", "root")


def ask(
    *deals: Deal,
    registrations: tuple[Registration, ...] = (),
    holders: tuple[str, ...] = (),
    policy: dict[str, Any] | None = None,
    out: dict[str, NotAtWork] | None = None,
    **party: Any,
) -> Any:
    fields = {"account_id": "site", "name": "日の出", "kind": "end_customer", "level": "site"}
    known = Known(
        Matched("site", "domain"), Party(**fields | {"root": "root", "entity": "entity"} | party), deals, registrations
    )
    return before_pools(known, AccountChecks.model_validate(policy or {}), REPS, holders, now=1_000, out=out or {})


def deal(rep: str, lead: str = "l1", place: Place = HERE, accepted: bool = True) -> Deal:
    return Deal(lead, place, rep, "is", accepted)


def registered(
    partner: str = "daiko", owner: str | None = "ito", until: int = 2_000, place: Place = HERE
) -> Registration:
    return Registration(f"r-{partner}", place, partner, partner.title(), owner, until)


def test_without_an_account_nothing_is_asked():
    assert before_pools(None, AccountChecks(), REPS, (), 0).checks == ()
    assert not before_pools(Known(Matched()), AccountChecks(), REPS, (), 0).decides


def test_an_account_that_has_nothing_to_say_is_asked_everything_in_order_and_leaves_it_to_the_rules():
    said = ask()
    assert [check.check for check in said.checks] == list(CHECKS) == list(get_args(CheckId))
    assert {check.said for check in said.checks} == {"passes"}
    assert not said.decides


def test_who_holds_another_lead_there_comes_before_the_owner_and_keeps_its_leg():
    said = ask(deal("mori"), owner="sato")
    assert (said.direct.rep.id, said.direct.leg, said.direct.check) == ("mori", "is", "open_opportunity")


def test_an_accepted_lead_comes_before_one_that_was_offered():
    assert ask(deal("mori", "l1", accepted=False), deal("ito", "l2")).direct.rep.id == "ito"


def test_of_a_deal_whose_holder_cannot_take_it_the_next_is_asked_and_then_the_next_check():
    assert ask(deal("away", "l1"), deal("ito", "l2")).direct.rep.id == "ito"
    said = ask(deal("away"), owner="sato")
    assert (said.checks[1].said, said.checks[1].why, said.direct.check) == ("unavailable", "inactive", "named_account")


@pytest.mark.parametrize(("within", "direct"), [("site", False), ("legal_entity", False), ("group", True)])
def test_a_sisters_deal_counts_as_far_as_the_policy_looks(within, direct):
    policy = {"open_opportunity": {"within": within}}
    assert bool(ask(deal("mori", place=SISTER), policy=policy).direct) is direct


def test_a_registered_deal_comes_before_the_owner_and_ends_at_its_moment():
    said = ask(registrations=(registered(),), owner="sato")
    assert (said.direct.rep.id, said.direct.leg) == ("ito", "partner")
    assert ask(registrations=(registered(until=1_000),), owner="sato").direct.check == "named_account"


@pytest.mark.parametrize("owner", [None, "nobody", "away"])
def test_a_protected_deal_whose_partner_nobody_looks_after_is_parked_and_never_sold_directly(owner):
    said = ask(registrations=(registered(owner=owner),), owner="sato")
    assert (said.parked, said.direct) == ("partner_protected", None)


def test_two_partners_that_are_protected_are_a_persons_to_decide():
    said = ask(registrations=(registered("a"), registered("b")))
    assert (said.parked, said.checks[-1].about) == ("partner_conflict", "a, b")


@pytest.mark.parametrize(
    ("rep", "holders", "why"),
    [("nobody", (), "unknown_rep"), ("away", (), "inactive"), ("sato", ("sato",), "earlier_holder")],
)
def test_an_owner_who_cannot_take_it_is_passed_over_with_the_reason(rep, holders, why):
    said = ask(owner=rep, holders=holders)
    named = next(check for check in said.checks if check.check == "named_account")
    assert (named.said, named.why, said.decides) == ("unavailable", why, False)


def test_only_accounts_of_the_named_tiers_go_to_their_owner():
    policy = {"named_account": {"tiers": ["A"]}}
    assert ask(owner="sato", tier="A", policy=policy).direct.rep.id == "sato"
    assert ask(owner="sato", tier="B", policy=policy).checks[3].why == "other_tier"


def test_a_customer_goes_to_the_account_manager_else_to_the_owner():
    managed = ask(owner="sato", is_customer=True, account_manager="tanaka")
    assert (managed.direct.rep.id, managed.direct.leg) == ("tanaka", "am")
    assert ask(owner="sato", is_customer=True).direct.check == "named_account"
    owned = ask(owner="sato", is_customer=True, policy={"named_account": None})
    assert (owned.direct.rep.id, owned.direct.leg, owned.checks[3].said) == ("sato", "am", "not_asked")


@pytest.mark.parametrize("kind", ["competitor", "supplier"])
def test_competitors_and_suppliers_are_never_routed(kind):
    assert ask(deal("mori"), kind=kind, owner="sato").never


def test_by_policy_press_is_never_routed_and_academics_go_to_their_owner():
    policy = {"kinds": {"press": "never", "academic": "owner"}}
    assert ask(kind="press", policy=policy).never
    assert ask(kind="academic", owner="ito", policy=policy).direct.check == "kind"
    assert not ask(kind="competitor", policy=policy).decides


def test_every_code_has_its_words_in_both_languages():
    assert set(CODES) == set(get_args(Code))
    assert set(TIES) == set(get_args(Tie))
    assert set(BY_NAMES) == set(get_args(ByName))
    assert set(WHY_NOT) == set(get_args(WhyNot))
    assert set(CHECK_NAMES) == set(CHECKS)
    assert set(SAID) | set(CANNOT) == set(get_args(Why))
    words = [word for table in (CODES, TIES, BY_NAMES, WHY_NOT, CHECK_NAMES, SAID, CANNOT) for word in table.values()]
    assert all(word.en and word.ja for word in words)


def test_what_was_said_is_told_in_both_languages():
    told = [
        check_reason(Check(check, said, why, "sato", "about", 1_795_219_260_000), None)
        for check in CHECKS
        for said in get_args(Said)
        for why in (*get_args(Why), None)
    ]
    assert all(reason.text["en"] and reason.text["ja"] and "{" not in reason.text["en"] for reason in told)
    party = Party("a", "日の出", "end_customer", "legal_entity", "a", "a")
    found = matched_reason(Known(Matched("a", "alias_domain", "site", "former"), party))
    assert found.text == {
        "en": "account “日の出”, by another domain of the account, by its former name; the site was named",
        "ja": "取引先「日の出」(別ドメインで一致、旧社名、拠点名が一致)",
    }
    assert (
        candidate_reason(Candidate("a", "A", "fuzzy", "too_far", 81)).text["en"]
        == "the names are not alike enough (81 %)"
    )
    assert list(account_steps(Known(Matched()), (), None)) == []


@pytest.mark.parametrize("why", ["absent", "away"])
@pytest.mark.parametrize(
    ("absent", "said", "parked"),
    [("give", "takes", None), ("wait", "parks", "owner_absent"), ("pool", "unavailable", None)],
)
def test_while_the_owner_is_absent_policy_says_what_becomes_of_the_lead(why, absent, said, parked):
    out = {"sato": NotAtWork(why, 9_000, "Asia/Tokyo")}
    asked = ask(owner="sato", out=out, policy={"named_account": {"absent": absent}})
    [check] = [one for one in asked.checks if one.check == "named_account"]
    assert (check.said, asked.parked, check.until) == (said, parked, None if absent == "give" else 9_000)


def test_after_hours_nobody_is_absent():
    out = {"sato": NotAtWork("closed", 9_000, "Asia/Tokyo")}
    assert ask(owner="sato", out=out, policy={"named_account": {"absent": "wait"}}).direct.rep.id == "sato"


def test_what_the_owner_gave_back_goes_to_the_first_manager_above_who_can_have_it():
    asked = ask(owner="kato", holders=("kato",))
    assert (asked.direct.rep.id, asked.direct.leg, asked.checks[-1].why) == ("mori", "fs", "manager")
    assert ask(owner="kato", holders=("kato", "mori")).direct is None, "they have had it, too"
    assert ask(owner="tanaka", holders=("tanaka",)).direct is None, "nobody is above"
