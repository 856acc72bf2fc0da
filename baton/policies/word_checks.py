"""Policies use the words of the vocabulary: touch types, lead sources, questions and their answers, members of closed sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast, get_args

from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from baton.policies.problems import FIELDS_PAGE, suggest
from baton.policies.scoring_checks import scoring_conditions
from services.router.domain.matching.result import Code as MatchedBy
from shared.normalise.corporate_number import corporate_number
from shared.normalise.place import country, language
from shared.schemas import accounts
from shared.schemas import vocabulary as words
from shared.schemas.catalogue import CONSENT
from shared.schemas.policies import QualificationPolicy, SourcesPolicy
from shared.schemas.policies.lifecycle import IN_PIPELINE
from shared.schemas.touches import Basis

BASES = [basis for basis in get_args(Basis) if basis != "none"]


def _touch_types(policies: Policies) -> Iterator[Finding]:
    """Touch types are those of the vocabulary."""
    named: list[tuple[str, Place, str]] = []
    for base, rules in _mappings(policies.sources):
        named += [("sources", (*base, n, "type"), rule.type) for n, rule in enumerate(rules)]
    named += [("scoring", ("hand_raises", n), t) for n, t in enumerate(policies.scoring.hand_raises)]
    named += [("sla", ("first_touch_types", n), t) for n, t in enumerate(policies.sla.first_touch_types)]
    for index, lead_class in enumerate(policies.sla.classes):
        named += [("sla", ("classes", index, "touch_types", n), t) for n, t in enumerate(lead_class.touch_types)]
    for index, again in enumerate(policies.lifecycle.again):
        named += [("lifecycle", ("again", index, "types", n), t) for n, t in enumerate(again.types or ())]
    for kind, place, touch_type in named:
        if touch_type not in words.TOUCH_TYPES:
            message = f"there is no touch type `{touch_type}`." + suggest(
                touch_type, words.TOUCH_TYPES, page=FIELDS_PAGE
            )
            yield Finding(kind, place, message, code="unknown-touch-type")


def _mappings(sources: SourcesPolicy) -> Iterator[tuple[Place, Sequence[Any]]]:
    yield ("mapping",), sources.mapping
    for index, source in enumerate(sources.sources):
        yield ("sources", index, "mapping"), source.mapping


def _channels(policies: Policies) -> Iterator[Finding]:
    """Channels are lead sources."""
    for base, rules in _mappings(policies.sources):
        for index, rule in enumerate(rules):
            if rule.channel is not None and rule.channel not in words.LEAD_SOURCES:
                message = f"there is no lead source `{rule.channel}`." + suggest(
                    rule.channel, words.LEAD_SOURCES, page=FIELDS_PAGE
                )
                yield Finding("sources", (*base, index, "channel"), message, code="unknown-channel")


def _answers(policies: Policies) -> Iterator[Finding]:
    """Evidence and BANT name questions and codes that exist, and one text means one code."""
    for index, rule in enumerate(policies.sources.evidence):
        place: Place = ("evidence", index)
        if rule.criterion not in words.QUESTIONS:
            message = f"there is no question `{rule.criterion}`." + suggest(rule.criterion, words.QUESTIONS)
            yield Finding("sources", (*place, "criterion"), message, code="unknown-question")
            continue
        meaning: dict[str, str] = {}
        for code, texts in rule.values.items():
            yield from _code("sources", (*place, "values", code), rule.criterion, code)
            for text in texts:
                other = meaning.setdefault(text.casefold(), code)
                if other != code:
                    message = f"`{text}` means `{other}` and `{code}`: an answer has one meaning"
                    yield Finding("sources", (*place, "values", code), message, code="answer-twice")
        if rule.otherwise is not None:
            yield from _code("sources", (*place, "otherwise"), rule.criterion, rule.otherwise)
    for place, question, codes in _asked(policies.qualification):
        if question not in words.QUESTIONS:
            message = f"there is no question `{question}`." + suggest(question, words.QUESTIONS)
            yield Finding("qualification", place, message, code="unknown-question")
            continue
        for number, code in enumerate(codes):
            yield from _code("qualification", (*place, number), question, code)
    for place, source in _named_sources(policies.qualification):
        # Those of handoff; no id of a sender has a slash.
        if "/" in source and source not in words.ANSWER_SOURCES:
            message = f"reps learn nothing by `{source}`." + suggest(source, words.ANSWER_SOURCES)
            yield Finding("qualification", place, message, code="unknown-answer-source")


def _named_sources(policy: QualificationPolicy) -> Iterator[tuple[Place, str]]:
    """Every source that the framework names, and where it stands."""
    base: Place = ("bant",) if policy.bant else ("framework", "criteria")
    for name, criterion in policy.asked.resolved.items():
        for number, source in enumerate(criterion.sources or ()):
            yield (*base, name, "sources", number), source
    for source in policy.asked.confidence.sources:
        yield ("framework", "confidence", "sources", source), source


def _asked(policy: QualificationPolicy) -> Iterator[tuple[Place, str, tuple[str, ...]]]:
    """Every question of the framework, where it stands, and the codes that meet it."""
    base: Place = ("bant",) if policy.bant else ("framework", "criteria")
    for name, criterion in policy.asked.resolved.items():
        for question, codes in criterion.questions.items():
            yield (*base, name, "questions", question), question, codes
        for index, way in enumerate(criterion.ways):
            for question, codes in way.items():
                yield (*base, name, "ways", index, question), question, codes


def _code(kind: str, place: Place, question: str, code: str) -> Iterator[Finding]:
    valid = words.QUESTIONS[question]
    if code not in valid:
        message = f"`{code}` is no answer to question {question}." + suggest(code, valid)
        yield Finding(kind, place, message, code="unknown-answer")


# Fields that hold nothing but one of these, whatever the policies.
CLOSED: Mapping[str, Sequence[str]] = {
    "touch.type": tuple(words.TOUCH_TYPES),
    "touch.channel": tuple(words.LEAD_SOURCES),
    "lead.level": tuple(words.LEVELS),
    "lead.level_confidence": ("high", "low"),
    "lead.department": tuple(words.DEPARTMENTS),
    "lead.size_band": tuple(words.SIZE_BANDS),
    "lead.industry": tuple(words.INDUSTRIES),
    "lead.kind": tuple(words.LEAD_KINDS),
    "lead.rank": ("contact", "follow_up", "information"),
    "account.kind": accounts.KINDS,
    "account.level": accounts.LEVELS,
    "account.matched_by": get_args(MatchedBy),
    "event.type": ("identify", "track", "page", "screen", "group", "alias"),
    "score.grade": tuple(letter + band for letter in "ABCD" for band in "1234"),
    "score.fit_grade": tuple("ABCD"),
    "score.band": tuple("1234"),
    "score.trend": ("rising", "steady", "falling"),
    **dict.fromkeys(CONSENT, (*BASES, "withdrawn")),
    "account.band": tuple("1234"),
    "time.weekday": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    "lead.first_source": tuple(words.LEAD_SOURCES),
    "lead.last_source": tuple(words.LEAD_SOURCES),
    "gate.verdict": ("mql", "inside_sales_check"),
    "lead.leg": ("is", "fs", "am", "partner"),
    "lead.ended": ("recycled", "nurture", "on_hold", "lost"),
}


def closed_sets(policies: Policies) -> dict[str, Sequence[str]]:
    """Fields that hold nothing but one of these under the tenant's own policies."""
    return {
        **CLOSED,
        "lead.class": [*(c.id for c in policies.sla.classes), policies.sla.default.id],
        "lead.stage": [stage.id for stage in policies.lifecycle.stages],
        "source.id": [source.id for source in policies.sources.sources],
        "score.hand_raise": policies.scoring.hand_raises,
        "lead.given_back_for": [reason.code for reason in policies.routing.decline_reasons],
        "opportunity.stage": ("offered", "accepted", *IN_PIPELINE, *_deal_stages(policies), "won", "lost"),
    }


def _deal_stages(policies: Policies) -> list[str]:
    pipelines = policies.pipeline.types if policies.pipeline else ()
    return sorted({stage.id for pipeline in pipelines for stage in pipeline.stages})


# Fields whose values are all of one form: what that is, and what reads it from others.
FORMS: Mapping[str, tuple[str, Callable[[str], str | None]]] = {
    "lead.country": ("a code of two letters such as `JP`", country),
    "lead.language": ("a language without its country such as `ja`", language),
    "lead.corporate_number": ("13 digits of which the first proves the others", corporate_number),
}


def _condition_values(policies: Policies) -> Iterator[Finding]:
    """A condition compares a field of a closed set with members of that set."""
    known = closed_sets(policies)
    for kind, place, raw in conditions_of(policies):
        for inner, field, value in compared(raw, ()):
            form, read = FORMS.get(field, ("", str))
            meant = read(value)
            if meant is None or meant.casefold() != value.casefold():
                message = f"`{field}` is {form}, and never `{value}`." + (f" Did you mean `{meant}`?" if meant else "")
                yield Finding(kind, (*place, *inner), message, code="unknown-value")
            valid = known.get(field)
            if valid is not None and value.casefold() not in {item.casefold() for item in valid}:
                message = f"`{field}` is never `{value}`." + suggest(
                    value, valid, page=FIELDS_PAGE if field in CLOSED else None
                )
                yield Finding(kind, (*place, *inner), message, code="unknown-value")


def conditions_of(policies: Policies) -> Iterator[tuple[str, Place, Any]]:
    for base, rules in _mappings(policies.sources):
        yield from (("sources", (*base, n, "when"), rule.when) for n, rule in enumerate(rules))
    gate, nurture = policies.qualification.gate, policies.qualification.nurture
    lists: tuple[tuple[str, Place, Sequence[Any]], ...] = (
        ("routing", ("rules",), policies.routing.rules),
        ("routing", ("overlays",), policies.routing.overlays),
        *(("routing", ("overlays", n, "rules"), one.rules) for n, one in enumerate(policies.routing.overlays)),
        ("qualification", ("gate", "exclude"), gate.exclude),
        ("qualification", ("gate", "requires"), gate.requires),
        ("qualification", ("gate", "segments"), gate.segments),
        ("qualification", ("nurture", "scenarios"), nurture.scenarios if nurture else ()),
        *(
            ("qualification", ("gate", "segments", n, "requires"), segment.requires)
            for n, segment in enumerate(gate.segments)
        ),
    )
    if nurture and nurture.may_email is not None:
        yield "qualification", ("nurture", "may_email"), nurture.may_email
    for index, stage in enumerate(policies.lifecycle.stages):
        if stage.entry is not None:
            yield "lifecycle", ("stages", index, "entry"), stage.entry
    yield from (("scoring", place, raw) for place, raw in scoring_conditions(policies.scoring))
    for kind, base, rules in lists:
        yield from ((kind, (*base, n, "when"), rule.when) for n, rule in enumerate(rules))
    for number, pool in enumerate(policies.teams.pools):
        asked = [("requires", n, one.when) for n, one in enumerate(pool.requires)]
        asked += [("prefers", n, one.when) for n, one in enumerate(pool.prefers)]
        yield from (("teams", ("pools", number, name, n, "when"), raw) for name, n, raw in asked)


def compared(raw: Any, place: Place) -> Iterator[tuple[Place, str, str]]:
    """Every text that a condition compares a field with for equality: where, field, text."""
    for name, value in cast(Mapping[str, Any], raw).items():
        if name in ("all", "any"):
            for index, item in enumerate(value):
                yield from compared(item, (*place, name, index))
        elif name == "not":
            yield from compared(value, (*place, name))
        else:
            for op in ("eq", "ne", "in", "not_in"):
                given = value.get(op, [])
                for number, item in enumerate(given if isinstance(given, list) else [given]):
                    if isinstance(item, str):
                        inner = (*place, name, op, number) if isinstance(given, list) else (*place, name, op)
                        yield inner, name, item


WORD_CHECKS: tuple[Check, ...] = (_touch_types, _channels, _answers, _condition_values)
