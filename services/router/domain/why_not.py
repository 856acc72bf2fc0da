"""Why not this rep: one answer for any lead and any rep, as it was decided, and when their turn comes as things stand now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from services.router.domain.account_words import check_reason
from services.router.domain.caps import Taken
from services.router.domain.decision import Decision, Inputs, decide
from services.router.domain.lead import Cause, Lead
from services.router.domain.manager_words import PASSED
from services.router.domain.playbook import Playbook
from services.router.domain.words import WAITS, why_not
from shared.schemas.policies.base import Label
from shared.schemas.routing import Reason
from shared.schemas.vocabulary import Word

MOST = 200  # leads ahead of a rep that are counted
HOW_ENDED: Mapping[str, Word] = {
    "declined": Word("gave it back", "差し戻し"),
    "expired": Word("ran out of time", "期限超過"),
    "refused": Word("it could not be given to them any more", "引き渡しが間に合わず取り消し"),
    "passed_on": Word("passed it on to the next team", "次のチームへ引き継ぎ"),
    "withdrawn": Word("it was withdrawn", "取り下げ"),
    "left": Word("left", "退職・異動"),
    "reassigned": Word("a manager gave it to somebody else", "マネージャーが他の担当者に変更"),
}


@dataclass(frozen=True, slots=True)
class Had:
    """That a rep had the lead before. ended: how, by `router.assignments`;  reason: the code that they named;  at: ms"""

    ended: str
    reason: str | None
    at: int


def answer(
    lead: Lead, decision: Decision | None, playbook: Playbook | None, rep_id: str, had: Had | None = None
) -> Reason:
    """Why `rep_id` does not have the lead, as it was decided last. playbook: which that decision followed"""
    name = _name(rep_id, playbook)
    if lead.owner_rep == rep_id:
        return _say("has_it", f"{name} has this lead", f"{name} がこのリードを担当中")
    if had and (decision is None or rep_id in decision.inputs.holders):
        return _had(name, had, playbook)
    if decision is None or playbook is None:
        wait = WAITS[lead.waiting_reason or "unscored"]
        return Reason(code=lead.waiting_reason or "undecided", text=wait.why)
    if rep_id not in playbook.reps:
        return _say("unknown_rep", f"the teams policy has no rep {rep_id}", f"チームに {rep_id} の登録なし")
    trace = decision.trace
    if lead.closed or lead.merged_into or decision.outcome.kind == "below_gate":
        why = WAITS[lead.waiting_reason or "below_gate"].why
        return _say(
            lead.waiting_reason or "below_gate", f"it is nobody's: {why['en']}", f"誰にも割り当てない: {why['ja']}"
        )
    taken = next((one for one in trace.checks if one.said in ("takes", "parks")), None)
    if taken:
        return check_reason(taken, playbook)
    passed = next((one for one in (trace.manager.passed if trace.manager else ()) if one.rep_id == rep_id), None)
    if passed:
        word = PASSED[passed.why]
        return _say(
            passed.why, f"{name} manages the pool, and {word['en']}", f"{name} はプールの上長だが、{word['ja']}"
        )
    if any(one.rep_id == rep_id for one in trace.candidates):
        return why_not(trace, rep_id) or _say("has_it", f"{name} was chosen", f"{name} を選定済み")
    if trace.pool_id is None:
        why = WAITS[decision.outcome.waiting_reason or "parked:no_rule"].why
        code = decision.outcome.waiting_reason or "no_pool"
        return _say(code, f"no pool was asked: {why['en']}", f"プールへの打診前: {why['ja']}")
    return _elsewhere(rep_id, name, decision, playbook)


def _had(name: str, had: Had, playbook: Playbook | None) -> Reason:
    word = HOW_ENDED.get(had.ended, Word(had.ended, had.ended))
    known = playbook.decline(had.reason) if playbook and had.ended == "declined" else None
    label = known.label if known else Label(en=had.reason, ja=had.reason) if had.ended == "declined" else Label()
    en, ja = (f": {label.en}" if label.en else ""), (f"({label.ja or label.en})" if label.ja or label.en else "")
    text = {
        "en": f"{name} had this lead before, and {word.en}{en}; who had it is not asked again in this cycle",
        "ja": f"{name} はこのリードを以前担当し、{word.ja}{ja}。同じサイクルでは再打診しない",
    }
    return Reason(code="earlier_holder", text=text, detail={"ended": had.ended, "reason": had.reason})


def _elsewhere(rep_id: str, name: str, decision: Decision, playbook: Playbook) -> Reason:
    """A rep of other pools: why no rule led to one of these."""
    trace = decision.trace
    matched = next((tried for tried in trace.rules if tried.result == "matched"), None)
    here, rule = _pool(trace.pool_id or "", playbook), _rule(matched.rule_id, playbook) if matched else Word("", "")
    en = f"{name} is not in pool “{here.en}”, which rule “{rule.en}” leads to"
    ja = f"{name} は、ルール「{rule.ja}」の行き先であるプール「{here.ja}」のメンバーではない"
    theirs = [pool.id for pool in playbook.teams.pools if rep_id in {member.rep for member in pool.members}]
    if not theirs:
        return _say("in_no_pool", f"{en}; they are in no pool", f"{ja}(どのプールにも所属していない)")
    why = [_to(pool_id, decision, playbook) for pool_id in theirs]
    return Reason(
        code="other_pool",
        text={"en": "; ".join([en, *(one.en for one in why)]), "ja": "。".join([ja, *(one.ja for one in why)])},
        detail={"pool": trace.pool_id, "pools": theirs},
    )


def _to(pool_id: str, decision: Decision, playbook: Playbook) -> Word:
    """Why no rule led to a pool: of a rule that might have, before one that never could."""
    found = sorted(_rules_to(pool_id, decision, playbook), key=lambda one: one[0])
    return found[0][1]


def _rules_to(pool_id: str, decision: Decision, playbook: Playbook) -> Iterator[tuple[int, Word]]:
    """Why each rule that leads to a pool did not, and how far it was from it."""
    pool, looked_at = _pool(pool_id, playbook), {one.rule_id: one for one in decision.trace.rules}
    for entry in playbook.routing.all_rules:
        if entry.pool != pool_id:
            continue
        rule, one = _rule(entry.id, playbook), looked_at.get(entry.id)
        if one is not None and one.why_not:
            yield (
                0,
                Word(
                    f"to their pool “{pool.en}” rule “{rule.en}” leads, which did not hold: {one.why_not[0]}",
                    f"所属プール「{pool.ja}」へのルール「{rule.ja}」は条件不成立: {one.why_not[0]}",
                ),
            )
        elif decision.outcome.leg not in entry.legs:
            yield (
                2,
                Word(
                    f"to their pool “{pool.en}” rule “{rule.en}” leads, for another leg",
                    f"所属プール「{pool.ja}」へのルール「{rule.ja}」は別の工程用",
                ),
            )
        else:
            yield (
                1,
                Word(
                    f"to their pool “{pool.en}” rule “{rule.en}” leads, which comes later",
                    f"所属プール「{pool.ja}」へのルール「{rule.ja}」は順番が後",
                ),
            )
    yield 3, Word(f"no rule leads to their pool “{pool.en}”", f"所属プール「{pool.ja}」へのルールなし")


@dataclass(frozen=True, slots=True)
class Turn:
    """When a lead like this one would come to a rep, as things stand now.

    after: leads like it that others get first, 0 for who is next; None where it would not come to them, or not within `MOST`
    why:   the same in words, or what keeps them from it
    """

    after: int | None
    why: Reason


def turn(inputs: Inputs, playbook: Playbook, rep_id: str) -> Turn | None:
    """The turn of `rep_id`, counted by deciding on one such lead after another. inputs: of the lead's decision, with pools, loads
    and people as they are now. None where such a lead is given to nobody by turns: its account decides, or a person.
    """
    asked = replace(
        inputs, cause=Cause("what_if", None, inputs.decided_at), holders=(), order=None, queued=None, had_by=None
    )
    name = _name(rep_id, playbook)
    for after in range(MOST):
        decision = decide(asked, playbook)
        outcome, trace = decision.outcome, decision.trace
        if trace.pool_id is None or outcome.by is not None or trace.queue is not None:
            return None
        if outcome.rep_id == rep_id:
            return Turn(after, _next(name, after))
        candidate = next((one for one in trace.candidates if one.rep_id == rep_id), None)
        if candidate is None or candidate.excluded or outcome.rep_id is None:
            return Turn(None, why_not(trace, rep_id) or _next(name, after)) if candidate else None
        assert decision.pool is not None
        asked = replace(
            asked,
            pools={**asked.pools, trace.pool_id: decision.pool},
            loads={**asked.loads, outcome.rep_id: asked.loads.get(outcome.rep_id, 0) + 1},
            taken=_more(asked.taken, outcome.rep_id),
        )
    return Turn(
        None,
        _say("far_off", f"{name} would not be next within {MOST} leads", f"{MOST} 件以内には {name} の順番が来ない"),
    )


def _more(taken: Mapping[str, Taken], rep_id: str) -> Mapping[str, Taken]:
    return {**taken, rep_id: taken[rep_id].more()} if rep_id in taken else taken


def _next(name: str, after: int) -> Reason:
    if after == 0:
        text = {"en": f"{name} is next for a lead like this one", "ja": f"次に同様のリードが来れば {name} の番"}
    else:
        leads = "lead" if after == 1 else "leads"
        text = {
            "en": f"{name} would be next after {after} more {leads} like this one",
            "ja": f"同様のリードがあと {after} 件ほかの担当者に渡ると {name} の番",
        }
    return Reason(code="next", text=text, detail={"after": after})


def _say(code: str, en: str, ja: str) -> Reason:
    return Reason(code=code, text={"en": en, "ja": ja})


def _name(rep_id: str, playbook: Playbook | None) -> str:
    rep = playbook.reps.get(rep_id) if playbook else None
    return rep.name if rep else rep_id


def _pool(pool_id: str, playbook: Playbook) -> Word:
    pool = playbook.pools.get(pool_id)
    return _label(pool.label if pool else Label(), pool_id)


def _rule(rule_id: str, playbook: Playbook) -> Word:
    rule = next((rule for rule in playbook.routing.all_rules if rule.id == rule_id), None)
    return _label(rule.label if rule else Label(), rule_id)


def _label(label: Label, otherwise: str) -> Word:
    return Word(label.en or otherwise, label.ja or label.en or otherwise)
