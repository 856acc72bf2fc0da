"""What the result of a call means. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.availability.calendar import Calendar
from shared.schemas.policies.sla import Unreachable

DAY = 86_400_000  # ms
Result = Literal["no_answer", "call_back", "appointment", "connected", "send_back"]
TaskKind = Literal["todo", "call", "meeting"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """type: of the touch;  reached: whether it shows that the person can be reached;  next: the task that follows

    A call that gives the lead back is an attempt, whoever answered: what was said of the lead is the reason's.
    """

    type: str
    reached: bool
    next: TaskKind


MEANINGS: dict[Result, Meaning] = {
    "no_answer": Meaning("call_attempted", reached=False, next="call"),  # 不在
    "call_back": Meaning("call_attempted", reached=True, next="call"),  # 折返し: somebody was, and says when
    "appointment": Meaning("call_connected", reached=True, next="meeting"),  # アポ
    "connected": Meaning("call_connected", reached=True, next="call"),  # 通話
    "send_back": Meaning("call_attempted", reached=True, next="call"),  # 差し戻し
}
NEEDS_NEXT: frozenset[Result] = frozenset({"call_back", "appointment"})
ANSWERED = frozenset(
    {"call_connected", "email_replied", "meeting_booked", "meeting_held", "workshop_held", "poc_run", "review_held"}
    | {"phone_inbound", "survey_answered", "card_exchanged"}
)  # activities by which the person was reached


@dataclass(frozen=True, slots=True)
class Logged:
    """An activity of the opportunity, as far as it counts here. at: ms"""

    at: int
    type: str
    outcome: str | None


def attempts(logged: Sequence[Logged]) -> list[int]:
    """When (ms) nobody could be reached, in order, since the person last was."""
    found: list[int] = []
    for one in sorted(logged, key=lambda one: one.at):
        if one.type in ANSWERED or (one.outcome in MEANINGS and MEANINGS[one.outcome].reached):
            found = []
        elif one.type == "call_attempted":
            found.append(one.at)
    return found


def is_unreachable(logged: Sequence[Logged], rule: Unreachable | None) -> bool:
    """Whether by policy enough was tried for long enough, the last attempt included."""
    tried = attempts(logged)
    return rule is not None and len(tried) >= rule.attempts and tried[-1] - tried[0] >= rule.days * DAY


def next_call(now: int, hours: Calendar) -> int:
    """When (ms) to call again where nobody says: a day later, or when the rep is at work next after that."""
    opens = hours.add_open(now + DAY, 1)
    return now + DAY if opens is None else opens - 1
