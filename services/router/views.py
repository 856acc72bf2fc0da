"""What the API shows: rows and decisions as JSON, times as RFC 3339; scores as `shared.words` tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from services.router.accounts_views import check_view, match_view
from services.router.domain.assignment import due_after
from services.router.domain.decision import Decision, Trace
from services.router.domain.facts import Scored
from services.router.domain.fairness import PoolState, deviation
from services.router.domain.gate import cell, gate_facts
from services.router.domain.lead import Lead
from services.router.domain.orders import Order
from services.router.domain.playbook import Following, Playbook
from services.router.domain.qualification_words import criterion_words
from services.router.domain.sentence import sentence
from services.router.domain.words import WAITS, clock_time, reasons, why_not
from services.router.store.leads import Stored
from services.router.store.trail import decision_of
from shared.kit.clock import iso
from shared.kit.person import reveal
from shared.qualification.asking import Question
from shared.qualification.assessing import Assessed, Assessment, assess
from shared.schemas.policies.qualification import Cells
from shared.schemas.scores import LeadScored
from shared.words.view import glance, in_full

Body = dict[str, Any]
BEYOND_GATE = frozenset({"mql", "tal", "tql", "tgl", "sgl", "sal", "sql", "won", "customer"})


def lead_view(stored: Stored, latest: Any, playbook: Playbook | None, following: Following, now: int) -> Body:
    """A lead in full, at `now` (ms). latest: the row of its latest decision;  playbook: the policies which that one followed

    What is known of it stands in it as it is now, by the policies in force; in the decision as it was then.
    """
    score = stored.scored()
    known = _known(Scored.of(score), latest, following.playbook, now) if score and following.playbook else None
    return {
        **summary_view(stored, following),
        "identities": len(score.identities) if score else 0,
        "attributes": score.attributes if score else {},
        "score": in_full(score) if score else None,
        "definition": _definition(following.playbook),
        "qualification": _qualification(known, following.playbook),
        "cheapest_missing_question": _question(known.question if known else None),
        "decision": decision_view(latest, playbook) if latest is not None else None,
    }


def summary_view(stored: Stored, following: Following) -> Body:
    """A lead in a line."""
    lead, score = stored.lead, stored.scored()
    return {
        "lead_id": lead.lead_id,
        "stage": lead.stage,
        "disposition": lead.disposition,
        "cycle": lead.cycle,
        "grade": lead.grade,
        "leg": lead.leg,
        "pool": lead.pool_id,
        "owner": _owner(lead, following.playbook),
        "accepted": lead.accepted,
        "provisional": lead.provisional,
        "waiting": _waiting(lead, following.playbook),
        "scenario": lead.scenario,
        "may_email": lead.may_email,
        "merged_into": lead.merged_into,
        "person": reveal(score.person) if score else {},
        **_glance(lead, score, following.playbook),
    }


def _glance(lead: Lead, score: LeadScored | None, playbook: Playbook | None) -> Body:
    """The score at a glance, and what the gate would say of each better grade."""
    if score is None:
        return dict.fromkeys(("temperature", "trend", "account", "summary")) | {"internal": False, "better": []}
    seen = glance(score)
    cells = _cells(score, playbook) if playbook else None
    better = seen["better"] if _may_rise(lead, score) else []
    reached = {lead.verdict, cell(score.grade, cells) if cells else None}
    if "mql" in reached or lead.stage in BEYOND_GATE:
        return seen | {"better": [one | {"verdict": None} for one in better]}  # the gate lies behind it
    verdicts = {one["grade"]: cell(one["grade"], cells) if cells else None for one in better}
    new = {grade: verdict if verdict not in reached else None for grade, verdict in verdicts.items()}
    return seen | {"better": [one | {"verdict": new[one["grade"]]} for one in better]}


def _cells(score: LeadScored, playbook: Playbook) -> Cells:
    """The gate that the lead's grades are judged by, for all that is known without its account."""
    return playbook.gate.section(gate_facts(Scored.of(score), None)).cells


def _owner(lead: Lead, playbook: Playbook | None) -> Body | None:
    if lead.owner_rep is None:
        return None
    rep = playbook.reps.get(lead.owner_rep) if playbook else None
    return {"rep_id": lead.owner_rep, "name": rep.name if rep else lead.owner_rep, "pool": lead.pool_id}


def _waiting(lead: Lead, playbook: Playbook | None) -> Body | None:
    if lead.waiting_reason is None:
        return None
    wait = WAITS[lead.waiting_reason]
    return {
        "reason": lead.waiting_reason,
        "since": iso(lead.waiting_since) if lead.waiting_since is not None else None,
        "why": wait.why,
        "trigger": _trigger(lead, wait.trigger, playbook),
        "problem_of": wait.owner,
        "waiting_for": list(lead.waiting_for),
        "until": iso(lead.waiting_until) if lead.waiting_until is not None else None,
    }


def _trigger(lead: Lead, trigger: dict[str, str], playbook: Playbook | None) -> dict[str, str]:
    """What frees the lead; of hours also when they begin, by the clocks of the first whom it waits for."""
    if lead.waiting_until is None or lead.waiting_reason not in ("parked:not_at_work", "parked:cap_reached"):
        return trigger
    rep = playbook.reps.get(lead.waiting_for[0]) if playbook and lead.waiting_for else None
    zone = rep.zone if rep else "UTC"
    time = clock_time(lead.waiting_until, zone)
    return {"en": f"{trigger['en']}: {time} ({zone})", "ja": f"{trigger['ja']}: {time}({zone})"}


def _may_rise(lead: Lead, score: LeadScored) -> bool:
    """Whether anybody wants more of it: not of who is out, or whom the policy counts against (a competitor, a student)."""
    return lead.waiting_reason not in ("disqualified", "merged") and score.fit.total >= 0


def decision_view(row: Any, playbook: Playbook | None) -> Body:
    """A stored decision."""
    return decision_body(decision_of(row), playbook) | {"policies": row["policies"]}


def decision_body(decision: Decision, playbook: Playbook | None) -> Body:
    """A decision: what, why, why not the others, from which policies."""
    inputs, outcome, trace = decision.inputs, decision.outcome, decision.trace
    return {
        "decision_id": inputs.decision_id,
        "at": iso(inputs.decided_at),
        "cycle": inputs.cycle,
        "cause": asdict(inputs.cause),
        "order": _order(inputs.order) if inputs.order else None,
        "outcome": outcome.kind,
        "waiting": outcome.waiting_reason,
        "stage": outcome.stage,
        "leg": outcome.leg,
        "pool": outcome.pool_id,
        "owner": {"rep_id": outcome.rep_id, "name": outcome.rep_name} if outcome.rep_id else None,
        "lead_class": outcome.qualified.lead_class if outcome.qualified else None,
        "by": outcome.by or "pool",
        "way": decision.way if outcome.rep_id else None,
        "sentence": sentence(decision, playbook),
        "reasons": [reason.model_dump() for reason in reasons(decision, playbook)],
        "account": match_view(decision.inputs.account),
        "checks": [check_view(check, playbook) for check in trace.checks],
        "rules": [
            {"rule_id": tried.rule_id, "result": tried.result, "pool": tried.pool, "why_not": list(tried.why_not)}
            for tried in trace.rules
        ],
        "candidates": candidates_view(trace),
        "qualification": _qualification(trace.evidence, playbook),
        "cheapest_missing_question": _question(trace.evidence.question if trace.evidence else None),
        "policies": {kind: ref.model_dump() for kind, ref in playbook.refs.items()} if playbook else {},
    }


def _order(order: Order) -> Body:
    return {"by": order.by, "reason": order.reason, "despite": list(order.despite)}


def candidates_view(trace: Trace) -> list[Body]:
    """The members of the pool, with why not each."""
    shown = []
    for one in trace.candidates:
        reason = why_not(trace, one.rep_id)
        shown.append(
            {
                "rep_id": one.rep_id,
                "name": one.name,
                "chosen": one.rep_id == trace.chosen,
                "why_not": reason.model_dump() if reason else None,
                "due": round(float(Fraction(one.due)), 6),
                "share": round(float(Fraction(one.share)), 6),
                "due_after": round(float(due_after(one, trace.chosen, trace.way)), 6),
                "open_leads": one.open_leads,
                "capacity": one.capacity,
                "points": one.points,
            }
        )
    return shown


def _known(scored: Scored, latest: Any, playbook: Playbook, now: int) -> Assessment:
    """The framework as it is met now. The customer's fiscal year is that of the account that the latest decision knew."""
    account = decision_of(latest).inputs.account if latest is not None else None
    month = account.party.fiscal_month if account and account.party else None
    return assess(scored.answers, playbook.framework, now, month)


def _definition(playbook: Playbook | None) -> Body | None:
    """Who agreed to what is called ripe."""
    if playbook is None:
        return None
    policy = playbook.qualification
    signed = [{"by": one.by, "role": one.role, "on": one.on.isoformat()} for one in policy.signed_off]
    return {"signed_off": signed, "by_both": policy.signed_by_both}


def _qualification(found: Assessment | None, playbook: Playbook | None) -> Body | None:
    if found is None:
        return None
    return {
        "framework": found.framework,
        "met": found.met,
        "of": found.of,
        "minimum": found.minimum,
        "lacking": list(found.lacking),
        "enough": found.enough,
        "criteria": {one.criterion: _criterion(one, playbook) for one in found.criteria},
    }


def _criterion(found: Assessed, playbook: Playbook | None) -> Body:
    return {
        "label": criterion_words(found.criterion, playbook)._asdict(),
        "state": found.state,
        "expires_at": iso(found.expires_at) if found.expires_at is not None else None,
        "answers": [
            {
                "question": answer.question,
                "answer": answer.code,
                "source": answer.source_id,
                "observed_at": iso(answer.observed_at),
            }
            for answer in found.answers
        ],
    }


def _question(question: Question | None) -> Body | None:
    if question is None:
        return None
    text = {language: words for language, words in (("en", question.en), ("ja", question.ja)) if words}
    return {"criterion": question.criterion, "question": question.question, "cost": question.cost, "text": text}


def history_view(row: Any) -> Body:
    return {
        "seq": row["seq"],
        "at": iso(row["at"]),
        "cycle": row["cycle"],
        "cause": row["cause"],
        "from": {"stage": row["from_stage"], "disposition": row["from_disposition"]},
        "to": {"stage": row["stage"], "disposition": row["disposition"]},
        "owner": row["owner_rep"],
        "waiting": row["waiting_reason"],
        "decision_id": row["decision_id"],
        "policies": row["policies"] or {},
    }


def pool_view(pool: PoolState, loads: Mapping[str, int], playbook: Playbook | None) -> Body:
    """A pool's balances: who is owed how many leads, and how far the furthest is from its share."""
    reps = playbook.reps if playbook else {}
    members = [
        {
            "rep_id": balance.rep_id,
            "name": reps[balance.rep_id].name if balance.rep_id in reps else balance.rep_id,
            "weight": balance.weight,
            "received": balance.received,
            "due": round(float(balance.due), 6),
            "due_exact": str(balance.due),
            "open_leads": loads.get(balance.rep_id, 0),
        }
        for balance in pool.balances
    ]
    return {"pool_id": pool.pool_id, "deviation": round(float(deviation(pool.balances)), 6), "members": members}
