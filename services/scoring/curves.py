"""How a lead or an account changes by time alone, and which of those changes are to be told by now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from services.scoring.domain import account, fading
from services.scoring.domain.fading import Change
from services.scoring.domain.people import People
from services.scoring.domain.rules import Rules
from services.scoring.domain.score import stand
from services.scoring.domain.state import LeadState
from services.scoring.subjects import State, Subject

MOST_AT_ONCE = 50  # changes of one subject, that lie behind by as much; the rest follows at the next look


@dataclass(frozen=True, slots=True)
class Curve:
    """since: the latest that the state knows of, ms;  next_change: the first after a moment"""

    since: int
    next_change: Callable[[int], Change | None]

    def changes(self, due: int, until: int) -> tuple[list[int], int | None]:
        """The moments from `due` to `until` at which what is told becomes another, and when to look again, or None.

        due: before which nothing that was not told can have changed
        """
        moments: list[int] = []
        moment = max(self.since, due - 1)
        while len(moments) < MOST_AT_ONCE:
            following = self.next_change(moment)
            if following is None:
                return moments, None
            if following.at > until or not following.certain:
                return moments, following.at
            moments.append(moment := following.at)
        return moments, moment + 1


def curve_of(subject: Subject, state: State, rules: Rules) -> Curve:
    if not isinstance(state, LeadState):
        return Curve(state.as_of(), partial(_of_account, state, rules))
    standing = stand(state, subject.name, rules)

    return Curve(state.as_of(standing.owned), partial(fading.next_change, standing))


def _of_account(people: People, rules: Rules, as_of: int) -> Change | None:
    moment = account.next_change(people, rules.account, as_of)
    return None if moment is None else Change(moment)
