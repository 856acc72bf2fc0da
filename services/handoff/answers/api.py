"""The API of answers: record one, and see what is known and what is best asked next."""

from __future__ import annotations

from fastapi import APIRouter, Request

from services.handoff.answers.answer import AnswerIdTakenError, Recorded
from services.handoff.answers.bodies import SOURCES, AnswersView, RecordAnswer
from services.handoff.answers.desk import (
    AnswersDesk,
    StakeholderMovedError,
    UnknownStakeholderError,
)
from services.handoff.answers.views import answers_view, codes_of
from services.handoff.desk import UnknownOpportunityError
from services.handoff.entry import Entry, Row, not_found, unknown
from services.handoff.policies import Policies
from shared.kit.auth import BEARER, Caller
from shared.kit.clock import Clock
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described
from shared.schemas.policies.frameworks import Framework
from shared.schemas.scores import Evidence
from shared.schemas.vocabulary import QUESTIONS

AHEAD = 5 * 60_000  # ms by which a caller's clock may be ahead of ours

_COMMON = described(
    _401="no token, or an unknown one",
    _403="the token may not do this",
    _404="no such opportunity",
    _422="`unknown_question`, `unknown_value` and the like, with the valid ones and the nearest",
)
_READ = _COMMON | described(_409="`no_policy`: the tenant has no qualification policy")
_RECORD = _COMMON | described(
    _409="`answer_id_taken`: another answer has this id; `stakeholder_moved`: who is said to have given it has moved;"
    " `no_policy`: the tenant has no qualification policy",
)


class AnswersApi:
    """The routes under /v1/opportunities/{id}/answers."""

    def __init__(self, entry: Entry, desk: AnswersDesk, policies: Policies, clock: Clock) -> None:
        self._entry, self._desk, self._policies, self._clock = entry, desk, policies, clock

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["answers"], dependencies=[BEARER], route_class=OnceRoute)
        path = "/opportunities/{opportunity_id}/answers"
        router.add_api_route(path, self.read, methods=["GET"], responses=_READ)
        router.add_api_route(path, self.record, methods=["POST"], responses=_RECORD)
        return router

    async def read(self, request: Request, opportunity_id: str) -> AnswersView:
        """What is known of the lead, criterion by criterion, what made it so, and the next best question."""
        caller, row = await self._entry.seen(request, opportunity_id)
        return await self._view(caller, row)

    async def record(self, request: Request, opportunity_id: str, body: RecordAnswer) -> AnswersView:
        """Record an answer. Scoring and the router take it for evidence; of one source the latest stands, by when it was learnt."""
        caller, row, rep_id = await self._entry.theirs(request, opportunity_id, body.rep_id)
        framework = self._framework(caller.tenant)
        question = _question(body, framework)
        valid = codes_of(question, framework)
        if body.value not in valid:
            raise unknown("value", body.value, valid)
        if body.source not in SOURCES:
            raise unknown("source", body.source, sorted(SOURCES))
        now = self._clock.now()
        said = round(body.at.timestamp() * 1000) if body.at else None
        if said is not None and said > now + AHEAD:
            raise Problem(422, "in_the_future", "`at` lies in the future: record what has been learnt")
        answer = Recorded(
            answer_id=body.id or "",
            question=question,
            code=body.value,
            source_id=SOURCES[body.source],
            observed_at=now if said is None else min(said, now),
            recorded_at=now,
            recorded_by=caller.name,
            rep_id=rep_id,
            event_id="",
            confidence=body.confidence,
            told_by=body.told_by,
        )
        at = (
            said if said is not None and said <= now else None
        )  # of a clock ahead of ours a repeat would be of another moment
        await self._record(caller.tenant, opportunity_id, answer, at, body.note)
        return await self._view(caller, row)

    async def _record(
        self, tenant: str, opportunity_id: str, answer: Recorded, at: int | None, note: str | None
    ) -> None:
        try:
            await self._desk.record(tenant, opportunity_id, answer, at, note)
        except UnknownOpportunityError:
            raise not_found(opportunity_id) from None
        except UnknownStakeholderError as error:
            raise unknown("stakeholder", error.wrong, error.known) from None
        except StakeholderMovedError:
            raise Problem(
                409, "stakeholder_moved", "who is said to have given it has moved: ask the successor"
            ) from None
        except AnswerIdTakenError:
            raise Problem(409, "answer_id_taken", "another answer of this opportunity has this id") from None

    async def _view(self, caller: Caller, row: Row) -> AnswersView:
        framework = self._framework(caller.tenant)
        kept = await self._desk.kept(caller.tenant, row["id"], row["lead_id"])
        evidence = [Evidence.model_validate(one) for one in row["evidence"]]
        return answers_view(kept, evidence, framework, self._clock.now())

    def _framework(self, tenant: str) -> Framework:
        framework = self._policies.framework(tenant)
        if framework is None:
            raise Problem(409, "no_policy", "there is no qualification policy: `baton policy apply` brings one")
        return framework


def _question(body: RecordAnswer, framework: Framework) -> str:
    """The question that is answered. Raises Problem 422."""
    own = dict.fromkeys(question for one in framework.resolved.values() for way in one.all_ways for question in way)
    if body.question is not None:
        valid = list(dict.fromkeys([*own, *QUESTIONS]))
        if body.question not in valid:
            raise unknown("question", body.question, valid)
        return body.question
    name = body.criterion or ""
    if name not in framework.resolved:
        raise unknown("criterion", name, list(framework.resolved))
    asked = list(dict.fromkeys(question for way in framework.resolved[name].all_ways for question in way))
    if len(asked) > 1:
        raise Problem(422, "which_question", f"`{name}` has several questions: name one", valid=asked)
    return asked[0]
