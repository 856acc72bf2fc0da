"""What is wrong with a policy: where, what, and the nearest thing that would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapidfuzz import fuzz, process

from baton.errors import OperatorError
from baton.policies.codes import CODES, Severity

NEAR = 60  # of 100: below it two names have nothing to do with each other


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


def suggest(wrong: str, valid: Iterable[str], lang: str = "en") -> str:
    """` Did you mean `x`?` for the valid name nearest to `wrong`, else the valid ones if they are few, else nothing."""
    names = sorted(set(valid))
    found = process.extractOne(wrong.casefold(), names, scorer=fuzz.ratio, processor=str.casefold, score_cutoff=NEAR)
    if found:
        return f"`{found[0]}` ではありませんか。" if lang == "ja" else f" Did you mean `{found[0]}`?"
    if names and len(names) <= 8:
        told = [f"`{name}`" for name in names]
        return f"有効な値: {'、'.join(told)}。" if lang == "ja" else f" Valid: {', '.join(told)}."
    return ""
