"""An account as it is now, from scoring's states: what its people are worth together, and who they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
from pydantic import ValidationError

from baton.errors import OperatorError
from baton.explaining import LEAD_ID
from baton.home import token_of
from baton.policies import show
from baton.policies.problems import suggest
from baton.scoring_status import COUNTED, MOST_PARTITIONS
from services.scoring import wire
from services.scoring.domain.account import next_change, score_account
from services.scoring.domain.codec import decode_people
from services.scoring.domain.people import People, Person
from services.scoring.states import RedisStates
from services.scoring.subjects import account_key, parse
from shared.schemas.policies import ScoringPolicy
from shared.schemas.policies.scoring import AccountScoring
from shared.schemas.scores import AccountScored, Version
from shared.schemas.vocabulary import BUYING_ROLES, DEPARTMENTS
from shared.words.accounts import name, part, summary
from shared.words.scores import rounded

WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "head": "{account} as of {at}",
        "people": "People",
        "more": "… and {n} more",
        "active": "last active {at}",
        "never": "not active yet",
        "worth": "fit {fit}, engagement {engagement}",
        "adds": "adds {points}",
        "next": "By {at} it is in band {band}, if nothing more happens.",
        "stays": "It stays in this band, if nothing more happens.",
        "policy": "Scoring policy {sequence}",
        "gone": "No longer here: {n} who belonged before.",
        "comma": ", ",
    },
    "ja": {
        "head": "{account}({at} 時点)",
        "people": "この取引先の人",
        "more": "ほか{n}人",
        "active": "最後の動き {at}",
        "never": "まだ動きなし",
        "worth": "適合度 {fit}、関心度 {engagement}",
        "adds": "{points}点を加算",
        "next": "このまま何もなければ、{at} にバンド{band}になります。",
        "stays": "このまま何もなければ、バンドは変わりません。",
        "policy": "スコアリングポリシー 第{sequence}版",
        "gone": "以前属していた{n}人は、現在は属していません。",
        "comma": "、",
    },
}


@dataclass(frozen=True, slots=True)
class Found:
    """people: who are here, those to whom the account owes most first, then those active last;  points: that each adds;
    gone: how many belong here no more;  coming: when time alone changes the band next (ms), and to which;  names: by lead
    """

    scored: AccountScored
    people: Sequence[tuple[str, Person]]
    points: Mapping[str, int]
    gone: int
    coming: tuple[int, int] | None
    names: Mapping[str, str]


async def find(states: RedisStates, tenant: str, account: str) -> People:
    """Raises OperatorError, with the nearest key there is, where nobody was ever known of it."""
    key = account_key(tenant, account)
    partitions = await states.begun(MOST_PARTITIONS)
    loaded = await states.load({partition: [key] for partition in partitions})
    for one in loaded.values():
        if raw := one.states.get(key):
            return decode_people(raw)
    known: set[str] = set()
    for partition in partitions:
        subjects = map(parse, await states.some(partition, COUNTED))
        known.update(subject.name for subject in subjects if subject.is_account and subject.tenant == tenant)
    raise OperatorError(
        f"tenant {tenant} has no account {account} of which anybody is known: a key is `corporate:` and a corporate number, "
        f"`group:` and the sender's own id, or a mail domain.{suggest(account, known)}"
    )


async def policy_of(names: Mapping[str, str], tenant: str) -> tuple[AccountScoring, wire.PolicyRef]:
    try:
        record = (await show(tenant, "scoring", database_url=names["DATABASE_URL"])).record
        return ScoringPolicy.model_validate(record.body).account, wire.PolicyRef(record.sequence, record.hash)
    except LookupError as error:
        raise OperatorError(str(error.args[0])) from None
    except ValidationError:
        raise OperatorError(
            f"the scoring policy of {tenant} cannot be read by this version of Baton: bring another into force"
            " with `baton policy apply`"
        ) from None
    except OSError as error:
        raise OperatorError(f"Postgres cannot be reached ({error}): is Baton up?") from error


def look(
    tenant: str,
    account: str,
    people: People,
    policy: AccountScoring,
    ref: wire.PolicyRef,
    now: int,
    names: Mapping[str, str],
) -> Found:
    """now: ms;  names: of the people, by lead"""
    moment = max(now, people.as_of())
    scored = score_account(people, policy, moment)
    saying = wire.Saying(Version(1, ref.sequence, 0, moment), ref)
    told = AccountScored.model_validate_json(wire.encode(wire.account_scored(tenant, account, saying, scored)))
    points = {one.lead: one.points for one in scored.owed}
    here = [(lead, person) for lead, person in people.items() if not person.gone]
    here.sort(key=lambda one: (-points.get(one[0], 0), -max(one[1].active, default=0), one[0]))
    change = next_change(people, policy, moment)
    coming = None if change is None else (change, score_account(people, policy, change).band)
    return Found(told, here, points, len(people) - len(here), coming, names)


def account_of(names: Mapping[str, str], tenant: str, who: str) -> str:
    """The account that is meant: a key as it stands, or that of the lead whose e-mail address or id `who` is."""
    from baton.explaining.present import ask

    if "@" not in who and not LEAD_ID.fullmatch(who):
        return who
    leads, _ = ask(names, tenant, who)
    account = leads[-1].get("account")
    if not account:
        raise OperatorError(f"lead {who} belongs to no account: no company of it was ever named")
    return str(account)


def names_of(names: Mapping[str, str], tenant: str, leads: Sequence[str]) -> dict[str, str]:
    """What the leads are called, as far as the router answers."""
    headers = {"Authorization": f"Bearer {token_of(names, tenant)}"}
    found: dict[str, str] = {}
    with httpx.Client(headers=headers, timeout=5) as client, suppress(httpx.HTTPError):
        for lead in leads:
            answer = client.get(f"{names['ROUTER_URL']}/v1/leads/{lead}")
            person = answer.json().get("person", {}) if answer.is_success else {}
            if called := person.get("name") or person.get("email"):
                found[lead] = called
    return found


def lines(found: Found, *, lang: str, zone: str, most: int) -> Iterator[str]:
    """most: people who are named"""
    words, scored = WORDS[lang], found.scored

    def time(millis: int) -> str:
        return f"{datetime.fromtimestamp(millis / 1000, UTC).astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %Z}"

    yield words["head"].format(account=scored.account, at=time(scored.as_of))
    yield summary(scored)[lang]
    yield from (f"  {part(one)[lang]}" for one in scored.score.parts)
    if found.coming:
        yield words["next"].format(at=time(found.coming[0]), band=found.coming[1])
    elif scored.people:
        yield words["stays"]
    if found.people:
        yield ""
        yield words["people"]
    for lead, person in found.people[:most]:
        facts = [
            *([name(person.role, BUYING_ROLES, lang)] if person.role else []),
            *([name(person.department, DEPARTMENTS, lang)] if person.department else []),
            words["worth"].format(fit=person.fit, engagement=rounded(person.engagement)),
            words["active"].format(at=time(person.active[0])) if person.active else words["never"],
            *([words["adds"].format(points=rounded(found.points[lead]))] if found.points.get(lead) else []),
        ]
        called = found.names.get(lead)
        yield f"  {f'{called} ({lead})' if called else lead}: {words['comma'].join(facts)}"
    if len(found.people) > most:
        yield f"  {words['more'].format(n=len(found.people) - most)}"
    if found.gone:
        yield words["gone"].format(n=found.gone)
    yield ""
    yield words["policy"].format(sequence=scored.policy.sequence)
