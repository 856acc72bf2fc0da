"""A decision is a function of what is stored of it: written down as JSON, read back with the policies of its time, it comes out
the same (P6); and its trace leaves nobody without a reason."""

from __future__ import annotations

import json
from fractions import Fraction

from hypothesis import event, given
from hypothesis import strategies as st

from services.router.domain.account import Known, Party
from services.router.domain.assignment import due_after
from services.router.domain.caps import Taken
from services.router.domain.decision import Inputs, decide, replay
from services.router.domain.facts import Scored, Touched
from services.router.domain.fairness import PoolState, give
from services.router.domain.lead import Cause
from services.router.domain.matching.result import Matched
from services.router.domain.playbook import NEEDED, Playbook
from services.router.domain.sentence import sentence
from services.router.domain.words import reasons, why_not
from services.router.store.trail import INPUTS, OUTCOME, TRACE
from shared.availability.people import NotAtWork
from shared.qualification.answers import Answer
from shared.schemas.policies import QualificationPolicy, RoutingPolicy, SlaPolicy, TeamsPolicy
from shared.schemas.scores import PolicyRef

NOW = 1_800_000_000_000
REPS = ("sato", "tanaka", "mori", "ito", "chief")
GRADES = tuple(letter + band for letter in "ABCD" for band in "1234")
some_reps = st.lists(st.sampled_from(REPS), unique=True)
CONDITIONS = (
    {},
    {"lead.language": {"eq": "de"}},
    {"lead.industry": {"in": ["jsic:E", "jsic:G"]}},
    {"not": {"lead.country": {"eq": "JP"}}},
    {"any": [{"score.grade": {"in": ["A1", "B1"]}}, {"lead.country": {"exists": False}}]},
)
CRITERION = {"questions": {"B1": ["secured"]}, "ask": {"en": "?"}, "cost": 1}
conditions = st.sampled_from(CONDITIONS)


@st.composite
def playbooks(draw: st.DrawFn) -> Playbook:
    def rep(name: str) -> dict[str, object]:
        return {
            "id": name,
            "name": name.title(),
            "capacity": draw(st.sampled_from([4, 4, 4, 1])),
            "active": draw(st.sampled_from([True] * 7 + [False])),
            "languages": draw(st.lists(st.sampled_from(["ja", "de"]), unique=True)),
            "skills": draw(st.lists(st.sampled_from(["factory", "cloud"]), unique=True)),
            "manager": draw(st.sampled_from([None, "chief"])) if name != "chief" else None,
            "per_day": draw(st.none() | st.integers(1, 2)),
        }

    def pool(name: str) -> dict[str, object]:
        members = draw(st.lists(st.sampled_from(REPS[:4]), min_size=2, unique=True))
        strategy = draw(st.sampled_from(["fair", "sticky", "least_loaded", "best_fit"]))
        return {
            "id": name,
            "members": [{"rep": member, "weight": draw(st.integers(1, 3))} for member in members],
            "mode": draw(st.sampled_from(["offer", "assign", "dispatch", "claim"])),
            "strategy": strategy,
            "match_language": draw(st.integers(0, 3)) == 0,
            "manager": draw(st.sampled_from([None, "chief"])),
            "requires": [{"when": draw(conditions), "skills": ["factory"]}] if draw(st.integers(0, 3)) == 0 else [],
            "prefers": [{"skills": ["cloud"], "points": 5}] if strategy == "best_fit" else [],
        }

    rules = [
        {"id": f"r{n}", "when": draw(conditions), "pool": draw(st.sampled_from([*"ppppqqqq", "nowhere"]))}
        for n in range(draw(st.integers(0, 3)))
    ]
    if draw(st.sampled_from([True] * 7 + [False])):
        rules.append({"id": "all", "when": {}, "pool": draw(st.sampled_from(["p", "q"]))})
    bodies = {
        "qualification": {
            "gate": {"mql": ["A1", "A2", "B1"], "inside_sales_check": ["A3", "B2", "C1"]},
            "bant": dict.fromkeys(("budget", "authority", "need", "timeline"), CRITERION),
        },
        "routing": {
            "rules": rules or [{"id": "german", "when": {"lead.language": {"eq": "de"}}, "pool": "p"}],
            "decline_reasons": [{"code": "full", "kind": "decline", "label": {"en": "full"}, "effect": "reroute"}],
        },
        "teams": {"reps": [rep(name) for name in REPS], "pools": [pool("p"), pool("q")]},
        "sla": {"default": {"id": "score", "accept": 60, "first_touch": 600}},
    }
    return made(bodies)


def made(bodies: dict[str, object]) -> Playbook:
    models = (QualificationPolicy, RoutingPolicy, TeamsPolicy, SlaPolicy)
    parts = [model.model_validate(bodies[kind]) for model, kind in zip(models, NEEDED, strict=True)]
    return Playbook.of(*parts, {kind: PolicyRef(sequence=1, hash=kind) for kind in NEEDED})  # type: ignore[arg-type]


def read_back(playbook: Playbook) -> Playbook:
    """The same from the JSON that the store keeps."""
    bodies = {kind: getattr(playbook, kind).model_dump(mode="json") for kind in NEEDED}
    return made(json.loads(json.dumps(bodies)))


@st.composite
def inputs(draw: st.DrawFn, playbook: Playbook) -> Inputs:
    def state(pool_id: str) -> PoolState:
        known = PoolState(pool_id).follow(playbook.weights(pool_id), 1)
        members, balances = [one.rep_id for one in known.balances], known.balances
        for rep_id in draw(st.lists(st.sampled_from(members), max_size=4)):
            balances = give(balances, members, rep_id)
        return PoolState(pool_id, 1, known.joined, balances)

    values = {"language": ["ja", "de"], "industry": ["jsic:E", "jsic:I"], "country": ["JP", "US"]}
    attributes = {name: value for name, of in values.items() if (value := draw(st.none() | st.sampled_from(of)))}
    touched = st.none() | st.builds(Touched, st.just("demo_requested"), st.integers(NOW - 9, NOW), st.just("e"))
    answer = st.builds(Answer, st.just("B1"), st.just("secured"), st.just("web"), st.just(5), trusted=st.booleans())
    answers = st.lists(answer, max_size=1)
    scored = Scored(
        draw(st.sampled_from(GRADES[:10])),
        70_000,
        draw(st.integers(0, 100_000)),
        NOW,
        hand_raise=draw(touched),
        attributes=attributes,
        answers=tuple(draw(answers)),
    )
    zone = "Asia/Tokyo"
    owner = draw(st.none() | st.sampled_from(REPS))
    party = Party("a", "A", "end_customer", "legal_entity", "a", "a", owner=owner) if draw(st.booleans()) else None
    declined, left = Cause("offer-declined", "e", NOW, "full", "sato"), Cause("left", None, NOW, None, "sato")
    cause = st.sampled_from([Cause("scored", "1", NOW), declined, left])
    return Inputs(
        "t",
        "lead",
        draw(st.integers(1, 9)),
        1,
        draw(cause),
        NOW,
        scored,
        holders=tuple(draw(some_reps)[: draw(st.sampled_from([0, 1, 4]))]),
        verdict=draw(st.sampled_from([None, "mql", "inside_sales_check"])),
        pools={pool_id: state(pool_id) for pool_id in playbook.pools},
        loads=draw(st.dictionaries(st.sampled_from(REPS), st.integers(0, 3))),
        account=Known(Matched("a", "domain"), party) if party else None,
        out={rep: NotAtWork("absent", NOW + 60_000, zone) for rep in draw(some_reps)[:1]},
        taken={rep: Taken(draw(st.integers(0, 2)), 2, NOW + 9, NOW + 99, zone) for rep in draw(some_reps)},
        had_by=draw(st.none() | st.sampled_from(REPS)),
        left=tuple(draw(some_reps)[:1]),
        queued=draw(st.none() | st.just(NOW - 7_200_000)),
    )


@given(st.data())
def test_what_is_stored_of_a_decision_gives_it_again(data):
    playbook = data.draw(playbooks())
    asked = data.draw(inputs(playbook))
    decision = decide(asked, playbook)
    event(decision.outcome.waiting_reason or f"routed, {decision.way}")
    stored = [
        json.loads(json.dumps(adapter.dump_python(value, mode="json")))
        for adapter, value in ((INPUTS, decision.inputs), (TRACE, decision.trace), (OUTCOME, decision.outcome))
    ]
    again = replay(INPUTS.validate_python(stored[0]), read_back(playbook))
    assert again == (decision.trace, decision.outcome)
    assert again == (TRACE.validate_python(stored[1]), OUTCOME.validate_python(stored[2]))


@given(st.data())
def test_a_trace_leaves_nobody_and_nothing_without_a_reason(data):
    playbook = data.draw(playbooks())
    decision = decide(data.draw(inputs(playbook)), playbook)
    trace, outcome = decision.trace, decision.outcome
    for tried in trace.rules:
        assert tried.result in ("matched", "other_leg") or tried.why_not, "a rule that did not hold says what of it"
    for one in trace.candidates:
        reason = why_not(trace, one.rep_id)
        assert (reason is None) == (one.rep_id == trace.chosen)
        assert reason is None or all(reason.text[language] for language in ("en", "ja"))
    if decision.pool and outcome.rep_id:
        after = {one.rep_id: due_after(one, trace.chosen, trace.way) for one in trace.candidates}
        kept = {balance.rep_id: balance.due for balance in decision.pool.balances}
        assert {rep: due for rep, due in after.items() if rep in kept} == kept
        assert sum(kept.values()) == Fraction(0)
    told = [*(reason.text for reason in reasons(decision, playbook)), sentence(decision, playbook)]
    assert all(text[language] for text in told for language in ("en", "ja"))
    assert (outcome.rep_id is None) == (outcome.waiting_reason is not None)
    assert outcome.rep_id not in asked_out(decision)


def asked_out(decision) -> set[str]:
    """Who may not get the lead, whatever the policies are."""
    return {*decision.inputs.left, *(decision.inputs.holders if decision.trace.way != "manual" else ())}
