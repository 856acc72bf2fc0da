"""Scoring that does what its author thinks: rules that can hold, regions that apply, thresholds that can be reached."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from baton.lint import universe
from baton.lint.boxes import ALL, boxes_of, meet
from baton.lint.reach import most_engagement, most_fit
from baton.lint.rules import LEAD, TOUCH, Ruled
from baton.lint.space import Box, Space
from baton.lint.values import TooHardError
from baton.policies.documents import Place
from baton.policies.findings import Check, Finding, Policies
from baton.policies.scoring_checks import behaviour_rules, fit_rules
from shared.schemas import conditions
from shared.schemas.catalogue import FIT_FIELDS
from shared.schemas.policies import FitRule, ScoringPolicy
from shared.schemas.policies.qualification import Cells
from shared.schemas.policies.scoring import Overlay


def _behaviour(policies: Policies) -> Iterator[Finding]:
    """Some touch fits every rule."""
    ruled = Ruled(universe.touches(policies), TOUCH)
    for place, rule in behaviour_rules(policies.scoring):
        ruled.add("scoring", (*place, "when"), rule.id, rule.when)
    yield from ruled.findings
    yield from ruled.dead()


def _fit(policies: Policies) -> Iterator[Finding]:
    """Some lead fits every rule and overlay, and no overlay takes all leads of a later one."""
    space = universe.attributes(policies)
    ruled, regions = Ruled(space, LEAD), Ruled(space, LEAD)
    for place, rule in fit_rules(policies.scoring):
        ruled.add("scoring", (*place, "when"), rule.id, rule.when)
    for index, overlay in enumerate(policies.scoring.overlays):
        regions.add("scoring", ("overlays", index, "when"), overlay.id, overlay.when)
    if policies.scoring.internal is not None:
        ruled.add("scoring", ("internal",), "internal", policies.scoring.internal)
    for each in (ruled, regions):
        yield from each.findings
        yield from each.dead()
    yield from regions.shadowed(lambda _: True)


def _cut(policies: Policies) -> Iterator[Finding]:
    """No cap takes all that a rule gives."""
    policy = policies.scoring
    for place, behaviour in behaviour_rules(policy):
        caps = {f"groups.{behaviour.group}": policy.engagement.groups.get(behaviour.group, 1)}
        yield from _nothing_left(behaviour.id, behaviour.points, caps | {"cap": policy.engagement.cap}, place)
    for place, fit in fit_rules(policy):
        yield from _nothing_left(fit.id, fit.points, {"cap": policy.fit.cap}, place)


def _nothing_left(rule_id: str, points: float, caps: dict[str, float], place: Place) -> Iterator[Finding]:
    name = next((name for name, cap in caps.items() if cap <= 0), None)
    if points > 0 and name is not None:
        en = f"rule `{rule_id}` gives {points:g} points that never count: `{name}` is {caps[name]:g}"
        ja = f"規則`{rule_id}`の{points:g}点は数えられません: `{name}`が{caps[name]:g}です"
        yield Finding("scoring", (*place, "points"), en, "points-cut", ja)


def _thresholds(policies: Policies) -> Iterator[Finding]:
    """Bands and letters can be reached, and grades that the gate names."""
    policy = policies.scoring
    bands, letters = unreachable_bands(policies), unreachable_letters(policies)
    for band, most in bands.items():
        least = policy.engagement.bands[band - 1]
        en = f"no lead reaches band {band}, which begins at {least:g}: rules and caps give {most:g} at most"
        ja = f"バンド{band}({least:g}点以上)に届くリードはありません: 規則と上限で最大{most:g}点です"
        yield Finding("scoring", ("engagement", "bands", band - 1), en, "band-unreachable", ja)
    for letter, (least, most) in letters.items():
        en = f"no lead reaches fit {letter}, which begins at {least:g}: rules and cap give {most:g} at most"
        ja = f"属性評価{letter}({least:g}点以上)に届くリードはありません: 規則と上限で最大{most:g}点です"
        yield Finding("scoring", ("fit", "grades", "ABC".index(letter)), en, "letter-unreachable", ja)
    yield from _account_bands(policy)
    yield from _gate_grades(policies, bands, letters)


def _gate_grades(policies: Policies, bands: Collection[int], letters: Collection[str]) -> Iterator[Finding]:
    """What the gate of all and that of each segment ask for can be. bands, letters: that no lead reaches"""
    gate = policies.qualification.gate
    cells: list[tuple[Place, Cells]] = [(("gate",), gate)]
    cells += [(("gate", "segments", number), one) for number, one in enumerate(gate.segments)]
    for base, one in cells:
        for name, grades in (("mql", one.mql), ("inside_sales_check", one.inside_sales_check)):
            for number, grade in enumerate(grades):
                if grade[0] in letters or int(grade[1]) in bands:
                    en, ja = (
                        f"no lead has the grade `{grade}`: it is out of reach",
                        f"評価`{grade}`になるリードはありません",
                    )
                    yield Finding("qualification", (*base, name, number), en, "gate-unreachable", ja)
        for name, what, what_ja in (
            ("hand_raise_minimum_fit", "hand-raise", "手挙げ"),
            ("minimum_fit", "grade", "評価"),
        ):
            if (fit := getattr(one, name)) < min({*"ABCD"} - {*letters}):
                en = f"no {what} makes an MQL: no lead reaches fit {fit}"
                ja = f"{what_ja}でMQLになることはありません: 属性評価{fit}に届くリードがありません"
                yield Finding("qualification", (*base, name), en, "gate-unreachable", ja)
        for number, touch_type in enumerate(one.hand_raises or ()):
            if touch_type not in policies.scoring.hand_raises:
                en = f"`{touch_type}` never makes an MQL: scoring does not call it a hand-raise"
                ja = f"`{touch_type}`でMQLになることはありません: 採点では手挙げとされていません"
                yield Finding("qualification", (*base, "hand_raises", number), en, "gate-unreachable", ja)


def unreachable_bands(policies: Policies) -> dict[int, float]:
    """Bands of engagement that no lead reaches in any region, each with the most that a lead can have."""
    policy = policies.scoring.engagement
    most = most_engagement(policy, (rule for _, rule in behaviour_rules(policies.scoring)))
    return {number: most for number, least in enumerate(policy.bands, 1) if least > most}


def unreachable_letters(policies: Policies) -> dict[str, tuple[float, float]]:
    """Letters of fit that no lead reaches in any region: from where on they are given, and the most that a lead can have."""
    policy, space = policies.scoring, universe.attributes(policies)
    enough = max(policy.fit.grades)
    most = 0.0
    try:
        for overlay in (None, *policy.overlays):
            rules = _in_region(policy, overlay)
            region = ALL if overlay is None else _where(overlay.when, space)
            where = {rule.id: meet(region, _where(rule.when, space), space) for rule in rules}
            found = most_fit(rules, where, space, enough)
            if found is None:
                return {}
            most = max(most, found)
    except TooHardError:
        return {}
    most = min(most, max(policy.fit.cap, 0))
    return {letter: (least, most) for letter, least in zip("ABC", policy.fit.grades, strict=True) if least > most}


def _where(raw: Mapping[str, object], space: Space) -> Sequence[Box]:
    return boxes_of(conditions.parse(raw, FIT_FIELDS), space)


def _in_region(policy: ScoringPolicy, overlay: Overlay | None) -> list[FitRule]:
    rules = {rule.id: rule for rule in policy.fit.rules}
    if overlay is not None:
        rules |= {rule.id: rule for rule in overlay.fit}
        rules = {name: rule for name, rule in rules.items() if name not in overlay.off}
    return list(rules.values())


def _account_bands(policy: ScoringPolicy) -> Iterator[Finding]:
    account = policy.account
    parts = (
        account.persons if account.person else 0,
        account.roles if account.role else 0,
        account.departments if account.department else 0,
        account.depths if account.depth and account.deepest else 0,
        account.surge,
    )
    most = min(account.cap, sum(parts))
    for band, least in enumerate(account.bands, 1):
        if least > most:
            en = f"no account reaches band {band}, which begins at {least:g}: its parts and caps give {most:g} at most"
            ja = f"取引先のバンド{band}({least:g}点以上)には届きません: 上限により最大{most:g}点です"
            yield Finding("scoring", ("account", "bands", band - 1), en, "band-unreachable", ja)


SCORING_CHECKS: tuple[Check, ...] = (_behaviour, _fit, _cut, _thresholds)
