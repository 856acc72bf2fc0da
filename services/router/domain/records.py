"""The records that a change of a lead causes."""

from __future__ import annotations

from services.router.domain.decision import Decision
from services.router.domain.flow import Change
from services.router.domain.playbook import Playbook
from services.router.domain.sentence import sentence
from services.router.domain.words import ended_reasons, reasons
from shared.schemas.routing import MANAGER, LeadNurtured, LeadRouted, LeadWithdrawn, Reason, ScoreSummary
from shared.schemas.scores import LeadScored
from shared.schemas.touches import Scalar


def record_of(
    tenant: str, change: Change, score: LeadScored | None, playbook: Playbook | None, now: int
) -> LeadRouted | LeadWithdrawn | LeadNurtured:
    """What others are told of `change`, which is one that they have to be told of. `score`: the lead's latest."""
    if change.withdrawn:
        return withdrawn(tenant, change, now)
    assert score is not None
    if change.decision is None:
        return given_back(tenant, change, score, playbook, now)
    if change.decision.outcome.kind == "routed":
        return routed(tenant, change, change.decision, score, playbook)
    return nurtured(tenant, change, change.decision, score, playbook)


def routed(tenant: str, change: Change, decision: Decision, score: LeadScored, playbook: Playbook | None) -> LeadRouted:
    lead, outcome, account = change.after, decision.outcome, decision.inputs.account
    assert outcome.leg is not None
    assert outcome.rep_id is not None
    assert outcome.qualified is not None
    return LeadRouted(
        tenant=tenant,
        lead_id=lead.lead_id,
        cycle=lead.cycle,
        assignment=lead.held_assignment,
        replaces=lead.replaced[-1].assignment if lead.replaced else None,
        relieves=_relieved(change, decision),
        decision_id=decision.inputs.decision_id,
        decided_at=decision.inputs.decided_at,
        leg=outcome.leg,
        pool_id=outcome.pool_id or _past_pools(decision),
        mode=outcome.mode or "offer",
        account_id=account.party.account_id if account and account.party else None,
        rep_id=outcome.rep_id,
        rep_name=outcome.rep_name or outcome.rep_id,
        lead_class=outcome.qualified.lead_class,
        qualifying_at=outcome.qualified.at,
        reasons=(Reason(code="sentence", text=sentence(decision, playbook)), *reasons(decision, playbook)),
        excluded=lead.excluded,
        score=_summary(score),
        attributes=_with_source(score),
        evidence=score.evidence,
        touches=score.touches,
        person=score.person,
        is_test=score.is_test,
        explored=decision.trace.explored,
    )


def _with_source(score: LeadScored) -> dict[str, Scalar]:
    """What is known of the lead, with the channel by which it came first, by its name in conditions."""
    return {"first_source": score.first_source, **score.attributes} if score.first_source else score.attributes


def _past_pools(decision: Decision) -> str:
    """What stands in the place of the pool where none gave the lead."""
    by = decision.outcome.by
    if by == "person":
        return "person"
    return f"{MANAGER}{decision.trace.pool_id}" if by == "manager" else f"account:{by}"


def _relieved(change: Change, decision: Decision) -> str | None:
    """Whose offer ends even where they had accepted it: who has left, and who a person takes the lead from."""
    by_person = change.before.accepted and decision.inputs.order
    return change.before.owner_rep if by_person or change.cause.kind == "left" else None


def nurtured(
    tenant: str, change: Change, decision: Decision, score: LeadScored, playbook: Playbook | None
) -> LeadNurtured:
    return LeadNurtured(
        tenant=tenant,
        lead_id=change.after.lead_id,
        cycle=change.after.cycle,
        decision_id=decision.inputs.decision_id,
        decided_at=decision.inputs.decided_at,
        scenario=decision.outcome.scenario,
        may_email=decision.outcome.may_email,
        reasons=reasons(decision, playbook),
        score=_summary(score),
        attributes=score.attributes,
        person=score.person,
        is_test=score.is_test,
    )


def given_back(tenant: str, change: Change, score: LeadScored, playbook: Playbook | None, now: int) -> LeadNurtured:
    """Of a lead that sales gave back: the decision that it names is the one that gave it to them."""
    lead = change.after
    assert lead.decision_id is not None
    assert lead.waiting_reason is not None
    return LeadNurtured(
        tenant=tenant,
        lead_id=lead.lead_id,
        cycle=lead.cycle,
        decision_id=lead.decision_id,
        decided_at=now,
        scenario=lead.scenario,
        may_email=lead.may_email,
        reasons=ended_reasons(lead, change.cause, playbook),
        score=_summary(score),
        attributes=score.attributes,
        person=score.person,
        is_test=score.is_test,
    )


def _summary(score: LeadScored) -> ScoreSummary:
    return ScoreSummary(fit=score.fit.total, engagement=score.engagement.total, grade=score.grade, as_of=score.as_of)


def withdrawn(tenant: str, change: Change, now: int) -> LeadWithdrawn:
    survivor = change.after.merged_into
    merged = Reason(
        code="merged",
        text={"en": "merged into another lead", "ja": "他のリードに統合"},
        detail={"merged_into": survivor},
    )
    anew = Reason(
        code="recycled",
        text={"en": "a new hand-raise starts another cycle", "ja": "新たな手挙げで次のサイクルを開始"},
    )
    return LeadWithdrawn(
        tenant=tenant,
        lead_id=change.after.lead_id,
        cycle=change.after.cycle,
        assignment=change.after.held_assignment,
        reason=merged if survivor else anew,
        decided_at=now,
        merged_into=survivor,
    )
