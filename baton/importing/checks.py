"""Whether a mapping fits the file, the policy and the vocabulary: told with the mapping's line and the nearest valid name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from baton.importing.mapping import RANKS, Columns, Fields, Mapping
from baton.importing.rules import Rules
from baton.importing.table import OURS, Table, fold_header
from baton.policies.documents import Document, Place, load
from baton.policies.models import validate
from baton.policies.problems import FIELDS_PAGE, PolicyErrors, Problem, suggest
from shared.schemas.vocabulary import LEAD_SOURCES, TOUCH_TYPES


@dataclass(frozen=True, slots=True)
class Read:
    """A mapping that is good for itself, with its lines."""

    mapping: Mapping
    document: Document

    def problem(self, place: Place, message: str) -> Problem:
        return Problem(self.document.file, self.document.line(place), message)


def read(path: Path) -> Read:
    """The mapping in `path`. Raises PolicyErrors with everything that is wrong with it."""
    document, problems = load(path, str(path))
    if document is None:
        raise PolicyErrors(problems)
    if not isinstance(document.content, dict):
        raise PolicyErrors([Problem(str(path), 1, "a mapping has fields such as `event`, `campaign` and `fields`")])
    mapping, problems = validate(document, Mapping)
    if mapping is None:
        raise PolicyErrors(sorted(problems, key=lambda problem: problem.line or 0))
    return Read(mapping, document)


def check(read: Read, table: Table, rules: Rules) -> list[Problem]:
    """What should be looked at. Raises PolicyErrors with what must be mended before any row can be read."""
    wrong = [*_columns(read, table), *_words(read), *_policy(read, rules)]
    if wrong:
        raise PolicyErrors(sorted(wrong, key=lambda problem: problem.line or 0))
    return [*_unread(read, rules)]


def unused(read: Read, table: Table) -> list[str]:
    """Columns of the file that the mapping neither names nor ignores."""
    named = {fold_header(name) for _, column in read.mapping.named_columns() for name in column.columns}
    named |= {fold_header(name) for name in read.mapping.ignore}
    return [name for name in table.columns if name and fold_header(name) not in named and not name.startswith(OURS)]


def _columns(read: Read, table: Table) -> Iterator[Problem]:
    """The file has what the mapping names; of several names for one thing, one."""
    there = table.positions()
    for place, column in read.mapping.named_columns():
        missing = [name for name in column.columns if fold_header(name) not in there]
        if column.columns and len(missing) == len(column.columns):
            names = [name for name in table.columns if name and not name.startswith(OURS)]
            which = " or ".join(f"`{name}`" for name in missing)
            yield read.problem(place, f"the file has no column {which}.{suggest(missing[0], names)}")


def _words(read: Read) -> Iterator[Problem]:
    """Touch types, lead sources and ranks are those of the vocabulary."""
    mapping = read.mapping
    types = [(_place(("event",), mapping.event, value), str(value)) for value in mapping.event.meanings()]
    types += [
        (("event_when", name, value), touch_type)
        for name, values in mapping.event_when.items()
        for value, touch_type in values.items()
    ]
    for place, touch_type in types:
        if touch_type not in TOUCH_TYPES:
            yield read.problem(
                place, f"there is no touch type `{touch_type}`.{suggest(touch_type, TOUCH_TYPES, page=FIELDS_PAGE)}"
            )
    known = {"rank", *Fields.model_fields, *mapping.answers, *mapping.consents}
    for name in mapping.event_when:
        if name not in known:
            message = f"`event_when` asks for `{name}`, which the mapping does not fill.{suggest(name, known)}"
            yield read.problem(("event_when", name), message)
    if mapping.channel is not None and mapping.channel not in LEAD_SOURCES:
        message = f"there is no lead source `{mapping.channel}`.{suggest(mapping.channel, LEAD_SOURCES)}"
        yield read.problem(("channel",), message)
    for value in mapping.rank.meanings() if mapping.rank else ():
        if value not in RANKS:
            place = _place(("rank",), mapping.rank, value)
            yield read.problem(place, f"there is no rank `{value}`.{suggest(str(value), RANKS)}")


def _policy(read: Read, rules: Rules) -> Iterator[Problem]:
    """Campaigns and reps are those of the policy."""
    mapping, campaigns = read.mapping, rules.campaigns()
    for value in mapping.campaign.meanings() if mapping.campaign else ():
        if str(value) not in campaigns:
            hint = suggest(str(value), campaigns) or " It has none: add it to `campaigns` in sources.yaml."
            message = f"tenant `{rules.tenant}` has no campaign `{value}`.{hint}"
            yield read.problem(_place(("campaign",), mapping.campaign, value), message)
    for name, rep in mapping.staff.names.items() if mapping.staff else ():
        if rep not in rules.rep_ids():
            message = f"`{name}` is to be the rep `{rep}`, whom tenant `{rules.tenant}` does not have."
            yield read.problem(("staff", "names", name), message + suggest(rep, rules.rep_ids()))


def _unread(read: Read, rules: Rules) -> Iterator[Problem]:
    """Answers that no rule of the policy reads are sent in vain."""
    groups: tuple[tuple[str, Sequence[str], frozenset[str]], ...] = (
        ("answers", tuple(read.mapping.answers), rules.answers_read()),
        ("consents", tuple(read.mapping.consents), rules.consents_read()),
    )
    for group, names, known in groups:
        what = "evidence" if group == "answers" else "consent"
        for name in names:
            if name not in known and name not in read.mapping.event_when:
                message = f"no `{what}` rule of the sources policy reads `{name}`.{suggest(name, known)}"
                yield read.problem((group, name), message)


def _place(place: Place, column: Columns | None, value: object) -> Place:
    """Where in the mapping `value` is named."""
    said = next((text for text, meaning in column.values.items() if meaning == value), None) if column else None
    return (*place, "values", said) if said is not None else place
