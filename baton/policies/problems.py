"""What is wrong with a policy: where, what, and the nearest thing that would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz import fuzz, process

from baton.errors import OperatorError
from baton.policies.codes import CODES, Severity

NEAR = 60  # of 100: below it two names have nothing to do with each other
FIELDS_PAGE = "docs/fields.md"  # lists touch types, fields, their values and operators
LISTED = 25  # names that one can take in at a glance: all operators, levels and industries, not all touch types
_HEAD = re.compile(r"[^.:]*[.:]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of one file; `line` counts from 1, and is None where the fault is of the file as a whole.

    code, ja, example: as of a finding
    """

    file: str
    line: int | None
    message: str
    code: str = "wrong-value"
    ja: str | None = field(default=None, compare=False)
    example: Mapping[str, Any] | None = field(default=None, compare=False)

    def where(self) -> tuple[str, int, str]:
        """By what problems are sorted."""
        return self.file, self.line or 0, self.message

    @property
    def severity(self) -> Severity:
        return CODES[self.code].severity

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.message}"


class PolicyErrors(OperatorError):  # noqa: N818 - all of them at once, so that an author mends them in one go
    """Policies that must not come into force, with every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def suggest(wrong: str, valid: Iterable[str], lang: str = "en", page: str | None = None, most: int = LISTED) -> str:
    """` Did you mean `x`?` for the valid name nearest to `wrong`, else the valid ones if they are not too many, else `page`.

    page: the page of the documentation that lists them;  most: how many are not too many
    """
    head, names = _alike(wrong, sorted(set(valid)))
    found = process.extractOne(
        wrong, names, scorer=fuzz.ratio, processor=lambda name: _bare(name, head), score_cutoff=NEAR
    )
    if found:
        return f"`{found[0]}` ではありませんか。" if lang == "ja" else f" Did you mean `{found[0]}`?"
    if names and len(names) <= most:
        told = [f"`{name}`" for name in names]
        return f"有効な値: {'、'.join(told)}。" if lang == "ja" else f" Valid: {', '.join(told)}."
    if names and page:
        many = len(names)
        return (
            f"有効な値は{many}件、一覧は {page} にあります。"
            if lang == "ja"
            else f" There are {many}: {page} lists them."
        )
    return ""


def _alike(wrong: str, names: list[str]) -> tuple[str, list[str]]:
    """What `wrong` begins with as several names do, such as `lead.` or `jsic:`, and these names; else nothing, and all of them.

    What all have in common makes none of them nearer. `score.grade` for `lead.grade` is nearer than any `lead.*`.
    """
    begins = _HEAD.match(wrong)
    head = begins.group().casefold() if begins else ""
    below = [name for name in names if name.casefold().startswith(head)]
    if len(below) < 2:
        return "", names
    rest = wrong[len(head) :].casefold()
    for some in below, names:
        if same := [name for name in some if rest and _bare(name, head) == rest]:
            return head, same
    return head, below


def _bare(name: str, head: str) -> str:
    """Without `head`, or without the other one that stands in its place."""
    name = name.casefold()
    return name.removeprefix(head) if name.startswith(head) else name.partition(".")[2]
