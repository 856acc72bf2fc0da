"""What matching came to, kept with the decision that it was made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# The steps of the ladder, the surest first.
Code = Literal[
    "account_id",
    "domain",
    "alias_domain",
    "corporate_number",
    "name_prefecture",
    "name_country",
    "phone",
    "fuzzy",
]
Why = Literal[
    "weaker",  # found by the same step, and another one fits better
    "corporate_number_differs",
    "domain_differs",
    "legal_form_differs",
    "country_differs",
    "prefecture_differs",
    "place_unknown",  # of the same name, and nothing says that it is in the same place
    "name_differs",
    "too_far",  # below the threshold of likeness
    "ambiguous",  # others fit as well
]
Tie = Literal["corporate_number", "site", "name", "prefecture", "level", "tier", "common"]

ByName = Literal["former", "kana", "other"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that was looked at, by which step, and why it was not taken. likeness: of 100, for the fuzzy step."""

    account_id: str
    name: str
    code: Code
    why_not: Why | None = None
    likeness: int | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """The account, by which step of the ladder, and which tie-breaker chose among several; or none.

    by_name:    which name it was found by, where it is not the present one: former, kana, other
    ambiguous:  several fit equally well, so none was taken
    no_domain:  the address is at a free-mail or access provider, which never matches
    candidates: those that were looked at, the chosen one first; at most MOST_CANDIDATES are kept
    """

    account_id: str | None = None
    code: Code | None = None
    tie: Tie | None = None
    by_name: ByName | None = None
    ambiguous: bool = False
    no_domain: bool = False
    candidates: tuple[Candidate, ...] = ()


MOST_CANDIDATES = 8
