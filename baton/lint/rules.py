"""Lists of rules as reasoning sees them: which can never hold, and which hold for nothing that an earlier one has not taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from baton.lint.boxes import ALL, boxes_of, meet, without
from baton.lint.space import Box, Space
from baton.lint.values import TooHardError
from baton.policies.documents import Place
from baton.policies.findings import Finding
from shared.schemas import conditions
from shared.schemas.conditions import Condition
from shared.schemas.vocabulary import Word

LEAD, TOUCH, EVENT = Word("lead", "リード"), Word("touch", "接点"), Word("event", "イベント")
MOST_PARTS = 300  # alternatives of one rule that are looked at one by one
_LISTS = ("in", "prefix", "suffix", "contains")

Part = tuple[Place, Mapping[str, Any]]  # one thing that a condition asks, with its place


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a list. place: of its condition;  boxes: where it holds, None where that is too hard to say"""

    id: str
    kind: str
    place: Place
    raw: Mapping[str, Any]
    condition: Condition
    boxes: Sequence[Box] | None


@dataclass(slots=True)
class Ruled:
    """Rules over one space. about: what they are rules for;  findings: that some are too hard"""

    space: Space
    about: Word
    rules: list[Rule] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: str, place: Place, rule_id: str, raw: Mapping[str, Any]) -> None:
        condition = conditions.parse(raw, self.space.kinds)
        try:
            boxes: Sequence[Box] | None = meet(boxes_of(condition, self.space), ALL, self.space)
        except TooHardError as error:
            boxes = None
            self.findings.append(skipped(kind, place, rule_id, str(error)))
        self.rules.append(Rule(rule_id, kind, place, raw, condition, boxes))

    def dead(self) -> Iterator[Finding]:
        """Rules that nothing fits, and alternatives of others that nothing does."""
        for rule in self.rules:
            if rule.boxes is None:
                continue
            parts = list(parts_of(rule.raw, rule.place))
            if not rule.boxes:
                yield self._dead_rule(rule, self._conflict(parts))
            elif len(parts) > 1 or "any" in rule.raw or "all" in rule.raw:
                for place, told, boxes in self.branches(parts):
                    if not boxes:
                        en = f"rule `{rule.id}`: no {self.about.en} ever comes here by {told}"
                        ja = f"規則`{rule.id}`: {told} に当てはまる{self.about.ja}は存在しません"
                        yield Finding(rule.kind, place, en, "dead-branch", ja)

    def _dead_rule(self, rule: Rule, conflict: Sequence[Part]) -> Finding:
        place = conflict[-1][0] if conflict else rule.place
        told = [f"`{written(raw)}`" for _, raw in conflict]
        if len(told) == 1:
            why, why_ja = f"{told[0]} is never so", f"{told[0]} は決して成り立ちません"
        else:
            why = f"{', '.join(told[:-1])} and {told[-1]} exclude each other"
            why_ja = f"{'、'.join(told)} は同時に成り立ちません"
        en = f"no {self.about.en} can fit rule `{rule.id}`: {why}"
        ja = f"規則`{rule.id}`に当てはまる{self.about.ja}は存在しません: {why_ja}"
        return Finding(rule.kind, place, en, "dead-rule", ja)

    def _conflict(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Of the parts so few that each of them is needed for the others to exclude it."""
        kept = list(parts)
        for part in parts:
            rest = [one for one in kept if one is not part]
            if not self.within(rest):
                kept = rest
        return kept

    def within(self, parts: Sequence[Part]) -> Sequence[Box]:
        """Where all of the parts hold."""
        found: Sequence[Box] = ALL
        for _, raw in parts:
            found = meet(found, boxes_of(conditions.parse(raw, self.space.kinds), self.space), self.space)
        return found

    def branches(self, parts: Sequence[Part]) -> Iterator[tuple[Place, str, Sequence[Box]]]:
        """Every alternative of a condition with its place, what it says, and where the condition holds by it."""
        for part in parts:
            rest = self.within([one for one in parts if one is not part])
            for place, told, raw in _alternatives(part):
                condition = conditions.parse(raw, self.space.kinds)
                yield place, told, meet(rest, boxes_of(condition, self.space), self.space)

    def shadowed(self, takes: Callable[[Rule], bool], leg: str | None = None) -> Iterator[Finding]:
        """Of the rules that `takes` names, in order, those that earlier ones leave nothing to, or nothing of one value."""
        left: Sequence[Box] = ALL
        earlier: list[Rule] = []
        for rule in filter(takes, self.rules):
            if not rule.boxes:
                continue
            try:
                if earlier and not meet(rule.boxes, left, self.space):
                    yield self._shadowed_rule(rule, earlier, leg)
                elif earlier:
                    yield from self._shadowed_parts(rule, earlier, left, leg)
                left = without(left, rule.boxes, self.space)
            except TooHardError as error:
                yield skipped(rule.kind, rule.place, rule.id, str(error))
                return
            earlier.append(rule)

    def left(self, takes: Callable[[Rule], bool]) -> Sequence[Box] | None:
        """What none of the rules takes; None where that is too hard to say."""
        left: Sequence[Box] = ALL
        chosen = [rule for rule in self.rules if takes(rule)]
        if any(not box for rule in chosen for box in rule.boxes or []):
            return []  # as a rule that takes all does, whatever stands before it
        for rule in chosen:
            left = without(left, rule.boxes or [], self.space)
        return None if left and any(rule.boxes is None for rule in chosen) else meet(left, ALL, self.space)

    def _shadowed_rule(self, rule: Rule, earlier: Sequence[Rule], leg: str | None) -> Finding:
        takers = self._takers(rule.boxes or [], earlier)
        names = " and ".join(f"`{taker.id}`" for taker in takers)
        where, where_ja = (f" on leg `{leg}`", f"レグ`{leg}`で") if leg else ("", "")
        verb = "take" if len(takers) > 1 else "takes"
        en = f"rule `{rule.id}` is never reached{where}: {names} {verb} all before it"
        ja = f"規則`{rule.id}`は{where_ja}使われません: 前にある{'と'.join(f'`{t.id}`' for t in takers)}がすべて先に取ります"
        return Finding(rule.kind, rule.place[:-1], en, "shadowed-rule", ja, self._taken(rule.boxes or [], rule, takers))

    def _shadowed_parts(
        self, rule: Rule, earlier: Sequence[Rule], left: Sequence[Box], leg: str | None
    ) -> Iterator[Finding]:
        for place, told, boxes in self.branches(list(parts_of(rule.raw, rule.place))):
            if boxes and not meet(boxes, left, self.space):
                takers = self._takers(boxes, earlier)
                names = " and ".join(f"`{taker.id}`" for taker in takers)
                where, where_ja = (f" on leg `{leg}`", f"レグ`{leg}`で") if leg else ("", "")
                verb = "take" if len(takers) > 1 else "takes"
                en = f"rule `{rule.id}` has nothing from {told}{where}: {names} {verb} all of it before"
                ja = f"規則`{rule.id}`の{told}は{where_ja}意味がありません: {names.replace(' and ', 'と')}がすべて先に取ります"
                yield Finding(rule.kind, place, en, "shadowed-part", ja, self._taken(boxes, rule, takers))

    def _takers(self, boxes: Sequence[Box], earlier: Sequence[Rule]) -> list[Rule]:
        """Rules that leave nothing of the boxes, each of them needed: one alone where one does."""
        near = [taker for taker in earlier if meet(boxes, taker.boxes or [], self.space)]
        for taker in near:
            if not without(boxes, taker.boxes or [], self.space):
                return [taker]
        takers, left = list[Rule](), boxes
        for taker in near:
            left = without(left, taker.boxes or [], self.space) if left else left
            takers.append(taker)
            if not left:
                break
        for taker in takers[:-1]:
            others = [one for one in takers if one is not taker]
            left = boxes
            for other in others:
                left = without(left, other.boxes or [], self.space)
            if not left:
                takers = others
        return takers

    def _taken(self, boxes: Sequence[Box], rule: Rule, takers: Sequence[Rule]) -> dict[str, Any] | None:
        """One that both the rule and an earlier one would take."""

        def proves(facts: Mapping[str, Any]) -> bool:
            return rule.condition.holds(facts) and any(taker.condition.holds(facts) for taker in takers)

        return example(boxes, self.space, proves)


def example(boxes: Sequence[Box], space: Space, proves: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any] | None:
    """Facts of a point of the boxes, no more of them than it needs to prove what is said of it; None where none does."""
    points = [point for box in boxes if (point := space.point(box)) is not None]
    found: list[dict[str, Any]] = []
    for point in points[:20]:
        facts = dict(sorted(point.items()))
        for name in list(facts):
            fewer = {other: value for other, value in facts.items() if other != name}
            if proves(fewer):
                facts = fewer
        if proves(facts):
            found.append(facts)
    return min(found, key=len, default=None)


def skipped(kind: str, place: Place, rule_id: str, why: str) -> Finding:
    en = f"rule `{rule_id}` was not compared with others: {why}"
    return Finding(kind, place, en, "check-skipped", f"規則`{rule_id}`は難しすぎるため、ほかの規則と比べていません")


def parts_of(raw: Mapping[str, Any], place: Place) -> Iterator[Part]:
    """All that has to hold together, each by itself."""
    for name, value in raw.items():
        if name == "all":
            for number, item in enumerate(value):
                yield from parts_of(item, (*place, name, number))
        elif name in ("any", "not"):
            yield (*place, name), {name: value}
        else:
            yield from (((*place, name, op), {name: {op: wanted}}) for op, wanted in value.items())


def _alternatives(part: Part) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
    """What one part lets in by itself: alternatives of `any`, values of a list."""
    place, raw = part
    ((name, value),) = raw.items()
    if name == "any":
        for number, item in enumerate(value[:MOST_PARTS]):
            yield (*place, number), f"`{written(item)}`", item
    elif name != "not":
        ((op, wanted),) = value.items()
        if op in _LISTS and isinstance(wanted, list) and len(wanted) > 1:
            for number, one in enumerate(wanted[:MOST_PARTS]):
                yield (*place, number), f"`{name}: {one}`", {name: {op: [one]}}


def written(raw: Mapping[str, Any]) -> str:
    """A condition in one short line."""
    told = []
    for name, value in raw.items():
        if name in ("all", "any"):
            told.append(f"{name}: [{', '.join('{' + written(item) + '}' for item in value)}]")
        elif name == "not":
            told.append(f"not: {{{written(value)}}}")
        else:
            told.append(f"{name}: {{{', '.join(f'{op}: {_plain(wanted)}' for op, wanted in value.items())}}}")
    text = ", ".join(told)
    return text if len(text) <= 80 else text[:79] + "…"


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
