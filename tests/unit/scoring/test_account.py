"""What the people of one company are worth together: breadth before depth."""

from __future__ import annotations

from math import log2
from typing import Any

import pytest

from services.scoring.domain.account import next_change, score_account
from services.scoring.domain.people import MOST_MOMENTS, MOST_PEOPLE, People, Person
from shared.schemas.policies.scoring import AccountScoring
from shared.schemas.scores import Version

DAY = 86_400_000
NOW = 1_790_000_000_000
POLICY = AccountScoring()


def person(days_ago: float | None = 0, *, position: int = 1, as_of: int = NOW, **more: Any) -> Person:
    """days_ago: when last active"""
    active = () if days_ago is None else (NOW - round(days_ago * DAY),)
    return Person(Version(1, 1, position, as_of), **({"active": active} | more))


def people(*told: Person) -> People:
    return People({f"lead-{number}": one for number, one in enumerate(told)})


def points(account: People, moment: int = NOW, policy: AccountScoring = POLICY) -> dict[str, float]:
    scored = score_account(account, policy, moment)
    assert scored.score.total == sum(part.kept for part in scored.score.parts)
    return {part.rule_id: part.kept / 1000 for part in scored.score.parts}


def test_each_person_active_within_seven_days_counts_and_a_millisecond_later_does_not() -> None:
    account = people(person(0), person(6), person(6.999), person(8), person(None))
    assert points(account) == {"persons": 30.0}
    assert score_account(account, POLICY, NOW).active == 3
    assert score_account(account, POLICY, NOW).people == 5
    ends = account["lead-2"].active[0] + 7 * DAY
    assert score_account(account, POLICY, ends - 1).active == 3
    assert score_account(account, POLICY, ends).active == 2


def test_breadth_beats_depth_one_keen_person_is_worth_less_than_three_who_only_looked() -> None:
    keen = people(person(0, engagement=100_000))
    curious = people(*(person(0, engagement=3_000) for _ in range(3)))
    assert sum(points(keen).values()) == 18
    assert sum(points(curious).values()) == 31.8


def test_roles_and_departments_are_those_of_people_active_within_ninety_days() -> None:
    account = people(
        person(0, role="user", department="it"),
        person(89, role="decision_maker", department="dx"),
        person(91, role="drafter", department="sales"),
        person(None, role="initiator", department="hr"),
    )
    scored = score_account(account, POLICY, NOW)
    assert scored.roles == ["decision_maker", "user"]
    assert scored.departments == ["dx", "it"]
    assert points(account) == {"persons": 10, "roles": 16, "departments": 6}


def test_one_department_alone_is_no_breadth() -> None:
    assert "departments" not in points(people(person(department="it"), person(department="it")))


def test_nobody_s_engagement_counts_for_more_than_the_deepest() -> None:
    account = people(person(None, engagement=100_000), person(None, engagement=10_000))
    assert points(account) == {"depth": 8 + 2}


def test_depth_fades_by_half_in_thirty_days() -> None:
    account = people(person(None, engagement=10_000))
    assert points(account, NOW + 30 * DAY) == {"depth": 1}


def test_the_depth_of_all_is_capped_and_the_part_says_what_was_cut() -> None:
    account = people(*(person(None, engagement=100_000) for _ in range(5)))
    (depth,) = score_account(account, POLICY, NOW).score.parts
    assert (depth.times, depth.given, depth.kept, depth.cut) == (5, 40_000, 24_000, 16_000)


def test_contributors_are_the_five_to_whom_the_account_owes_most() -> None:
    account = people(
        *(person(None, engagement=1_000 * number) for number in (1, 7, 3, 9, 2, 8)),
        person(None, engagement=90_000, gone=True),
    )
    scored = score_account(account, POLICY, NOW)
    assert [(one.lead, one.points) for one in scored.contributors] == [
        ("lead-3", 1_800),
        ("lead-5", 1_600),
        ("lead-1", 1_400),
        ("lead-2", 600),
        ("lead-4", 400),
    ]


def test_who_was_keen_long_ago_ranks_below_who_is_so_now() -> None:
    before = person(None, engagement=20_000, as_of=NOW - 90 * DAY)
    account = people(before, person(None, engagement=5_000))
    assert [one.lead for one in score_account(account, POLICY, NOW).contributors] == ["lead-1", "lead-0"]


def test_five_people_who_were_never_seen_before_are_a_surge() -> None:
    assert points(people(*(person(1) for _ in range(5))))["surge"] == 10
    assert "surge" not in points(people(*(person(1) for _ in range(4))))


def test_somebody_who_is_there_every_day_is_no_surge() -> None:
    daily = tuple(NOW - day * DAY for day in range(MOST_MOMENTS))
    assert "surge" not in points(people(person(active=daily)))


def test_twice_as_much_as_usual_is_a_surge() -> None:
    before = tuple(NOW - day * DAY for day in (8, 13, 18, 23, 28, 31, 32, 33, 34, 34.5))
    now = tuple(NOW - day * DAY for day in range(5))
    assert points(people(person(active=now + before)))["surge"] == 10
    one_more = (NOW - 30 * DAY,)
    assert "surge" not in points(people(person(active=now + before), person(active=one_more)))


def test_an_account_can_rise_by_time_alone_when_what_was_usual_is_forgotten() -> None:
    policy = AccountScoring(persons=0, bands=(60, 35, 10))
    before = tuple(NOW - round(day * DAY) for day in (33, 34, *range(8, 17)))
    account = people(person(active=tuple(NOW - day * DAY for day in range(5))), person(active=before))
    assert score_account(account, policy, NOW).band == 4
    rises = NOW - 34 * DAY + 35 * DAY
    assert next_change(account, policy, NOW) == rises
    assert NOW < score_account(account, policy, NOW).steady_until <= rises
    assert score_account(account, policy, rises).band == 3


def test_the_cap_of_all_is_kept_and_the_parts_still_sum() -> None:
    account = people(*(person(1, engagement=100_000, role=f"r{n}", department=f"d{n}") for n in range(9)))
    assert sum(points(account).values()) == 100


def test_an_account_that_everybody_left_is_worth_nothing_and_says_so() -> None:
    scored = score_account(people(person(gone=True), person(gone=True)), POLICY, NOW)
    assert (scored.people, scored.score.total, scored.score.parts, scored.band) == (0, 0, [], 4)
    assert scored.contributors == []


def test_an_account_falls_a_band_at_the_millisecond_in_which_a_window_ends() -> None:
    account = people(person(0), person(3, role="user"))  # 28 points; 18 in four days, 8 in seven
    assert score_account(account, POLICY, NOW).band == 3
    assert next_change(account, POLICY, NOW) == NOW + 7 * DAY
    assert next_change(account, POLICY, NOW + 7 * DAY) is None


def test_an_account_falls_a_band_when_its_depth_has_faded() -> None:
    account = people(*(person(None, engagement=100_000) for _ in range(3)))  # 24 points: a fifth of each, 8 at most
    falls = next_change(account, POLICY, NOW)
    assert falls is not None
    assert falls == pytest.approx(NOW + 60 * DAY, abs=DAY / 24), "when a fifth of each is worth 5"
    assert [score_account(account, POLICY, at).score.total for at in (falls - 1, falls)] == [15_000, 14_997]
    assert NOW < score_account(account, POLICY, NOW).steady_until <= falls


def test_depth_of_next_to_nothing_may_all_be_rounded_down_at_once_and_ends_at_half_a_milli_point() -> None:
    """Three of 0.0095 points are 0.030 together, and a ms later 0.027: more than fades in an hour."""
    policy = AccountScoring(depth=1, depths=200, half_life_days=1, surge=0, bands=(0.028, 0.002, 0.001))
    account = people(*(person(None, engagement=10) for _ in range(3)))
    last = NOW + int(log2(10 / 9.5) * DAY)
    scored = score_account(account, policy, last)
    assert (scored.score.total, score_account(account, policy, last + 1).score.total) == (30, 27)
    assert scored.steady_until <= last + 1
    assert next_change(account, policy, last) == last + 1
    ends = next_change(account, policy, NOW + 4 * DAY)  # of 0.001 each
    assert ends == pytest.approx(NOW + log2(20) * DAY, abs=1)


def test_of_too_many_people_those_stay_who_spoke_last() -> None:
    crowd = People({f"lead-{number}": person(position=number) for number in range(MOST_PEOPLE)})
    late, refused = crowd.join({"late": person(position=MOST_PEOPLE)})
    assert (len(late), refused) == (MOST_PEOPLE, 1)
    assert "late" in late
    assert "lead-0" not in late
    early, refused = late.join({"early": person(position=0)})
    assert (dict(early), refused) == (dict(late), 1)


def test_of_two_who_spoke_last_at_once_always_the_same_stays() -> None:
    crowd = {f"lead-{number}": person(position=9) for number in range(MOST_PEOPLE - 1)}
    for two in (("ann", "bob"), ("bob", "ann")):
        kept, _ = People(crowd).join({lead: person(position=1) for lead in two})
        assert kept.keys() - crowd.keys() == {"bob"}


def test_a_late_word_of_a_worker_that_lost_its_partition_changes_nothing() -> None:
    known = People({"lead": person(1, position=5)})
    for position in (4, 5):
        same, _ = known.join({"lead": person(0, position=position, gone=position == 4)})
        assert (same["lead"].gone, same["lead"].version.position) == (False, 5)


def test_of_two_that_claim_one_version_always_the_same_stands() -> None:
    one, other = person(0, role="user"), person(0, role="drafter")
    both = [People({"lead": first}).join({"lead": second})[0] for first, second in ((one, other), (other, one))]
    assert both[0] == both[1]


def test_versions_of_a_newer_building_or_policy_stand_before_positions() -> None:
    known = People({"lead": person(position=900)})
    newer = Person(Version(1, 2, 3, NOW), role="user")
    rebuilt = Person(Version(2, 2, 1, NOW), gone=True)
    people, _ = known.join({"lead": newer})
    assert people["lead"] == newer
    people, _ = people.join({"lead": rebuilt})
    people, _ = people.join({"lead": person(position=901)})
    assert people["lead"] == rebuilt


@pytest.mark.parametrize("days", [1e-12, 1e-9])
def test_periods_shorter_than_a_millisecond_are_one_and_divide_nothing_by_zero(days: float) -> None:
    policy = AccountScoring(active_days=days, memory_days=days, half_life_days=days)
    account = people(person(0, engagement=90_000))
    assert score_account(account, policy, NOW).active == 1
    assert next_change(account, policy, NOW) is not None
    assert score_account(account, policy, NOW + 90).score.total == 0
