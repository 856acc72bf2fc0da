"""The score of a lead, read from its state: exact, explained, a function of (state, policy, moment) alone. In milli-points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from services.scoring.domain.account import periods_of
from services.scoring.domain.activity import active
from services.scoring.domain.better import Better, by_touches
from services.scoring.domain.companies import account_of
from services.scoring.domain.engagement import NOBODY, Engagement, engagement
from services.scoring.domain.fit import Fitness, Look, facts_of, fit
from services.scoring.domain.ledger import DAY, event_of
from services.scoring.domain.memory import (
    CONFIDENCE,
    LATEST_TOUCHES,
    OUTCOME,
    TEST,
    Answers,
    ByFieldAndSource,
    Memory,
    Origin,
    Raised,
    Recent,
    Said,
    Told,
    every_answer,
    hear_said,
)
from services.scoring.domain.missing import by_facts
from services.scoring.domain.parts import NEVER, Partial
from services.scoring.domain.rules import Rules, RuleSet
from services.scoring.domain.state import LeadState
from shared.schemas.touches import Scalar
from shared.schemas.vocabulary import ANSWER_SOURCES, VOID


class Answer(NamedTuple):
    """The latest answer to one qualification question by one source."""

    criterion: str
    source_id: str
    told: Told
    confidence: float | None = None


class HandRaise(NamedTuple):
    """The latest touch by which a lead asked to be contacted."""

    type: str
    raised: Raised


class Scored(msgspec.Struct, frozen=True, gc=False):
    """What a lead is worth at `as_of`, and all that the router looks at.

    steady_until: a moment before which time alone changes neither grade nor temperature; a bound, cheap to find, that
                  `fading.next_change` makes exact
    active:       when it last did something of its own, one moment of each day, latest first; of a lead with an account
    """

    as_of: int
    fit: Partial
    engagement: Partial
    grade: str
    temperature: str
    trend: str
    better: list[Better]
    hand_raise: HandRaise | None
    attributes: dict[str, Scalar]
    evidence: list[Answer]
    touches: list[Recent]
    identities: list[tuple[str, str]]
    first_source: str | None
    last_source: str | None
    is_test: bool
    internal: bool
    region: str | None
    account: str | None
    person: dict[str, str]
    steady_until: int
    active: tuple[int, ...] = ()


@dataclass(slots=True)
class Standing:
    """What a lead's identities say of it, before any moment is looked at."""

    owned: list[str]
    memories: list[Memory]
    attributes: dict[str, Told]
    facts: dict[str, Scalar]
    account: str | None
    condemned: Set[bytes]
    hand_raise: HandRaise | None
    rules: RuleSet
    internal: bool


class Moment(NamedTuple):
    """Fit, engagement and what they add up to at one moment."""

    fit: Fitness
    engaged: Engagement
    grade: str
    temperature: str

    def bands(self) -> tuple[str, str]:
        """What time alone may change, and what is told when it does."""
        return self.grade, self.temperature


NOTHING = Fitness(Partial(0, []), NEVER, Look(()))


def stand(state: LeadState, lead: str, rules: Rules) -> Standing:
    owned = state.owned(lead)
    memories = [state.memories[identity] for identity in owned if identity in state.memories]
    attributes = chosen([memory.attributes for memory in memories])
    account = account_of(memories)
    if account is not None:
        attributes["account"] = account
    facts = facts_of(attributes)
    verdicts = [memory.condemned for memory in memories if memory.condemned]
    condemned = verdicts[0].keys() if len(verdicts) == 1 else frozenset().union(*verdicts) if verdicts else NOBODY
    return Standing(
        owned,
        memories,
        attributes,
        facts,
        attributes["account"].value if account else None,  # type: ignore[arg-type]
        condemned,
        _latest_raise(memories, rules, condemned),
        rules.of(facts),
        rules.internal is not None and rules.internal.holds(facts),
    )


def at_moment(standing: Standing, as_of: int) -> Moment:
    rules = standing.rules
    if standing.internal:
        return Moment(NOTHING, Engagement(Partial(0, []), {}), grade(0, 0, rules), "cold")
    fitness = fit(standing.attributes, standing.facts, rules, as_of)
    engaged = engagement(standing.memories, rules, as_of, standing.condemned)
    letter = grade(fitness.partial.total, engaged.total, rules)
    return Moment(fitness, engaged, letter, _temperature(letter, standing.hand_raise, rules, as_of))


def steady_until(standing: Standing, moment: Moment, as_of: int) -> int:
    """A moment before which neither grade nor temperature changes by time alone; NEVER when they do not any more."""
    if standing.internal:
        return NEVER
    rules, engaged = standing.rules, moment.engaged
    low = max([edge for edge in rules.bands if edge <= engaged.total], default=-NEVER)
    high = min([edge for edge in rules.bands if edge > engaged.total], default=NEVER)
    until = min(as_of + engaged.steady_for(low, high), engaged.step, moment.fit.step, NEVER)
    if rules.boundaries:
        until = min([until, *(at for at in rules.boundaries if at > as_of)])
    ends = asked_until(standing.hand_raise, rules)
    return min(until, ends) if ends > as_of else until


def score(state: LeadState, lead: str, rules: Rules, moment: int = 0) -> Scored:
    """All that the lead's own identities say under these rules, at the latest that they know of, or at `moment` if later."""
    standing = stand(state, lead, rules)
    memories = standing.memories
    as_of = max(state.as_of(standing.owned), moment)
    found = at_moment(standing, as_of)
    fit_score, engaged = found.fit.partial, found.engaged
    own = [memory for memory in memories if memory.kind != OUTCOME]
    first, last = _origins(own, standing.condemned)
    touches = _latest_touches(own, standing.condemned)
    return Scored(
        as_of=as_of,
        fit=fit_score,
        engagement=engaged.partial,
        grade=found.grade,
        temperature=found.temperature,
        trend=engaged.trend(),
        better=[] if standing.internal else _better(standing, found, as_of),
        hand_raise=standing.hand_raise,
        attributes={name: told.value for name, told in standing.attributes.items()},
        evidence=_evidence(memories),
        touches=touches,
        identities=[(i, kind) for i in standing.owned if (kind := state.kind(i)) != OUTCOME],
        first_source=first.source_id if first else None,
        last_source=last.source_id if last else None,
        is_test=bool(own) and all(memory.seen == TEST for memory in own),
        internal=standing.internal,
        region=standing.rules.region,
        account=standing.account,
        person=_person(memories),
        steady_until=steady_until(standing, found, as_of),
        active=_active(standing, touches, rules, as_of) if standing.account else (),
    )


def _active(standing: Standing, touches: Sequence[Recent], rules: Rules, as_of: int) -> tuple[int, ...]:
    """A meeting or a call that sales tells of is something the person did, too."""
    since = as_of - periods_of(rules.account).usual
    return active(standing.memories, touches, standing.rules, as_of, since, standing.condemned, rules.zone)


def grade(fit_total: int, engagement_total: int, rules: RuleSet) -> str:
    """Fit letter A-D and engagement band 1-4."""
    a, b, c = rules.grades
    letter = "A" if fit_total >= a else "B" if fit_total >= b else "C" if fit_total >= c else "D"
    return f"{letter}{band_of(engagement_total, rules)}"


def band_of(engagement_total: int, rules: RuleSet) -> int:
    first, second, third = rules.bands
    return (
        1 if engagement_total >= first else 2 if engagement_total >= second else 3 if engagement_total >= third else 4
    )


def chosen(told: Sequence[ByFieldAndSource]) -> dict[str, Told]:
    """One value per attribute: a trusted source's before an untrusted one's, then the latest."""
    every: dict[str, list[Told]] = {}
    for registers in told:
        for name, by_source in registers.items():
            every.setdefault(name, []).extend(by_source.values())
    ranked = [(name, some) for name, some in sorted(every.items()) if some]
    return {name: some[0] if len(some) == 1 else max(some, key=_rank) for name, some in ranked}


def _rank(told: Told) -> tuple[bool, int, str]:
    return told.trusted, told.at, told.event_id


def _temperature(grade: str, hand_raise: HandRaise | None, rules: RuleSet, as_of: int) -> str:
    band = int(grade[1])
    if band <= rules.temperature.hot or as_of < asked_until(hand_raise, rules):
        return "hot"
    return "warm" if band <= rules.temperature.warm else "cold"


def asked_until(hand_raise: HandRaise | None, rules: RuleSet) -> int:
    """Until when who asked to be contacted is hot for that, ms; 0 for who did not."""
    if hand_raise is None:
        return 0
    return hand_raise.raised.at + round(rules.temperature.hand_raise_days * DAY)


def _better(standing: Standing, found: Moment, as_of: int) -> list[Better]:
    """What would raise the fit, and what the engagement, each with the grade that it leads to."""
    rules, fitness, engaged = standing.rules, found.fit.partial, found.engaged
    better = []
    if facts := by_facts(fitness, found.fit.look, standing.facts, rules):
        reached = fitness.total + sum(one.points for one in facts)
        better.append(Better(grade(reached, engaged.total, rules), facts))
    if touches := by_touches(engaged, standing.memories, rules, as_of):
        reached = engaged.total + sum(one.points for one in touches)
        better.append(Better(grade(fitness.total, reached, rules), touches))
    return better


def _origins(memories: Sequence[Memory], condemned: Set[bytes]) -> tuple[Origin | None, Origin | None]:
    """Where the first and the last touch came from, of those that no machine did."""
    both = [(memory.first, memory.last) for memory in memories]
    firsts = [first for first, _ in both if first and not (condemned and event_of(first.event_id) in condemned)]
    lasts = [last for _, last in both if last and not (condemned and event_of(last.event_id) in condemned)]
    return min(firsts, default=None), max(lasts, default=None)


def _latest_raise(memories: Iterable[Memory], rules: Rules, condemned: Set[bytes]) -> HandRaise | None:
    raises = [
        (raised.at, raised.event_id, kind, raised)
        for memory in memories
        for kind, raised in memory.hand_raises.items()
        if kind in rules.hand_raises and not (condemned and event_of(raised.event_id) in condemned)
    ]
    if not raises:
        return None
    *_, kind, raised = max(raises, key=lambda entry: entry[:3])
    return HandRaise(kind, raised)


def _evidence(memories: Sequence[Memory]) -> list[Answer]:
    """Of each source to each question the latest answer that is not void."""
    memories = [memory for memory in memories if memory.evidence or memory.answers]
    if not memories:
        return []
    latest: dict[tuple[str, str], Told] = {}
    said: Answers = {}
    for memory in memories:
        for criterion, by_source in memory.evidence.items():
            for source, told in by_source.items():
                key = (criterion, source)
                if key not in latest or told[:2] > latest[key][:2]:
                    latest[key] = told
        for answer in every_answer(memory.answers):
            hear_said(said, *answer)
    found = {
        (criterion, source): Answer(criterion, source, told)
        for (criterion, source), told in latest.items()
        if source not in ANSWER_SOURCES
    }
    asked = {(criterion, source) for criterion, by_source in said.items() for source in by_source}
    asked |= {key for key in latest if key[1] in ANSWER_SOURCES and not key[0].endswith(CONFIDENCE)}
    for criterion, source in asked:
        known: Mapping[str, Said] = said.get(criterion, {}).get(source, {})
        if kept := latest.get((criterion, source)):
            known = _with_earlier(known, kept, latest.get((criterion + CONFIDENCE, source)))
        if standing := _standing(known):
            event, one = standing
            found[criterion, source] = Answer(
                criterion, source, Told(one.at, event, one.code, trusted=True), one.confidence
            )
    return [answer for _, answer in sorted(found.items())]


def _with_earlier(known: Mapping[str, Said], told: Told, sure: Told | None) -> Mapping[str, Said]:
    """The answers of a source to a question, with what an earlier program kept: the latest one, or that what had been learnt until
    a moment before is void."""
    if told.event_id in known or told.event_id in {one.void for one in known.values()}:
        return known
    if told.value == VOID:
        return {event: one for event, one in known.items() if one.at >= told.at}
    confidence = float(sure.value) if sure and sure[:2] == told[:2] else None
    return {**known, told.event_id: Said(told.at, 0, str(told.value), confidence)}


def _standing(answers: Mapping[str, Said]) -> tuple[str, Said] | None:
    """The latest that holds, and the event that told it."""
    voids = [one for one in answers.values() if one.code == VOID]
    holding = [
        (one.at, one.recorded_at, event)
        for event, one in answers.items()
        if one.holds() and not any(void.at == one.at and void.recorded_at >= one.recorded_at for void in voids)
    ]
    if not holding:
        return None
    event = max(holding)[2]
    return event, answers[event]


def _latest_touches(memories: Sequence[Memory], condemned: Set[bytes]) -> list[Recent]:
    """Latest first."""
    if condemned:
        return [touch for touch in _latest_touches(memories, NOBODY) if event_of(touch.event_id) not in condemned]
    if len(memories) == 1:
        return memories[0].touches[::-1]
    distinct: dict[tuple[int, str], Recent] = {}
    for memory in memories:
        for touch in memory.touches:
            moment = (touch.at, touch.event_id)
            if moment not in distinct or touch.received_at < distinct[moment].received_at:
                distinct[moment] = touch
    return [distinct[moment] for moment in sorted(distinct, reverse=True)[:LATEST_TOUCHES]]


def _person(memories: Iterable[Memory]) -> dict[str, str]:
    latest: dict[str, Told] = {}
    for memory in memories:
        for name, told in memory.person.items():
            if name not in latest or told[:2] > latest[name][:2]:
                latest[name] = told
    return {name: str(latest[name].value) for name in sorted(latest)}
