"""What a lead is worth by what it is: groups, who is believed, expiry, dates; and by whose rules it is judged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.fit import fit
from services.scoring.domain.ledger import DAY
from services.scoring.domain.parts import Partial
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import score, stand
from tests.unit.scoring.leads import LEAD, NOW, link, page, rules, scored, state_of, touch

HEAD = {"id": "head", "when": {"lead.level": {"eq": "head"}}, "points": 25, "group": "level"}
ANY = {"id": "any", "when": {"lead.level": {"exists": True}}, "points": 5, "group": "level"}
STUDENT = {"id": "student", "when": {"lead.kind": {"eq": "student"}}, "points": -40}


def fit_of(under: Rules, **attributes: Any) -> Partial:
    return scored(under, touch(1, attributes=attributes)).fit


def test_of_the_rules_of_a_group_the_best_one_counts() -> None:
    under = rules([], [ANY, HEAD, STUDENT])
    assert [part.rule_id for part in fit_of(under, level="head").parts] == ["head"]
    assert fit_of(under, level="staff").total == 5_000
    assert fit_of(under, level="head", kind="student").total == -15_000


def test_what_a_trusted_source_says_stands_before_what_is_newer() -> None:
    under = rules()
    found = scored(
        under,
        touch(1, trusted=True, source_id="crm", attributes={"level": "head"}),
        touch(2, at=NOW + 1, attributes={"level": "student", "department": "it"}),
    )
    assert found.attributes == {"department": "it", "level": "head"}


def test_of_two_trusted_sources_and_of_two_identities_the_later_is_believed() -> None:
    told = [
        touch(1, trusted=True, source_id="crm", attributes={"level": "head"}),
        touch(2, "phone", lead_id=LEAD, at=NOW + 1, trusted=True, source_id="fair", attributes={"level": "staff"}),
    ]
    assert scored(rules(), *told).attributes == {"level": "head"}, "the phone is another lead's"
    assert scored(rules(), *told, link("phone", LEAD, 1)).attributes == {"level": "staff"}


@pytest.mark.parametrize("values", [(1, True), (True, 1), (0, False), ("True", True), (1.0, True)])
def test_values_that_python_takes_for_equal_are_not_remembered_for_one_another(values: tuple[Any, Any]) -> None:
    own = {"id": "own", "when": {"lead.own_domain": {"eq": True}}, "points": 10}
    under = rules([], [own])
    assert [fit_of(under, own_domain=value).total for value in values] == [
        fit_of(rules([], [own]), own_domain=value).total for value in values
    ]


# --- expiry and dates -----------------------------------------------------------------------------------------------------


def test_a_fact_is_forgotten_by_the_rule_that_expires_and_by_no_other() -> None:
    under = rules([], [{**HEAD, "expires_days": 30}, ANY])
    told = touch(1, at=NOW, attributes={"level": "head"})
    assert scored(under, told, moment=NOW + 30 * DAY - 1).fit.total == 25_000
    assert scored(under, told, moment=NOW + 30 * DAY).fit.total == 5_000


def test_a_fact_told_again_is_fresh_again() -> None:
    under = rules([], [{**HEAD, "expires_days": 30}])
    old = touch(1, at=NOW - 40 * DAY, attributes={"level": "head"})
    assert scored(under, old).fit.total == 0
    assert scored(under, old, touch(2, at=NOW - DAY, attributes={"level": "head"})).fit.total == 25_000


def test_of_several_facts_the_first_to_expire_ends_the_rule() -> None:
    both = {"all": [{"lead.level": {"eq": "head"}}, {"lead.department": {"eq": "it"}}]}
    under = rules([], [{"id": "both", "when": both, "points": 10, "expires_days": 30}])
    told = [touch(1, at=NOW - 20 * DAY, attributes={"level": "head"}), touch(2, attributes={"department": "it"})]
    assert scored(under, *told, moment=NOW + 10 * DAY - 1).fit.total == 10_000
    assert scored(under, *told, moment=NOW + 10 * DAY).fit.total == 0


def test_a_rule_of_fit_has_dates_too() -> None:
    under = rules([], [{**HEAD, "valid_until": "2026-10-03"}, ANY], zone_offset_minutes=540)
    told = touch(1, attributes={"level": "head"})
    end = under.base.boundaries[0]
    assert scored(under, told, moment=end - 1).fit.total == 25_000
    assert scored(under, told, moment=end).fit.total == 5_000


@given(st.lists(st.integers(-5, 60), min_size=2, max_size=6))
def test_what_is_remembered_of_fit_is_what_is_found_anew(days: list[int]) -> None:
    """Moments in any order, with rules that expire and begin."""
    fits = [{**HEAD, "expires_days": 30}, {**ANY, "valid_from": "2026-10-01", "expires_days": 50}, STUDENT]
    under = rules([], fits)
    state = state_of(
        under,
        touch(1, at=NOW, attributes={"level": "head"}),
        touch(2, at=NOW - 9 * DAY, attributes={"kind": "student"}),
    )
    for day in days:
        moment = NOW + day * DAY
        standing = stand(state, LEAD, under)
        anew = rules([], fits).base
        assert fit(standing.attributes, standing.facts, under.base, moment) == fit(
            standing.attributes, standing.facts, anew, moment
        )


# --- regions and ourselves ------------------------------------------------------------------------------------------------

JAPAN = {
    "id": "japan",
    "when": {"lead.country": {"eq": "JP"}},
    "off": ["mail"],
    "behaviour": [
        page(20, half_life_days=30),
        page(3, id="card", when={"touch.type": {"eq": "trade_fair_card_scanned"}}, group="web"),
    ],
    "fit": [{**HEAD, "points": 40}],
}
ABROAD = {"id": "abroad", "when": {"lead.country": {"exists": True}}, "off": ["page"]}
MAIL = page(5, id="mail", when={"touch.type": {"eq": "email_clicked"}})
REGIONS = rules([page(), MAIL], [HEAD], {"groups": {"web": 99}}, overlays=[JAPAN, ABROAD])
DONE = [touch(1), touch(2, type="email_clicked"), touch(3, type="trade_fair_card_scanned")]


def lives_in(country: str, number: int = 50) -> Any:
    return touch(number, type="identify", at=NOW + number, attributes={"country": country, "level": "head"})


def points_of(*more: Any) -> tuple[str | None, dict[str, int], int]:
    found = scored(REGIONS, *DONE, *more)
    return found.region, {part.rule_id: part.given for part in found.engagement.parts}, found.fit.total


def test_a_region_adds_replaces_and_switches_off_rules() -> None:
    assert points_of() == (None, {"page": 8_000, "mail": 5_000}, 0)
    assert points_of(lives_in("JP")) == ("japan", {"page": 20_000, "card": 3_000}, 40_000)


def test_of_several_regions_the_first_that_holds_counts() -> None:
    assert points_of(lives_in("DE")) == ("abroad", {"mail": 5_000}, 25_000)


def test_who_moves_is_judged_by_the_other_rules_at_once_by_all_that_was_done_before() -> None:
    assert points_of(lives_in("DE", 50), lives_in("JP", 51)) == points_of(lives_in("JP", 51))
    assert points_of(lives_in("JP", 50), lives_in("DE", 51))[0] == "abroad"


def test_who_is_one_of_ourselves_is_worth_nothing_but_is_kept() -> None:
    under = rules([page()], [HEAD], internal={"lead.domain": {"eq": "ourselves.example"}})
    state = state_of(under, touch(1, attributes={"domain": "ourselves.example", "level": "head"}))
    found = score(state, LEAD, under)
    assert (found.internal, found.engagement.parts, found.fit.parts, found.grade, found.temperature) == (
        True,
        [],
        [],
        "D4",
        "cold",
    )
    assert found.better == []
    assert [one.event_id for one in found.touches] == ["event-1"]
    gone = score(state_of(under, touch(2, at=NOW + 1, attributes={"domain": "other.example"}), base=state), LEAD, under)
    assert (gone.internal, gone.engagement.total, gone.fit.total) == (False, 16_000, 25_000)


# --- what would raise it --------------------------------------------------------------------------------------------------


def asked_for(*fits: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    under = rules([], [{"id": f"fit-{number}", **one} for number, one in enumerate(fits)], fit={"grades": [60, 40, 20]})
    (better,) = scored(under, touch(1)).better
    return [(one.rule_id, one.points, one.attribute) for one in better.by]


def test_what_brings_something_only_together_is_asked_for_together_by_the_rule_that_it_meets() -> None:
    both = {"when": {"lead.level": {"eq": "head"}, "lead.department": {"eq": "it"}}, "points": 25}
    assert asked_for(both) == [("fit-0", 0, "lead.department"), ("fit-0", 25_000, "lead.level")]


def test_a_fact_is_asked_for_where_its_number_has_to_lie_beyond_an_edge() -> None:
    large = {"when": {"lead.employees": {"gt": 100}}, "points": 25}
    assert asked_for(large) == [("fit-0", 25_000, "lead.employees")]
