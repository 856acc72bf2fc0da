"""Frameworks: which answers meet what, until when, what contradicts what, and which question is worth asking."""

from __future__ import annotations

import random
from datetime import datetime
from itertools import product

import pytest

from shared.qualification.answers import Answer
from shared.qualification.assessing import DAY, Assessed, assess, fiscal_year_end
from shared.schemas.policies.frameworks import PRESETS, BantPolicy, Framework
from shared.schemas.vocabulary import ASKING, QUESTIONS

NOW = 1_000 * DAY
STATES = ("met", "unmet", "missing", "expired", "conflicting")
LETTERS = {"need": ("N1", "stated", "none"), "timeline": ("T1", "3m", "1y"), "budget": ("B1", "secured", "none")}
LETTERS["authority"] = ("A1", "decision", "information")


def said(question: str, code: str, *, days_ago: float = 1, source: str = "web", trusted: bool = False) -> Answer:
    return Answer(question, code, source, NOW - round(days_ago * DAY), trusted=trusted)


def answers_for(name: str, state: str) -> list[Answer]:
    question, good, bad = LETTERS[name]
    return {
        "met": [said(question, good)],
        "unmet": [said(question, bad)],
        "missing": [],
        "expired": [said(question, good, days_ago=700)],
        "conflicting": [said(question, good), said(question, bad, source="form")],
    }[state]


def framework(**criteria: dict) -> Framework:
    return Framework.model_validate({"minimum_met": 1, "criteria": criteria})


def one(criterion: dict, *answers: Answer, now: int = NOW) -> Assessed:
    return assess(answers, framework(it=criterion), now).criteria[0]


@pytest.mark.parametrize("minimum", range(5))
def test_every_combination_of_states_of_bant_is_as_a_naive_count_has_it(minimum):
    names = list(PRESETS["bant"])
    required = {"need": {"required": True}} if minimum % 2 else {}
    bant = Framework.model_validate({"preset": "bant", "minimum_met": minimum, "criteria": required})
    for states in product(STATES, repeat=4):
        answers = [answer for name, state in zip(names, states, strict=True) for answer in answers_for(name, state)]
        found = assess(tuple(answers), bant, NOW)
        assert tuple(criterion.state for criterion in found.criteria) == states
        met = states.count("met")
        assert found.met == met
        assert found.enough == (met >= minimum and not (required and states[names.index("need")] != "met"))
        assert found.facts()["bant.met"] == met
        assert found.confirmed == (met > 0)
        if found.enough:
            assert found.question is None


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_met_by_some_answers_to_questions_of_the_vocabulary(preset):
    asked = Framework.model_validate({"preset": preset, "minimum_met": len(PRESETS[preset])})
    answers = []
    for criterion in asked.resolved.values():
        assert criterion.label.texts().keys() == {"en", "ja"}
        for way in criterion.all_ways:
            for question, codes in way.items():
                assert set(codes) <= set(QUESTIONS[question])
                assert ASKING[question].words.ja
        answers += [said(question, codes[0]) for question, codes in criterion.all_ways[-1].items()]
    assert assess(tuple(answers), asked, NOW).enough
    assert not assess(tuple(answers[1:]), asked, NOW).enough
    assert set(ASKING) == set(QUESTIONS)


def test_a_preset_is_changed_field_by_field_and_a_criterion_left_out():
    changed = {
        "budget": {"expires_days": 30},
        "competitor": None,
        "need": {"required": True},
        "own": {"questions": {"T2": ["renewal"]}},
    }
    found = Framework.model_validate({"preset": "bantch", "minimum_met": 3, "criteria": changed}).resolved
    assert list(found) == ["need", "timeline", "authority", "budget", "team", "own"]
    assert (found["budget"].expires, found["budget"].expires_days) == (None, 30)
    assert found["budget"].questions == {"B1": ("secured", "applied")}
    assert (found["need"].required, found["need"].questions) == (True, {"N1": ("stated",)})
    simpler = {"authority": {"questions": {"A1": ["decision", "drafting"]}}}
    found = Framework.model_validate({"preset": "bant", "minimum_met": 3, "criteria": simpler}).resolved
    assert found["authority"].all_ways == ({"A1": ("decision", "drafting")},)


def test_the_short_form_of_bant_is_the_same_framework():
    letter = {"questions": {"B1": ["secured"]}, "ask": {"en": "Budget?"}, "cost": 4}
    short = BantPolicy.model_validate(dict.fromkeys(("budget", "authority", "need", "timeline"), letter)).framework
    assert list(short.resolved) == ["need", "timeline", "authority", "budget"]
    assert short.resolved["need"].label.ja == "必要性"
    assert (short.resolved["need"].cost_of("B1"), short.resolved["need"].words_of("B1").en) == (4, "Budget?")


def test_a_criterion_without_a_question_is_refused():
    with pytest.raises(ValueError, match="names no question"):
        framework(it={})


def test_a_drafter_counts_once_the_approval_route_is_known():
    bant = Framework.model_validate({"preset": "bant", "minimum_met": 4})

    def authority(*answers):
        return next(c for c in assess(answers, bant, NOW).criteria if c.criterion == "authority")

    drafting, route = said("A1", "drafting"), said("A2", "stated", source="rep")
    assert authority(drafting).state == "unmet"
    assert authority(route).state == "missing"
    both = authority(drafting, route)
    assert (both.state, set(both.answers)) == ("met", {drafting, route})
    others = [answer for name in ("need", "timeline", "budget") for answer in answers_for(name, "met")]
    question = assess((*others, drafting), bant, NOW).question
    assert (question.criterion, question.question, question.cost) == ("authority", "A2", 3)


# the clock


def test_an_answer_expires_to_the_millisecond_and_says_when():
    criterion, answer = {"questions": {"T1": ["now"]}, "expires_days": 90}, Answer("T1", "now", "web", 7, trusted=False)
    end = 7 + 90 * DAY
    assert one(criterion, answer, now=end - 1) == Assessed("it", "met", (answer,), end)
    assert one(criterion, answer, now=end) == Assessed("it", "expired", (answer,), end)


def test_the_next_change_is_when_the_first_criterion_changes_and_not_when_any_answer_ends():
    asked = framework(
        a={"questions": {"N1": ["stated"], "N2": ["stated"]}, "expires_days": 100},
        b={"questions": {"T1": ["now"]}, "expires_days": 400},
    )
    answers = (said("N1", "stated", days_ago=90), said("N2", "stated", days_ago=20), said("T1", "now", days_ago=390))
    found = assess(answers, asked, NOW)
    assert found.criteria[0].expires_at == NOW + 80 * DAY, "while one of two answers meets it, it is met"
    assert found.next_change == NOW + 10 * DAY
    assert assess(answers, asked, found.next_change - 1).met == 2
    assert assess(answers, asked, found.next_change).met == 1
    assert assess((), asked, NOW).next_change is None


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("observed", "month", "zone", "end"),
    [
        ("2026-03-31T23:59:59+09:00", 3, "Asia/Tokyo", "2026-04-01T00:00:00+09:00"),
        ("2026-04-01T00:00:00+09:00", 3, "Asia/Tokyo", "2027-04-01T00:00:00+09:00"),
        ("2026-05-01T00:00:00+09:00", 12, "Asia/Tokyo", "2027-01-01T00:00:00+09:00"),
        ("2026-03-31T16:00:00+00:00", 3, "Asia/Tokyo", "2027-04-01T00:00:00+09:00"),  # it is April there
        ("2028-02-29T12:00:00+00:00", 2, "UTC", "2028-03-01T00:00:00+00:00"),
        ("2026-03-01T12:00:00+01:00", 6, "Europe/Berlin", "2026-07-01T00:00:00+02:00"),  # in summer time
    ],
)
def test_a_fiscal_year_ends_with_the_last_day_of_its_month(observed, month, zone, end):
    assert fiscal_year_end(at(observed), month, zone) == at(end)


def test_a_budget_is_good_until_the_customers_fiscal_year_ends_or_else_the_usual_one():
    bant = Framework.model_validate({"preset": "bant", "minimum_met": 1, "fiscal": {"month": 3, "zone": "UTC"}})
    answer = Answer("B1", "secured", "rep", at("2026-05-10T00:00:00+00:00"), trusted=True)

    def budget(now, month=None):
        return assess((answer,), bant, at(now), month).criteria[3].state

    assert [budget("2026-06-30T23:00:00+00:00", 6), budget("2026-07-01T00:00:00+00:00", 6)] == ["met", "expired"]
    assert [budget("2027-03-31T23:00:00+00:00"), budget("2027-04-01T00:00:00+00:00")] == ["met", "expired"]


# who says so


@pytest.mark.parametrize(
    ("source", "how_sure", "policy", "state"),
    [
        ("handoff/form", None, {}, "missing"),
        ("handoff/inside_sales", None, {}, "missing"),
        ("handoff/meeting", None, {}, "met"),
        ("handoff/document", None, {}, "met"),
        ("handoff/inside_sales", 0.85, {}, "met"),
        ("handoff/document", 0.84, {}, "missing"),
        ("handoff/meeting", None, {"handoff/meeting": 0.5}, "missing"),
        ("handoff/meeting", 0.9, {"handoff/meeting": 0.5}, "met"),
        ("crm", None, {}, "missing"),
    ],
)
def test_how_sure_an_answer_is_the_rep_says_else_the_policy_else_the_way_it_was_learnt(source, how_sure, policy, state):
    sure = {"questions": {"N1": ["stated"]}, "confidence": 0.85}
    asked = Framework.model_validate({"minimum_met": 1, "criteria": {"it": sure}, "confidence": {"sources": policy}})
    answer = Answer("N1", "stated", source, NOW - DAY, trusted=True, confidence=how_sure)
    assert assess((answer,), asked, NOW).criteria[0].state == state


def test_answers_of_other_sources_and_of_too_little_confidence_do_not_count():
    named = {"questions": {"N1": ["stated"]}, "sources": ["rep"]}
    assert one(named, said("N1", "stated")).state == "missing"
    assert one(named, said("N1", "stated", source="rep")).state == "met"
    sure = {"questions": {"N1": ["stated"]}, "confidence": 0.7}
    assert one(sure, said("N1", "stated")).state == "missing"
    assert one(sure, said("N1", "stated", trusted=True)).state == "met"
    ruled = Framework.model_validate(
        {"minimum_met": 1, "criteria": {"it": sure}, "confidence": {"sources": {"web": 0.9, "crm": 0.1}}}
    )
    assert assess((said("N1", "stated"),), ruled, NOW).met == 1
    assert assess((said("N1", "stated", source="crm", trusted=True),), ruled, NOW).met == 0


OLD_YES, NEW_NO = said("N1", "stated", days_ago=9, trusted=True), said("N1", "none", source="form")
OLD_NO, NEW_YES = said("N1", "none", days_ago=9, trusted=True), said("N1", "stated", source="form")


@pytest.mark.parametrize(
    ("conflict", "old_yes_new_no", "old_no_new_yes"),
    [
        ("latest", "unmet", "met"),
        ("most_trusted", "met", "unmet"),
        ("any_met", "met", "met"),
        ("all_met", "conflicting", "conflicting"),
    ],
)
def test_when_sources_disagree_the_policy_says_who_counts(conflict, old_yes_new_no, old_no_new_yes):
    criterion = {"questions": {"N1": ["stated"]}, "conflict": conflict}
    for answers, state in (((OLD_YES, NEW_NO), old_yes_new_no), ((OLD_NO, NEW_YES), old_no_new_yes)):
        assert one(criterion, *answers).state == one(criterion, *reversed(answers)).state == state
    assert one(criterion, OLD_YES, NEW_YES).state == "met"
    assert one(criterion, OLD_NO, NEW_NO).state == "unmet"
    assert one(criterion, OLD_YES).state == "met"


def test_answers_of_one_moment_and_of_equal_trust_contradict_each_other_and_more_trust_decides():
    criterion = {"questions": {"N1": ["stated"]}}
    yes, no = said("N1", "stated"), said("N1", "none", source="form")
    found = one(criterion, yes, no)
    assert (found.state, found.answers) == ("conflicting", (yes, no))
    assert one(criterion, said("N1", "stated", trusted=True), no).state == "met"


def test_of_one_source_only_the_latest_answer_counts_whatever_the_policy():
    for conflict in ("latest", "most_trusted", "any_met", "all_met"):
        criterion = {"questions": {"T1": ["now"]}, "conflict": conflict}
        assert one(criterion, said("T1", "now", days_ago=5), said("T1", "1y")).state == "unmet"


# what is worth asking


def test_the_cheapest_question_that_could_change_the_verdict_is_named_the_gentler_first():
    bant = Framework.model_validate({"preset": "bant", "minimum_met": 3})
    first = assess((), bant, NOW).question
    assert (first.criterion, first.question, first.cost, first.ja) == ("need", "N1", 1, ASKING["N1"].words.ja)
    dear = assess((said("N1", "none"), said("T1", "now"), said("A1", "decision")), bant, NOW).question
    assert (dear.criterion, dear.question, dear.cost) == ("budget", "B1", 4)
    assert assess((said("N1", "none"), said("T1", "1y")), bant, NOW).question is None, (
        "two letters are lost: none helps"
    )


def test_a_question_that_is_cheap_and_changes_nothing_is_not_named():
    # The budget has to be known; without it nothing else helps, and with it one of the others does.
    needed = {"budget": {"required": True}, "need": {"weight": 0}}
    bant = Framework.model_validate({"preset": "bant", "minimum_met": 1, "criteria": needed})
    assert assess((), bant, NOW).question.question == "B1"
    assert assess((said("B1", "none"),), bant, NOW).question is None


def test_what_contradicts_itself_is_worth_asking_again():
    found = assess(
        (said("N1", "stated"), said("N1", "none", source="form")), framework(it={"questions": {"N1": ["stated"]}}), NOW
    )
    assert found.question.question == "N1"


QUESTIONS_TRIED = {
    "N1": ("stated", "none"),
    "A1": ("decision", "drafting", "information"),
    "A2": ("stated",),
    "B1": ("secured", "none"),
}


def _some_framework(rng: random.Random) -> Framework:
    def way(size: int) -> dict[str, list[str]]:
        names = rng.sample(list(QUESTIONS_TRIED), size)
        return {
            name: rng.sample(QUESTIONS_TRIED[name], rng.randint(1, min(2, len(QUESTIONS_TRIED[name]))))
            for name in names
        }

    criteria = {
        f"c{number}": {
            "ways": [way(rng.choice((1, 1, 2))) for _ in range(rng.choice((1, 1, 2)))],
            "weight": rng.randint(0, 2),
            "required": rng.random() < 0.2,
        }
        for number in range(rng.randint(1, 4))
    }
    return Framework.model_validate({"minimum_met": rng.randint(0, 4), "criteria": criteria})


@pytest.mark.parametrize("seed", range(60))
def test_the_question_is_the_one_that_trying_every_answer_to_every_question_finds(seed):
    rng = random.Random(seed)
    asked = _some_framework(rng)
    known = {
        name: said(name, rng.choice(codes), days_ago=rng.choice((1, 1, 700)))
        for name, codes in QUESTIONS_TRIED.items()
        if rng.random() < 0.4
    }
    open_ones = [name for name in QUESTIONS_TRIED if name not in known or known[name].observed_at < NOW - 180 * DAY]
    enough = {}
    for codes in product(*((None, *QUESTIONS_TRIED[name]) for name in open_ones)):
        told = {name: said(name, code) for name, code in zip(open_ones, codes, strict=True) if code is not None}
        enough[codes] = assess(tuple((known | told).values()), asked, NOW).enough
    turning = {
        name
        for codes, result in enough.items()
        for index, name in enumerate(open_ones)
        if result and codes[index] is not None and not enough[(*codes[:index], None, *codes[index + 1 :])]
    }
    question = assess(tuple(known.values()), asked, NOW).question
    if enough[(None,) * len(open_ones)]:
        assert question is None
        return
    cheapest = min(turning, key=lambda name: (ASKING[name].cost, list(ASKING).index(name)), default=None)
    assert (question.question if question else None) == cheapest


def test_the_states_are_facts_that_routing_rules_may_name():
    meddic = Framework.model_validate({"preset": "meddic", "minimum_met": 1})
    facts = assess((said("N1", "stated"),), meddic, NOW).facts()
    assert facts == {"framework.met": 1, "framework.enough": True}
    bant = Framework.model_validate({"preset": "bantc", "minimum_met": 3})
    facts = assess((said("N1", "stated"), said("C1", "none")), bant, NOW).facts()
    assert (facts["bant.met"], facts["bant.need"], facts["framework.met"]) == (1, True, 2)
