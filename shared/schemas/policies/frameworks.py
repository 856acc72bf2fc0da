"""Frameworks of qualification: which answers meet a criterion, from whom, for how long, and what to ask where they are missing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from shared.schemas.policies.base import Label, RuleId, Strict
from shared.schemas.policies.calendars import Zone
from shared.schemas.vocabulary import ANSWER_SOURCES, ASKING

Codes = tuple[str, ...]
Ways = tuple[dict[str, Codes], ...]
Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[int, Field(ge=1, le=1000)]
Cost = Annotated[int, Field(ge=1, le=5)]
Preset = Literal["bant", "bantc", "bantch", "meddic"]
Conflict = Literal["latest", "most_trusted", "any_met", "all_met"]


class Criterion(Strict):
    """One criterion of a framework: met when the answer to one of `questions`, or to all of one of `ways`, is among the codes.

    questions:    question key (vocabulary, section 10) -> codes that meet it; each of them alone is enough
    ways:         instead of them: sets of questions of which all have to be met, such as a drafter whose approval route is known
    sources:      whose answers count; everybody's where none is named
    confidence:   how sure an answer has to be at least (0 to 1), as the framework knows its sources
    expires_days: for how long an answer holds;  expires: until the customer's fiscal year ends, instead
    conflict:     when sources disagree on a question: the latest counts, the surest counts, one that meets it is enough, or all
                  have to
    ask, cost:    words of its questions, and what asking costs (1 a form, 5 a meeting), where they are not as in the vocabulary
    required:     without it there is never enough;  weight: what it counts towards `minimum_met`
    """

    questions: dict[str, Codes] = Field(default_factory=dict)
    ways: Ways = ()
    label: Label = Label()
    sources: tuple[str, ...] | None = None
    confidence: Share = 0.0
    expires_days: Days = 180
    expires: Literal["fiscal_year_end"] | None = None
    conflict: Conflict = "latest"
    ask: Label = Label()
    cost: Cost | None = None
    required: bool = False
    weight: Annotated[int, Field(ge=0, le=100)] = 1

    @cached_property
    def all_ways(self) -> Ways:
        """Sets of questions; one of which all are met meets the criterion."""
        return tuple({question: codes} for question, codes in self.questions.items()) + self.ways

    def cost_of(self, question: str) -> int:
        """What asking this question costs."""
        usual = ASKING.get(question)
        return self.cost or (usual.cost if usual else 3)

    def words_of(self, question: str) -> Label:
        """How this question is asked."""
        usual = ASKING.get(question)
        if self.ask.texts() or usual is None:
            return self.ask
        return Label(en=usual.words.en, ja=usual.words.ja)


class Confidence(Strict):
    """How sure an answer is (0 to 1): as who gave it said, else by its source, else by whether that one is trusted."""

    sources: dict[str, Share] = Field(default_factory=dict)
    trusted: Share = 0.8
    untrusted: Share = 0.5

    def of(self, source_id: str, *, trusted: bool, said: float | None = None) -> float:
        if said is not None:
            return said
        usual = ANSWER_SOURCES[source_id].confidence if source_id in ANSWER_SOURCES else None
        return self.sources.get(source_id, usual if usual is not None else self.trusted if trusted else self.untrusted)


class Fiscal(Strict):
    """When a fiscal year ends: with the last day of `month`, in `zone`, unless the customer's account knows better."""

    month: Annotated[int, Field(ge=1, le=12)] = 3
    zone: Zone = "Asia/Tokyo"


class Framework(Strict):
    """What has to be known before field sales is asked.

    preset:      the framework whose criteria stand where `criteria` does not say otherwise, field by field; a null leaves one out
    minimum_met: weight of criteria that must be met before field sales is asked; below it the lead goes to inside sales first
    """

    preset: Preset | None = None
    id: RuleId = "own"
    label: Label = Label()
    criteria: dict[RuleId, Criterion | None] = Field(default_factory=dict)
    minimum_met: Annotated[int, Field(ge=0, le=1000)]
    confidence: Confidence = Confidence()
    fiscal: Fiscal = Fiscal()

    @property
    def name(self) -> str:
        return self.preset or self.id

    @cached_property
    def resolved(self) -> Mapping[str, Criterion]:
        """All criteria, those of the preset as they are changed here."""
        base: dict[str, dict[str, Any]] = PRESETS[self.preset] if self.preset else {}
        found = {}
        for name in (*base, *(name for name in self.criteria if name not in base)):
            own = self.criteria.get(name, Criterion())
            if own is None:
                continue
            found[name] = Criterion.model_validate(_over(base.get(name, {}), own.model_dump(exclude_unset=True)))
        return found

    @model_validator(mode="after")
    def _has_questions(self) -> Framework:
        for name, criterion in self.resolved.items():
            if not criterion.all_ways:
                raise ValueError(f"`{name}` names no question that could meet it")
        return self


_INSTEAD = {"questions": "ways", "ways": "questions", "expires_days": "expires", "expires": "expires_days"}


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `own` says; of two fields that stand for each other the one that was written last is kept."""
    replaced = {_INSTEAD[name] for name in own if name in _INSTEAD}
    return {name: value for name, value in base.items() if name not in replaced} | dict(own)


class BantPolicy(Strict):
    """BANT with all four letters written out: the short form of a framework.

    minimum_met: letters that must be met before field sales is asked; below it the lead goes to inside sales first
    """

    budget: Criterion
    authority: Criterion
    need: Criterion
    timeline: Criterion
    minimum_met: Annotated[int, Field(ge=0, le=4)] = 0

    @cached_property
    def framework(self) -> Framework:
        """The same, as a framework. A letter is told as the presets tell it."""
        letters = {name: getattr(self, name) for name in PRESETS["bant"]}
        named = {
            name: criterion if criterion.label.texts() else criterion.model_copy(update={"label": _LETTERS[name]})
            for name, criterion in letters.items()
        }
        return Framework(id="bant", criteria=named, minimum_met=self.minimum_met)


def _label(en: str, ja: str) -> dict[str, str]:
    return {"en": en, "ja": ja}


# In the order of asking (vocabulary, section 10).
_BANT: dict[str, dict[str, Any]] = {
    "need": {"label": _label("Need", "必要性"), "questions": {"N1": ["stated"]}, "expires_days": 180},
    "timeline": {"label": _label("Timeline", "時期"), "questions": {"T1": ["now", "3m", "6m"]}, "expires_days": 90},
    "authority": {
        "label": _label("Authority", "決裁"),
        "ways": [{"A1": ["decision"]}, {"A1": ["drafting"], "A2": ["stated"]}],
        "expires_days": 180,
    },
    "budget": {
        "label": _label("Budget", "予算"),
        "questions": {"B1": ["secured", "applied"]},
        "expires": "fiscal_year_end",
    },
}
_BANTC = _BANT | {
    # That nobody competes is known, too, once it was said.
    "competitor": {"label": _label("Competitor", "競合"), "questions": {"C1": ["stated", "none"]}, "expires_days": 90}
}
_BANTCH = _BANTC | {"team": {"label": _label("Team", "体制"), "questions": {"H1": ["yes"]}, "expires_days": 90}}
_MEDDIC: dict[str, dict[str, Any]] = {
    "pain": {"label": _label("Pain", "課題"), "questions": {"N1": ["stated"]}, "expires_days": 180},
    "metrics": {"label": _label("Metrics", "効果指標"), "questions": {"N2": ["stated"]}, "expires_days": 180},
    "decision_criteria": {
        "label": _label("Decision criteria", "選定基準"),
        "questions": {"D1": ["stated"]},
        "expires_days": 180,
    },
    "champion": {"label": _label("Champion", "推進者"), "questions": {"P1": ["yes"]}, "expires_days": 90},
    "decision_process": {
        "label": _label("Decision process", "決裁プロセス"),
        "questions": {"A2": ["stated"]},
        "expires_days": 180,
    },
    "economic_buyer": {
        "label": _label("Economic buyer", "予算責任者"),
        "questions": {"A1": ["decision"], "E1": ["named"]},
        "expires_days": 180,
    },
}
PRESETS: Mapping[str, dict[str, dict[str, Any]]] = {
    "bant": _BANT,
    "bantc": _BANTC,
    "bantch": _BANTCH,
    "meddic": _MEDDIC,
}
_LETTERS: Mapping[str, Label] = {name: Label(**criterion["label"]) for name, criterion in _BANT.items()}
