"""A score in words: one sentence, at most three reasons, what was cut, and what would raise it. From a `LeadScored` alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.schemas.scores import Better, LeadScored, PartialScore, ScorePart, Suggestion
from shared.schemas.vocabulary import TOUCH_TYPES, Word
from shared.words.fields import FIT

Text = dict[str, str]  # by language: en, ja

MOST_REASONS = 3

TEMPERATURES: Mapping[str, Word] = {
    "hot": Word("hot", "ホット"),
    "warm": Word("warm", "ウォーム"),
    "cold": Word("cold", "コールド"),
}
TRENDS: Mapping[str, Word] = {
    "rising": Word("rising", "上昇中"),
    "steady": Word("steady", "横ばい"),
    "falling": Word("falling", "下降中"),
}
CAUSES: Mapping[str, Word] = {
    "input": Word("news of the lead", "新しい情報の受信"),
    "time": Word("time alone", "時間の経過のみ"),
    "policy": Word("a new scoring policy", "スコアリングポリシーの変更"),
}

_FIT: Mapping[str, Word] = {
    "A": Word("fits very well", "適合度が非常に高く({points}点)"),
    "B": Word("fits well", "適合度が高く({points}点)"),
    "C": Word("fits in part", "適合度は中程度({points}点)で"),
    "D": Word("hardly fits", "適合度は低く({points}点)"),
}
_INTEREST: Mapping[str, str] = {
    "1": "is very interested",
    "2": "is interested",
    "3": "is somewhat interested",
    "4": "shows hardly any interest",
}
_INTEREST_JA: Mapping[str, tuple[str, str]] = {  # after a fit that is no better or worse, and after one that is
    "1": ("関心度も非常に高い", "関心度は非常に高い"),
    "2": ("関心度も高い", "関心度は高い"),
    "3": ("一定の関心も見られる", "一定の関心が見られる"),
    "4": ("関心度も低い", "関心度は低い"),
}
_ALIKE = frozenset(("A1", "A2", "B1", "B2", "A3", "B3", "D4"))
_TREND: Mapping[str, Word] = {
    "rising": Word(", more so lately", "で、最近の反応は増えています"),
    "steady": Word("", "です"),
    "falling": Word(", less so lately", "で、最近の反応は減っています"),
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a rep has to know at a glance."""

    sentence: Text
    reasons: tuple[Text, ...]


def summary(score: LeadScored) -> Summary:
    """In one sentence, and why: the hand-raise first, then what weighs most, of both sides where both have something."""
    silent = score.merged_into is not None or score.internal
    return Summary(_sentence(score), () if silent else tuple(_reasons(score)))


def _sentence(score: LeadScored) -> Text:
    if score.merged_into:
        return {
            "en": f"Became part of lead {score.merged_into}.",
            "ja": f"リード {score.merged_into} に統合されました。",
        }
    if score.internal:
        return {
            "en": "One of our own: kept, scored 0, never routed.",
            "ja": "社内の関係者のため、スコアと振り分けの対象外です。",
        }
    if score.is_test:
        return {"en": "Only tests so far: never routed.", "ja": "テスト送信のみのため、振り分けの対象外です。"}
    if score.fit.total < 0:
        fit = points(score.fit.total)
        return {
            "en": f"Probably not one to sell to: fit is {fit} points.",
            "ja": f"適合度がマイナス({fit}点)で、営業対象外の可能性が高いリードです。",
        }
    if not (score.fit.parts or score.engagement.parts or score.fit.total or score.engagement.total):
        return {
            "en": "Nothing is known yet that gives points.",
            "ja": "スコアの対象となる情報はまだありません。",
        }
    return _normal(score)


def _normal(score: LeadScored) -> Text:
    letter, band = score.grade[0], score.grade[1]
    temperature, trend = TEMPERATURES[score.temperature], _TREND[score.trend]
    fit, engagement = rounded(score.fit.total), rounded(score.engagement.total)
    alike = _INTEREST_JA[band][0 if score.grade in _ALIKE else 1]
    return {
        "en": f"{temperature.en.capitalize()} lead, {score.grade}: {_FIT[letter].en} ({_counted(fit)})"
        f" and {_INTEREST[band]} ({_counted(engagement)}){trend.en}.",
        "ja": f"{_FIT[letter].ja.format(points=fit)}、{alike}({engagement}点){temperature.ja}リード({score.grade}){trend.ja}。",
    }


def _reasons(score: LeadScored) -> Iterator[Text]:
    fit = [part for part in score.fit.parts if part.kept]
    engagement = [part for part in score.engagement.parts if part.kept]
    raised = score.hand_raise
    # The part whose last touch is the hand-raise is the one that it gave points to.
    asked = [part for part in engagement if raised and part.last_at == raised.at]
    left = MOST_REASONS
    if raised and (asked or score.temperature == "hot"):
        yield _raised(raised.type, sum(part.kept for part in asked))
        left -= 1
    others = [part for part in engagement if part not in asked]
    sides = [max(side, key=_weight) for side in (fit, others) if side and (side is fit or not asked)]
    rest = sorted((part for part in (*fit, *others) if part not in sides), key=_weight, reverse=True)
    for part in sorted([*sides, *rest[: max(0, left - len(sides))]][:left], key=_weight, reverse=True):
        yield _reason(part)


def _weight(part: ScorePart) -> tuple[int, str]:
    return abs(part.kept), part.rule_id


def _raised(touch_type: str, kept: int) -> Text:
    name = TOUCH_TYPES.get(touch_type, Word(touch_type, touch_type))
    given = rounded(kept, signed=True)
    return {
        "en": f"{name.en} (hand-raise)" + (f": {_counted(given)}" if kept else ""),
        "ja": f"{name.ja}(手挙げ)" + (f": {given}点" if kept else ""),
    }


def _reason(part: ScorePart) -> Text:
    given, more = rounded(part.kept, signed=True), part.times > 1
    return {
        "en": f"{_label(part, 'en')}{f', {part.times} times' if more else ''}: {_counted(given)}",
        "ja": f"{_label(part, 'ja')}{f'({part.times}回)' if more else ''}: {given}点",
    }


@dataclass(frozen=True, slots=True)
class Caps:
    """The caps that cut something, milli-points: of all, and by group. What was cut tells them: what is left is the cap."""

    total: int | None
    groups: Mapping[str, int]


def caps(score: PartialScore) -> Caps:
    before: Counter[str] = Counter()  # by group, what it was worth before the cap of all
    cut: Counter[str] = Counter()
    for part in score.parts:
        if part.group is not None:
            before[part.group] += part.kept + part.cut_total
            cut[part.group] += part.cut - part.cut_total
    return Caps(
        score.total if any(part.cut_total for part in score.parts) else None,
        {group: before[group] for group, points in cut.items() if points},
    )


def cut(part: ScorePart, found: Caps) -> Text | None:
    """What was cut of a part's points, and by which cap; None where nothing was. found: `caps` of its side"""
    if not part.cut:
        return None
    given, kept, by_group = points(part.given), points(part.kept), part.cut - part.cut_total
    en, ja = [], []
    if by_group:
        cap = points(found.groups.get(part.group or "", 0))
        en.append(f"the cap of {cap} for group {part.group} cut {points(by_group)}")
        ja.append(f"グループ「{part.group}」の上限{cap}点により{points(by_group)}点")
    if part.cut_total:
        cap = points(found.total or 0)
        en.append(f"the cap of {cap} for all cut {points(part.cut_total)}")
        ja.append(f"合計の上限{cap}点により{points(part.cut_total)}点")
    return {
        "en": f"of {given} given {kept} kept: {', '.join(en)}",
        "ja": f"{given}点のうち{kept}点を加算、{'、'.join(ja)}を切り捨て",
    }


def better(one: Better) -> Text:
    """What would reach the better grade."""
    known = [found for found in one.by if found.attribute]
    if known:
        return {
            "en": f"{one.grade} if known: {_and_en([_known(found, 'en') for found in known])}",
            "ja": f"{'と'.join(_known(found, 'ja') for found in known)}が確認できれば {one.grade}",
        }
    by = Counter(found.rule_id for found in one.by)
    first = {found.rule_id: found for found in reversed(one.by)}
    gained = {rule: sum(found.points for found in one.by if found.rule_id == rule) for rule in by}
    return {
        "en": f"{one.grade} with {_and_en([_touch_en(first[rule], by[rule], gained[rule]) for rule in by])}",
        "ja": f"{'と'.join(_touch_ja(first[rule], by[rule], gained[rule]) for rule in by)}があれば {one.grade}",
    }


def _known(found: Suggestion, language: str) -> str:
    name = found.attribute or ""
    field = FIT.get(name, Word(name.removeprefix("lead."), name.removeprefix("lead.")))
    more = rounded(found.points, signed=True)
    if language == "ja":
        return f"{field.ja}(「{_label(found, 'ja')}」なら{more}点)"
    return f"{field.en} (“{_label(found, 'en')}” is {_counted(more)})"


def _touch_en(found: Suggestion, times: int, gained: int) -> str:
    often = f", {times} times" if times > 1 else ""
    return f"“{_label(found, 'en')}”{often} ({_counted(rounded(gained, signed=True))})"


def _touch_ja(found: Suggestion, times: int, gained: int) -> str:
    return f"「{_label(found, 'ja')}」{f'{times}回' if times > 1 else ''}({rounded(gained, signed=True)}点)"


def _and_en(items: Sequence[str]) -> str:
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def _label(named: ScorePart | Suggestion, language: str) -> str:
    """In the language asked for, else in another, else the rule's id."""
    return named.label.get(language) or next(iter(named.label.values()), named.rule_id)


def points(milli: int, *, signed: bool = False) -> str:
    """Points to the last digit."""
    return _written(f"{abs(milli) / 1000:.3f}", milli, signed=signed)


def rounded(milli: int, *, signed: bool = False) -> str:
    """Points as they are said: to a tenth."""
    return _written(f"{abs(milli) / 1000:.1f}", milli, signed=signed)


def _written(digits: str, milli: int, *, signed: bool) -> str:
    number = digits.rstrip("0").rstrip(".")
    return f"{'−' if milli < 0 and number != '0' else '+' if signed else ''}{number}"


def _counted(number: str) -> str:
    return f"{number} point" if number.lstrip("+−") == "1" else f"{number} points"
