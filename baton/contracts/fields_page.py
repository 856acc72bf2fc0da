"""docs/fields.md: what may stand in a `when`, from the catalogue of fields, the vocabulary and the models of policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from baton.policies.word_checks import CLOSED
from shared.schemas import accounts, catalogue
from shared.schemas import vocabulary as words
from shared.schemas.conditions import OPERATORS
from shared.schemas.policies import KINDS
from shared.schemas.policies.base import Over
from shared.schemas.policies.lifecycle import IN_PIPELINE
from shared.schemas.vocabulary import Word, Words
from shared.words.fields import FIELDS, JOINTS
from shared.words.fields import OPERATORS as MEANINGS


class Place(NamedTuple):
    """What conditions over one catalogue ask about, and a condition that can stand there."""

    catalogue: Mapping[str, type]
    words: Word
    example: str


PLACES: Mapping[str, Place] = {
    "touches": Place(
        catalogue.BEHAVIOUR_FIELDS, Word("what a lead did", "リードの行動"), "{touch.type: {eq: demo_requested}}"
    ),
    "fit": Place(catalogue.FIT_FIELDS, Word("who a lead is", "リードの属性"), "{lead.level: {in: [head, executive]}}"),
    "gate": Place(catalogue.GATE_FIELDS, Word("is it ripe", "成熟度の判定"), "{score.fit_grade: {in: [A, B]}}"),
    "nurture": Place(catalogue.NURTURE_FIELDS, Word("what marketing does with it", "育成"), "{lead.ended: {eq: lost}}"),
    "routing": Place(catalogue.ROUTING_FIELDS, Word("who gets it", "振り分け"), "{lead.language: {in: [ja, en]}}"),
    "stages": Place(
        catalogue.LIFECYCLE_FIELDS, Word("when it moves on", "ステージの移行"), "{gate.verdict: {eq: mql}}"
    ),
    "events": Place(
        catalogue.MAPPING_FIELDS,
        Word("what a sender sent, before it is a touch", "タッチになる前の受信イベント"),
        "{event.name: {eq: Demo Requested}}",
    ),
}
# All of them can stand where `routing` can.
EXAMPLES: Mapping[str, str] = {
    "eq": "{lead.country: {eq: JP}}",
    "ne": "{lead.kind: {ne: competitor}}",
    "in": "{lead.level: {in: [head, executive]}}",
    "not_in": "{lead.kind: {not_in: [student, supplier]}}",
    "gte": "{lead.employees: {gte: 300}}",
    "gt": "{score.fit: {gt: 40}}",
    "lte": "{time.hour: {lte: 17}}",
    "lt": "{lead.employees: {gte: 100, lt: 1000}}",
    "exists": "{account.owner: {exists: true}}",
    "prefix": "{lead.postcode: {prefix: ['10', '15']}}",
    "suffix": "{lead.domain: {suffix: .co.jp}}",
    "contains": "{lead.company: {contains: 製作所}}",
    "all": "{all: [{lead.country: {eq: JP}}, {lead.employees: {gte: 300}}]}",
    "any": "{any: [{lead.department: {eq: it}}, {lead.department: {eq: dx}}]}",
    "not": "{not: {lead.country: {eq: JP}}}",
}
# Whose values are told with their names, and for which fields.
LISTS: Sequence[tuple[Word, Words, tuple[str, ...]]] = (
    (Word("Touch types", "タッチ種別"), words.TOUCH_TYPES, ("touch.type",)),
    (
        Word("Lead sources", "リードソース"),
        words.LEAD_SOURCES,
        ("touch.channel", "lead.first_source", "lead.last_source"),
    ),
    (Word("Levels", "役職"), words.LEVELS, ("lead.level",)),
    (Word("Departments", "部署"), words.DEPARTMENTS, ("lead.department",)),
    (Word("Company sizes", "企業規模"), words.SIZE_BANDS, ("lead.size_band",)),
    (Word("Industries", "業種"), words.INDUSTRIES, ("lead.industry",)),
    (Word("Kinds of contacts", "リードの区分"), words.LEAD_KINDS, ("lead.kind",)),
    (Word("Kinds of accounts", "取引先の区分"), accounts.KIND_WORDS, ("account.kind",)),
)
# Fields whose values the tenant's own policies name: where they do, and what holds besides.
OWN: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "source.id": ("sources", ("sources[].id",), ()),
    "score.hand_raise": ("scoring", ("hand_raises[]",), ()),
    "lead.class": ("sla", ("classes[].id", "default.id"), ()),
    "lead.stage": ("lifecycle", ("stages[].id",), ()),
    "lead.given_back_for": ("routing", ("decline_reasons[].code",), ()),
    "opportunity.stage": ("pipeline", ("types[].stages[].id",), ("offered", "accepted", *IN_PIPELINE, "won", "lost")),
}
SAMPLES: Mapping[str, str] = {
    "lead.country": "JP",
    "lead.language": "ja",
    "lead.corporate_number": "7000012050002",
    "lead.region": "東京都",
    "lead.domain": "firm.example",
    "touch.path": "/pricing",
    "event.path": "/pricing",
}
_TYPES: Mapping[type, Word] = {
    str: Word("text", "文字列"),
    int: Word("whole number", "整数"),
    bool: Word("`true`, `false`", ""),
    object: Word("text, number, `true`, `false`", "文字列・数値・真偽値"),
}
_UNNAMED = Word("", "")  # a test asks for the words of a field that is new
_GROUPS: Mapping[str, Word] = {
    "touch": Word("What a lead did", "リードの行動"),
    "source": Word("By which source it came", "受信したソース"),
    "lead": Word("The lead", "リード"),
    "score": Word("Its score", "スコア"),
    "bant": Word("BANT", "BANT"),
    "framework": Word("The framework of `qualification.yaml`", "`qualification.yaml`の見極め基準"),
    "account": Word("Its account", "取引先"),
    "time": Word("When it is decided on", "判定の日時"),
    "gate": Word("The gate", "ゲート"),
    "offer": Word("The offer", "打診"),
    "opportunity": Word("The deal", "商談"),
    "event": Word("What a sender sent", "受信イベント"),
}
_HEAD = """# What may stand in `when` / `when`に書けるもの

<!-- generated by `python -m baton.contracts` from shared/schemas/catalogue.py, vocabulary.py and shared/words; do not edit -->

A condition is `{field: {operator: value}}`. Several fields are joined by *and*; `when: {}` always holds. Text is compared without
case. What is not known (the field is absent) satisfies `ne`, `not_in` and `exists: false`, and no other operator. A code of
digits is text: write `'1'`, not `1`. A misspelt name is found before a policy comes into force: `baton policy lint`.

条件は `{項目: {演算子: 値}}` と書きます。項目を並べると「かつ」、`when: {}` は常に成立します。
文字列の大文字・小文字は区別しません。値が不明(項目がない)のときに成立する演算子は `ne`、`not_in`、`exists: false` だけです。
数字だけのコードは文字列なので、`1` ではなく `'1'` と書きます。書き間違いはポリシーの適用前に `baton policy lint` で見つかります。

[Where / 書く場所](#where) · [Operators / 演算子](#operators) · [Fields / 項目](#fields) ·
[Touch types / タッチ種別](#touch-types) · [Values / 値](#values)
"""


def fields_page() -> str:
    """The page, in Markdown."""
    return "".join((_HEAD, *_where(), *_operators(), *_fields(), *_values()))


def places() -> dict[str, list[tuple[str, str]]]:
    """Where conditions stand in policies, as the models say: short name of the catalogue -> kind and path."""
    found: dict[str, list[tuple[str, str]]] = {name: [] for name in PLACES}
    for kind, model in KINDS.items():
        for path, fields in _conditions(model, ""):
            found[next(name for name, place in PLACES.items() if place.catalogue is fields)].append((kind, path))
    return found


def _conditions(model: type[BaseModel], path: str) -> Iterator[tuple[str, Mapping[str, type]]]:
    for name, field in model.model_fields.items():
        yield from _within(field.annotation, field.metadata, f"{path}.{name}".removeprefix("."))


def _within(kind: Any, metadata: Sequence[Any], path: str) -> Iterator[tuple[str, Mapping[str, type]]]:
    over = next((mark for mark in metadata if isinstance(mark, Over)), None)
    arguments = get_args(kind)
    if over:
        yield path, over.catalogue
    elif get_origin(kind) is Annotated:
        yield from _within(arguments[0], arguments[1:], path)
    elif get_origin(kind) in (Union, UnionType):
        for one in arguments:
            yield from _within(one, (), path)
    elif get_origin(kind) is tuple:
        yield from _within(arguments[0], (), f"{path}[]")
    elif arguments:
        yield from _within(arguments[-1], (), f"{path}.*")
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from _conditions(kind, path)


def _heading(anchor: str, told: Word, marks: str = "##", before: str = "") -> str:
    """The anchor is the page's own: that of a heading in two languages differs from reader to reader."""
    name = told.en if told.en == told.ja else f"{told.en} / {told.ja}"
    return f'\n<a id="{anchor}"></a>\n\n{marks} {before}{name}\n\n'


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _table(*names: str) -> str:
    return _row(*names) + "|---" * len(names) + "|\n"


def _where() -> Iterator[str]:
    yield _heading("where", Word("Where", "書く場所"))
    yield _table("conditions 条件", "English", "日本語", "file ファイル", "place 場所", "example 例")
    for name, found in places().items():
        place = PLACES[name]
        for number, kind in enumerate(dict.fromkeys(kind for kind, _ in found)):
            paths = ", ".join(f"`{path}`" for other, path in found if other == kind)
            told = (name, *place.words) if not number else ("", "", "")
            yield _row(*told, f"`{kind}.yaml`", paths, f"`{place.example}`" if not number else "")


def _operators() -> Iterator[str]:
    yield _heading("operators", Word("Operators", "演算子"))
    yield _table("operator 演算子", "English", "日本語", "for 対象", "example 例")
    order, text = ("gte", "gt", "lte", "lt"), ("prefix", "suffix", "contains")
    for name in OPERATORS:
        of = "number 数値" if name in order else "text 文字列" if name in text else "all すべて"
        yield _row(f"`{name}`", *MEANINGS[name], of, f"`{EXAMPLES[name]}`")
    for name, told in JOINTS.items():
        yield _row(f"`{name}`", *told, "conditions 条件", f"`{EXAMPLES[name]}`")
    yield "\n`prefix`, `suffix` and `contains` take a list as well: one of it is enough. "
    yield "一覧も書けます(いずれか一つに一致すれば成立)。\n"


def _fields() -> Iterator[str]:
    yield _heading("fields", Word("Fields", "項目"))
    yield "The last column names the files whose conditions may use a field, and which of them where not all may.\n"
    yield "最後の列は、その項目を使えるファイルです(一部の条件に限る場合は括弧内に示します)。\n"
    known = {name: kind for place in PLACES.values() for name, kind in place.catalogue.items()}
    for prefix, told in _GROUPS.items():
        yield _heading(f"fields-{prefix}", told, "###", f"`{prefix}.*` ")
        yield _table("field 項目", "English", "日本語", "values 値", "used in 使える場所")
        for name, kind in known.items():
            if name.startswith(f"{prefix}."):
                yield _row(f"`{name}`", *FIELDS.get(name, _UNNAMED), _allowed(name, kind), _used_in(name))


def _allowed(name: str, kind: type) -> str:
    for told, _, fields in LISTS:
        if name in fields:
            return f"[{told.en} / {told.ja}](#{_anchor(told)})"
    if name in CLOSED:
        return " ".join(f"`{_written(value)}`" for value in CLOSED[name])
    if name in OWN:
        policy, paths, besides = OWN[name]
        return f"`{policy}.yaml`: {', '.join(f'`{path}`' for path in paths)}" + "".join(
            f" `{code}`" for code in besides
        )
    told = _TYPES[kind]
    sample = f": `{_written(SAMPLES[name])}`" if name in SAMPLES else ""
    return f"{told.en} {told.ja}".strip() + sample


def _written(value: str) -> str:
    return f"'{value}'" if value.isdigit() else value


def _used_in(name: str) -> str:
    kinds: dict[str, set[str]] = {}
    for short, found in places().items():
        for kind, _ in found:
            kinds.setdefault(kind, set()).add(short)
    told = []
    for kind, shorts in kinds.items():
        able = [short for short in PLACES if short in shorts and name in PLACES[short].catalogue]
        if able:
            told.append(kind if len(able) == len(shorts) else f"{kind} ({', '.join(able)})")
    return ", ".join(told)


def _anchor(told: Word) -> str:
    return told.en.lower().replace(" ", "-")


def _values() -> Iterator[str]:
    for number, (told, listed, fields) in enumerate(LISTS):
        if number == 1:
            yield _heading("values", Word("Values", "値"))
        yield _heading(_anchor(told), told, "##" if not number else "###")
        yield f"{', '.join(f'`{name}`' for name in fields)}\n\n" + _table("code コード", "English", "日本語")
        yield from (_row(f"`{code}`", *word) for code, word in listed.items())
