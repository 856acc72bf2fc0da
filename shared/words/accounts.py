"""A company's score in words: one sentence, and what each part of it is. From an `AccountScored` alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared.schemas.scores import AccountScored, ScorePart
from shared.schemas.vocabulary import BUYING_ROLES, DEPARTMENTS, Word, Words
from shared.words.scores import Text, points, rounded

BANDS: Mapping[int, Word] = {
    1: Word("Very active account", "非常に活発な取引先"),
    2: Word("Active account", "活発な取引先"),
    3: Word("Somewhat active account", "やや活発な取引先"),
    4: Word("Hardly active account", "動きの少ない取引先"),
}


def summary(scored: AccountScored) -> Text:
    """Who there is, who of them did something lately, and what they stand for."""
    if not scored.people:
        return {"en": "Nobody belongs to this account any more.", "ja": "現在、この取引先に属する人はいません。"}
    band, worth = BANDS[scored.band], rounded(scored.score.total)
    return {
        "en": f"{band.en} (band {scored.band}, {worth} points): {_people_en(scored)}{_stand_for_en(scored)}.",
        "ja": f"{band.ja}(バンド{scored.band}、{worth}点)です。{_people_ja(scored)}{_stand_for_ja(scored)}",
    }


def _people_en(scored: AccountScored) -> str:
    known = "one person is known" if scored.people == 1 else f"{scored.people} people are known"
    if not scored.active:
        return f"{known}, nobody was active lately"
    if scored.people == 1:
        return f"{known}, and was active lately"
    who = "all" if scored.active == scored.people else str(scored.active)
    return f"{known}, {who} of them {'was' if who == '1' else 'were'} active lately"


def _people_ja(scored: AccountScored) -> str:
    if not scored.active:
        return f"把握している{scored.people}人に、最近の動きはありません。"
    return f"把握している{scored.people}人のうち{scored.active}人に最近動きがあります。"


def _stand_for_en(scored: AccountScored) -> str:
    roles = (
        f"; buying roles: {named(scored.roles, BUYING_ROLES, 'en')}" if scored.roles else "; no buying role is known"
    )
    departments = f"; departments: {named(scored.departments, DEPARTMENTS, 'en')}" if scored.departments else ""
    return roles + departments + ("; far more is going on than usual" if scored.surging else "")


def _stand_for_ja(scored: AccountScored) -> str:
    known = [f"購買での役割は{named(scored.roles, BUYING_ROLES, 'ja')}"] if scored.roles else ["購買での役割は不明"]
    known += [f"部署は{named(scored.departments, DEPARTMENTS, 'ja')}"] if scored.departments else []
    return f"{'、'.join(known)}です。{'活動が急増しています。' if scored.surging else ''}"


def part(one: ScorePart) -> Text:
    """What a part gave, for how many, and what its caps cut."""
    en, ja = (one.label.get(language) or one.rule_id for language in ("en", "ja"))
    own, of_all = one.cut - one.cut_total, one.cut_total
    cuts = [(own, "its cap", "この項目の上限"), (of_all, "the cap of all", "合計の上限")]
    cut_en = ", ".join(f"{name} cut {points(cut)}" for cut, name, _ in cuts if cut)
    cut_ja = "、".join(f"{name}により{points(cut)}点" for cut, _, name in cuts if cut)
    counted = one.rule_id != "surge"
    return {
        "en": f"{en}{f', {one.times}' if counted else ''}: {points(one.kept, signed=True)}"
        + (f" (of {points(one.given)}: {cut_en})" if one.cut else ""),
        "ja": f"{ja}{f'({one.times})' if counted else ''}: {points(one.kept, signed=True)}点"
        + (f"({points(one.given)}点のうち{cut_ja}を切り捨て)" if one.cut else ""),
    }


def named(ids: Sequence[str], words: Words, language: str) -> str:
    return ("・" if language == "ja" else ", ").join(name(one, words, language) for one in ids)


def name(one: str, words: Words, language: str) -> str:
    """The label of an id, or the id where it has none."""
    word = words.get(one)
    return one if word is None else word.ja if language == "ja" else word.en
