"""The gate and the framework in words, English and Japanese: why a lead is ripe or not, what is known of it, what it waits for."""

from __future__ import annotations

from services.router.domain.gate import Gated, Holding, Lowered
from services.router.domain.playbook import Playbook
from shared.qualification.assessing import Assessment
from shared.schemas.policies.base import Label
from shared.schemas.policies.qualification import Verdict
from shared.schemas.routing import Leg, Reason
from shared.schemas.vocabulary import TOUCH_TYPES, Word

VERDICTS: dict[Verdict, Word] = {
    "mql": Word("an MQL", " MQL"),  # the space is that between Japanese and Latin letters
    "inside_sales_check": Word("for inside sales to check", "インサイドセールス確認"),
    "nurture": Word("not ripe", "育成継続"),
}
LOWERED: dict[str, Word] = {
    "minimum_fit": Word("fits too little for an MQL", "適合度がMQLの下限未満"),
    "partner": Word("of a partner, and no demand of its own", "代理店の方であり、需要には数えない"),
    "falling": Word("does less than before", "行動が減少傾向"),
    "one_person": Word(
        "nobody else of its company is active, and nothing is confirmed",
        "同じ会社で他に動きがなく、確認済みの回答もない",
    ),
}
EXCLUDED: dict[str, Word] = {
    "nurture": Word("nurture", "育成継続"),
    "disqualify": Word("disqualified", "対象外"),
    "never": Word("never routed", "振り分け対象外"),
}


def gate_reason(gated: Gated, playbook: Playbook | None) -> Reason:
    """What the gate said, by what, and what made it less than that."""
    first = VERDICTS[gated.lowered[0].before if gated.lowered else gated.verdict]
    said = _by(gated, first, playbook)
    segment = _named(gated.segment, playbook) if gated.segment else None
    whose = Word(f"segment “{segment.en}”: ", f"セグメント「{segment.ja}」: ") if segment else Word("", "")
    less = [_less(one, playbook) for one in gated.lowered]
    detail = {
        "grade": gated.grade,
        "by": gated.by,
        "hand_raise": gated.hand_raise,
        **({"segment": gated.segment} if gated.segment else {}),
        **({"rule": gated.excluded, "outcome": gated.outcome} if gated.excluded else {}),
        **({"lowered_by": [one.by for one in gated.lowered]} if gated.lowered else {}),
    }
    text = {
        "en": whose.en + said.en + "".join(word.en for word in less),
        "ja": whose.ja + said.ja + "".join(word.ja for word in less),
    }
    return Reason(code=f"gate_{gated.verdict}", text=text, detail=detail)


def _by(gated: Gated, verdict: Word, playbook: Playbook | None) -> Word:
    en, ja = verdict
    raised = TOUCH_TYPES.get(gated.hand_raise or "", Word(gated.hand_raise or "", gated.hand_raise or ""))
    if gated.by == "excluded":
        rule, outcome = _named(gated.excluded or "", playbook), EXCLUDED[gated.outcome or "never"]
        return Word(f"rule “{rule.en}”: {outcome.en}", f"ルール「{rule.ja}」により{outcome.ja}")
    return {
        "test": Word("only a test: never routed", "テストのみのため振り分け対象外"),
        "internal": Word("one of our own: never routed", "社内の関係者のため振り分け対象外"),
        "grade": Word(f"grade {gated.grade} is {en}", f"グレード {gated.grade} は{ja}"),
        "hand_raise": Word(f"hand-raise ({raised.en.lower()}): {en}", f"手挙げ({raised.ja})により{ja}"),
        "hand_raise_below_fit": Word(
            f"hand-raise ({raised.en.lower()}), but fit {gated.grade[0]} is below {gated.minimum_fit}: {en}",
            f"手挙げ({raised.ja})だが適合度 {gated.grade[0]} が {gated.minimum_fit} 未満のため{ja}",
        ),
    }[gated.by]


def _less(lowered: Lowered, playbook: Playbook | None) -> Word:
    after = VERDICTS[lowered.after]
    if lowered.required:
        rule = _named(lowered.by, playbook)
        return Word(f"; “{rule.en}” does not hold: {after.en}", f"。「{rule.ja}」を満たさないため{after.ja}")
    why = LOWERED[lowered.by]
    return Word(f"; {why.en}: {after.en}", f"。{why.ja}ため{after.ja}")


def _named(name: str, playbook: Playbook | None) -> Word:
    return _words(playbook.gate.label(name) if playbook else Label(), name)


def _words(label: Label, name: str) -> Word:
    return Word(label.en or label.ja or name, label.ja or label.en or name)


def criterion_words(name: str, playbook: Playbook | None) -> Word:
    """What a criterion is called."""
    criterion = playbook.framework.resolved.get(name) if playbook else None
    return _words(criterion.label if criterion else Label(), name)


def framework_words(found: Assessment, playbook: Playbook | None) -> Word:
    """What the framework is called: its label, else its name in capitals."""
    label = playbook.framework.label if playbook and playbook.framework.name == found.framework else Label()
    return _words(label, found.framework.upper())


def evidence_reason(found: Assessment, way: Leg | None, playbook: Playbook | None) -> Reason:
    """How much of the framework is met, and to whom that leads."""
    met = [one.criterion for one in found.criteria if one.state == "met"]
    words = [criterion_words(name, playbook) for name in met]
    lacking = [criterion_words(name, playbook) for name in found.lacking]
    name = framework_words(found, playbook)
    leg = Word("field sales", "フィールドセールス") if way == "fs" else Word("inside sales", "インサイドセールス")
    needed = Word(
        "".join(f", {word.en.lower()} needed" for word in lacking), "".join(f"、{word.ja}は必須" for word in lacking)
    )
    text = {
        "en": f"{name.en} {found.met} of {found.of} met ({', '.join(word.en.lower() for word in words) or 'none'}), "
        f"{found.minimum} wanted{needed.en}: to {leg.en}",
        "ja": f"{name.ja} {found.of}項目中{found.met}項目を確認({'・'.join(word.ja for word in words) or 'なし'})、"
        f"基準は{found.minimum}項目{needed.ja}: {leg.ja}へ",
    }
    detail = {"met": met, "minimum": found.minimum, "leg": way} | ({"lacking": [*found.lacking]} if lacking else {})
    return Reason(code=found.framework, text=text, detail=detail)


def holding_reason(holding: Holding, until: Word) -> Reason:
    """Which fields a lead waits for, and until when at most."""
    fields = ", ".join(holding.fields)
    return Reason(
        code="enriching",
        text={
            "en": f"waits until it is known what {fields} is, at most until {until.en}",
            "ja": f"{fields} の判明待ち(最長 {until.ja} まで)",
        },
        detail={"fields": [*holding.fields], "until": holding.until},
    )


def nurture_reason(scenario: str, playbook: Playbook | None, *, may_email: bool) -> Reason:
    """What marketing automation goes on with."""
    name = _words(playbook.nurture.label(scenario) if playbook else Label(), scenario)
    mail = Word("may be written to", "メール可") if may_email else Word("may not be written to", "メール不可")
    text = {"en": f"scenario “{name.en}”; {mail.en}", "ja": f"シナリオ「{name.ja}」({mail.ja})"}
    return Reason(code="scenario", text=text, detail={"scenario": scenario, "may_email": may_email})
