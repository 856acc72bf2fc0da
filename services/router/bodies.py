"""What the API answers, typed, so that its description can be read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from services.router.accounts_bodies import CheckBody, MatchBody
from shared.schemas.routing import Leg

Text = dict[str, str]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,200}$")]  # Postgres knows no NUL


class Owner(BaseModel):
    """The rep who has the lead. Provisional until handoff has confirmed the offer."""

    rep_id: str
    name: str
    pool: str | None = None


class Waiting(BaseModel):
    """Why nobody has the lead, whose problem that is, and what frees it."""

    reason: str = Field(examples=["below_gate", "parked:at_capacity", "recycled"])
    since: str | None
    why: Text = Field(description="by language: en, ja")
    trigger: Text
    problem_of: str
    waiting_for: list[str] = Field(
        description="reps whom nothing but their capacity or their hours keep from taking it"
    )
    until: str | None = Field(
        description="when the first of them is at work again, or a protection ends: it is tried then"
    )


class Summary(BaseModel):
    """A score in words: what a rep has to know at a glance."""

    sentence: Text = Field(
        examples=[
            {
                "en": "Hot lead, A1: fits very well (75 points) and is very interested (64 points), more so lately.",
                "ja": "適合度が非常に高く(75点)、関心度も非常に高い(64点)ホットリード(A1)で、最近の反応は増えています。",
            }
        ]
    )
    reasons: list[Text] = Field(
        description="three at most, what weighs most first",
        examples=[
            [
                {"en": "Demo requested (hand-raise): +40 points", "ja": "デモ依頼(手挙げ): +40点"},
                {"en": "Pricing page viewed, 3 times: +21.3 points", "ja": "価格ページ閲覧(3回): +21.3点"},
            ]
        ],
    )


class SuggestionBody(BaseModel):
    """One more touch, or one thing more that is known."""

    rule_id: str
    points: float
    attribute: str | None = Field(
        description="what would have to be known, for a rule of fit", examples=["lead.department"]
    )
    label: Text


class BetterBody(BaseModel):
    """The next better grade in one direction, and the fewest touches or facts that reach it."""

    grade: str
    verdict: Literal["mql", "inside_sales_check", "nurture"] | None = Field(
        description="what the gate would newly say of that grade; null where it says so already"
    )
    by: list[SuggestionBody]
    text: Text = Field(
        examples=[
            {"en": "A1 with “Demo requested” (+40 points)", "ja": "「デモ依頼」(+40点)があれば A1"},
        ]
    )


class LeadSummary(BaseModel):
    lead_id: str
    stage: str = Field(examples=["inquiry", "aql", "mql", "tal", "sal", "merged"])
    disposition: str
    cycle: int
    grade: str
    temperature: Literal["hot", "warm", "cold"] | None
    trend: Literal["rising", "steady", "falling"] | None
    summary: Summary | None
    better: list[BetterBody] = Field(
        description="what would raise the grade; empty where nothing near does, and for who is not wanted"
    )
    internal: bool = Field(description="one of ourselves: kept, scored 0, never routed")
    account: str | None = Field(description="the company's key", examples=["corporate:7010001008844"])
    leg: Leg | None
    pool: str | None = Field(description="that it was given by, or waits for")
    owner: Owner | None
    accepted: bool
    provisional: bool
    waiting: Waiting | None = Field(description="null where the lead has an owner, and only there")
    scenario: str | None = Field(description="of marketing automation, where the lead is not ripe")
    may_email: bool = Field(description="whether that may write to it, by rule of the policy")
    merged_into: str | None
    person: dict[str, str]


class Part(BaseModel):
    """What one rule gave. The parts' points sum to the score exactly."""

    rule_id: str
    group: str | None
    points: float
    given: float
    cut: float = Field(description="what caps took away: by its group's and by that of all")
    cut_by_group: float
    cut_by_total: float
    why_cut: Text | None
    times: int = Field(description="touches that gave something")
    first_at: str | None = Field(description="when the first of them happened")
    last_at: str | None
    label: Text


class Parts(BaseModel):
    fit: list[Part]
    engagement: list[Part]


class PolicyVersion(BaseModel):
    sequence: int
    hash: str


class Score(BaseModel):
    """Points, not milli-points."""

    fit: float
    engagement: float
    grade: str
    as_of: str
    cause: Literal["input", "time", "policy"] = Field(
        description="what made scoring say it: news, time alone, a policy"
    )
    region: str | None = Field(description="the overlay whose rules were used")
    version: list[int] = Field(description="generation, policy, position, as_of: the higher wins")
    policy: PolicyVersion
    hand_raise: str | None
    parts: Parts


class ReasonBody(BaseModel):
    code: str
    text: Text
    detail: dict[str, Any] = {}


class TriedRule(BaseModel):
    rule_id: str
    result: Literal["matched", "other_leg", "no_match", "out_of_season"]
    pool: str
    why_not: list[str]


class CandidateBody(BaseModel):
    """A member of the pool as the decision saw it."""

    rep_id: str
    name: str
    chosen: bool
    why_not: ReasonBody | None
    due: float = Field(description="leads that they were owed before this one")
    share: float = Field(description="their part of this lead, by weight among the eligible")
    due_after: float = Field(description="leads that they were owed after it")
    open_leads: int
    capacity: int
    points: int = Field(description="what the pool's preferences give them")


class AnswerBody(BaseModel):
    question: str = Field(examples=["B1"])
    answer: str
    source: str
    observed_at: str


class CriterionBody(BaseModel):
    """One criterion: which answers made it so, and when that changes by the clock alone (or did, of one that has expired)."""

    label: Text = Field(examples=[{"en": "Budget", "ja": "予算"}])
    state: Literal["met", "unmet", "expired", "missing", "conflicting"]
    expires_at: str | None
    answers: list[AnswerBody]


class QualificationBody(BaseModel):
    """A framework such as BANT: how much of it is met, and whether that is enough for field sales."""

    framework: str = Field(examples=["bant"])
    met: int = Field(description="weight of the criteria that are met")
    of: int = Field(description="weight of all")
    minimum: int
    lacking: list[str] = Field(description="criteria that have to be met and are not")
    enough: bool
    criteria: dict[str, CriterionBody]


class SignatureBody(BaseModel):
    by: str
    role: Literal["marketing", "sales"]
    on: str


class DefinitionBody(BaseModel):
    """Who agreed to what is called ripe, and whether both sides have."""

    signed_off: list[SignatureBody]
    by_both: bool


class QuestionBody(BaseModel):
    criterion: str
    question: str | None = Field(description="of the vocabulary", examples=["B1"])
    cost: int = Field(description="1 a form … 5 a meeting")
    text: Text


class OrderBody(BaseModel):
    """A person chose."""

    by: str = Field(description="the name of the token")
    reason: str | None
    despite: list[str] = Field(description="what was overlooked on purpose")


class DecisionBody(BaseModel):
    """What was decided, why, why not the others, and under which policies."""

    decision_id: str
    at: str
    cycle: int
    cause: dict[str, Any]
    order: OrderBody | None = Field(description="null where the router chose")
    outcome: Literal["routed", "parked", "below_gate"]
    waiting: str | None
    stage: str
    leg: Leg | None
    pool: str | None
    owner: Owner | None
    lead_class: str | None
    by: str = Field(
        description="`pool`, the check before any pool that decided, `manager` at the end of a pool, or a `person`",
        examples=["named_account"],
    )
    way: (
        Literal["fair", "sticky", "least_loaded", "best_fit", "named", "manager", "dispatched", "claimed", "manual"]
        | None
    ) = Field(
        description="what decided among the eligible; `named`: its account did, and no pool; `manager`: all of the pool had it;"
        " `dispatched`: a manager gave it out of the pool's queue; `claimed`: the rep took it; `manual`: past every pool"
    )
    sentence: Text = Field(description="the whole in one, for the rep")
    reasons: list[ReasonBody]
    account: MatchBody | None
    checks: list[CheckBody]
    rules: list[TriedRule]
    candidates: list[CandidateBody]
    qualification: QualificationBody | None
    cheapest_missing_question: QuestionBody | None
    policies: dict[str, PolicyVersion]


class LeadBody(LeadSummary):
    identities: int
    attributes: dict[str, Any]
    score: Score | None
    definition: DefinitionBody | None = Field(description="of the policy in force: what its stage goes by")
    qualification: QualificationBody | None = Field(description="as it is now; a decision has it as it was then")
    cheapest_missing_question: QuestionBody | None
    decision: DecisionBody | None


class LeadsPage(BaseModel):
    leads: list[LeadSummary]
    next: str | None = Field(description="`after` of the next page")


class Standing(BaseModel):
    stage: str
    disposition: str


class Move(BaseModel):
    """One change of a lead, never overwritten."""

    seq: int
    at: str
    cycle: int
    cause: dict[str, Any]
    from_: Standing = Field(alias="from")
    to: Standing
    owner: str | None
    waiting: str | None
    decision_id: str | None


class DecisionsBody(BaseModel):
    lead_id: str
    decisions: list[DecisionBody]
    history: list[Move]


class MemberBody(BaseModel):
    rep_id: str
    name: str
    weight: int
    received: int
    due: float
    due_exact: str = Field(examples=["-1/3"])
    open_leads: int


class PoolBody(BaseModel):
    pool_id: str
    deviation: float = Field(
        description="the furthest that anybody is from the weighted share while eligible, in leads"
    )
    members: list[MemberBody]


class PoolsBody(BaseModel):
    pools: list[PoolBody]


class ShareBody(BaseModel):
    """A rep in the report of a pool: share against what was received, then what counts apart."""

    rep_id: str
    name: str
    weight: int | None = Field(description="null for who is in the pool no more")
    share: float = Field(description="leads: the weighted parts of all that they could have had and that counted")
    received: int = Field(description="leads that were shared and counted")
    due: float = Field(description="share less received: leads that they are short of, in the period")
    due_exact: str = Field(examples=["-1/3"])
    ways: dict[str, int] = Field(description="the received ones by what decided: fair, least_loaded, best_fit")
    sticky: int = Field(description="leads that stuck to them, shared with nobody")
    chosen: int = Field(description="leads that a manager gave them, or that they took, out of the pool's queue")
    named: int = Field(description="leads that an account gave them, past every pool")
    given_back: int = Field(description="leads that turned out not to count")
    accepted: int
    declined: int
    expired: int
    balance: float | None = Field(description="leads that the pool owes them now, over all time")


class NextBody(BaseModel):
    """Who would get a lead now that asks for no language and no skill, and why; or why nobody would."""

    rep_id: str | None
    why: Text
    members: list[CandidateBody]


class ExploredBody(BaseModel):
    """Leads below the gate that the pool was given on purpose in the period, and what became of them."""

    given: int
    accepted: int
    passed_on: int = Field(description="qualified for field sales: what the gate would have overlooked")
    declined: int


class FairnessBody(BaseModel):
    pool_id: str
    strategy: Literal["fair", "sticky", "least_loaded", "best_fit"]
    promised: bool = Field(description="whether the pool promises shares; another strategy only keeps them")
    since: str
    until: str
    leads: int
    furthest: float = Field(description="leads that the furthest is from the share, in the period")
    explored: ExploredBody
    members: list[ShareBody]
    next: NextBody
