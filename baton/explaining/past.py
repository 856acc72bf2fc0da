"""`baton explain --as-of`: who is meant, what the topics hold of them, by which policy, and what that was worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from baton.errors import OperatorError
from baton.explaining import LEAD_ID
from baton.explaining.history import Historian, History, Progress, historian
from baton.policies import NoVersionError, Stored, in_force, show
from services.scoring.domain.rules import Rules
from services.scoring.history import Past, owner, past
from shared.kit.person import reveal
from shared.normalise.email import address
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy
from shared.schemas.scores import PolicyRef
from shared.words.view import glance, in_full


@dataclass(frozen=True, slots=True)
class Question:
    """What a lead was worth at `as_of`, by what was known at `known_at` (both ms).

    policy: sequence of the scoring policy to score by; the one in force at `known_at` where it is None
    """

    as_of: int
    known_at: int
    policy: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """leads: as the router's API shows them, what a merge led to after what it led from;  sequence, since: of the policy (ms)
    read: records looked at;  log_begins: ms, where older records are not kept any more"""

    leads: list[dict[str, Any]]
    sequence: int
    since: int
    read: int
    log_begins: int | None


def by_then(text: str, zone: ZoneInfo, now: int) -> int:
    """As `moment`, but a day alone is its last millisecond, and today is now: all that happened that day is meant."""
    try:
        day = date.fromisoformat(text.strip())
        tomorrow = day + timedelta(days=1)
    except (ValueError, OverflowError):
        return moment(text, zone, now)
    begin, end = (moment(each.isoformat(), zone, now) for each in (day, tomorrow))
    return now if begin <= now < end else end - 1


def moment(text: str, zone: ZoneInfo, now: int) -> int:
    """ms of a time as people write it: ISO 8601, in `zone` where it names none, a day alone being its beginning; or `now`.

    Raises OperatorError for what is none.
    """
    if text.strip().lower() == "now":
        return now
    try:
        at = datetime.fromisoformat(text.strip())
        millis = round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        millis = -1
    if millis < 0:  # before 1970 there was nothing to know
        raise OperatorError(
            f"{text!r} is no time: write it like 2026-04-01, 2026-04-01T09:30, 2026-04-01T09:30:00.123+09:00 or now"
        )
    return millis


async def answer(
    names: Mapping[str, str],
    tenant: str,
    who: str,
    question: Question,
    progress: Progress = lambda read, total: None,
) -> Answer:
    """What the lead was worth whose id, e-mail address or user id `who` is; whose an address was, is asked at `known_at` too.

    Raises OperatorError where Kafka or Postgres cannot be read, or there was no policy.
    """
    stored = await _policy(names["DATABASE_URL"], tenant, question)
    rules, history = rules_of(stored), History(tenant)
    leads: list[dict[str, Any]] = []
    async with historian(names["KAFKA_BOOTSTRAP_SERVERS"], progress) as reader:
        lead: str | None = await _meant(reader, history, who, names["IDENTITY_SECRET"], question.known_at)
        while lead and lead not in {each["lead_id"] for each in leads}:
            await reader.gather(history, lead)
            found = past(tenant, lead, history.records, rules, as_of=question.as_of, known_at=question.known_at)
            leads.append(_shown(lead, found))
            lead = found.score.merged_into if found else None
    return Answer(leads, stored.record.sequence, stored.record.activated_at, history.read, history.log_begins)


async def _policy(database_url: str, tenant: str, question: Question) -> Stored:
    try:
        if question.policy is not None:
            return await show(tenant, "scoring", question.policy, database_url=database_url)
        return await in_force(tenant, "scoring", question.known_at, database_url=database_url)
    except NoVersionError as error:
        raise OperatorError(f"{error.args[0]}; name one of these with --policy") from None
    except LookupError as error:
        raise OperatorError(str(error.args[0])) from None
    except OSError as error:
        raise OperatorError(f"Postgres cannot be reached ({error}): is Baton up?") from error


def rules_of(stored: Stored) -> Rules:
    """Raises OperatorError where this program reads that version no more."""
    record = stored.record
    try:
        policy = ScoringPolicy.model_validate(record.body)
    except ValidationError as error:
        raise OperatorError(
            f"version {record.sequence} of the scoring policy cannot be read any more ({error.error_count()} errors):"
            " --policy names another"
        ) from None
    return Rules(policy, PolicyRef(sequence=record.sequence, hash=record.hash))


async def _meant(reader: Historian, history: History, who: str, master: str, known_at: int) -> str:
    if LEAD_ID.fullmatch(who):
        return who
    value = address(who) if "@" in who else who.strip()
    if value is None:
        raise OperatorError(f"{who!r} is no e-mail address: name a lead by one, by its id, or by its user id")
    secret = ids.tenant_secret(master.encode(), history.tenant)
    identity = ids.identity_id(secret, history.tenant, "email" if "@" in who else "user", value)
    own = ids.lead_id(identity)
    await reader.read(history, {own})
    return owner(identity, history.records[own], known_at)


def _shown(lead: str, found: Past | None) -> dict[str, Any]:
    """As the router's API shows a lead, as far as scoring knows it."""
    shown: dict[str, Any] = {"lead_id": lead, "heard": found is not None, "merged_into": None, "score": None}
    if found is None or not (found.happened or found.score.merged_into):
        return shown | {"heard": False}
    score = found.score
    return shown | {
        "person": reveal(score.person),
        "attributes": score.attributes,
        "merged_into": score.merged_into,
        "score": in_full(score) if found.known else None,
        **glance(score),
    }
