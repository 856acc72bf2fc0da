"""`baton explain`."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import typer

from baton.commands.shown import check_language, zone_of
from baton.errors import OperatorError
from baton.home import Names, environment, here


def explain(
    lead: str = typer.Argument(help="A lead's id, an e-mail address, or a user id as the sender named it."),
    tenant: str = typer.Option("northstar", help="Whose lead: northstar, hinode or olist."),
    lang: str = typer.Option("en", help="en or ja"),
    zone: str | None = typer.Option(None, help="Time zone of what is asked and shown; the tenant's when left out."),
    as_of: str | None = typer.Option(
        None,
        metavar="TIME",
        help="The score at a moment, from the topics: what happened later does not count. ISO 8601, or now; a day alone is its end,"
        " and today is now.",
    ),
    known_at: str | None = typer.Option(
        None,
        metavar="TIME",
        help="By what Baton had received by then, told as for --as-of: with the same time, what it said then. When left out, now:"
        " what is known of that moment today. Without --as-of, of that moment as well.",
    ),
    policy: int | None = typer.Option(
        None,
        metavar="SEQUENCE",
        help="Score by this version of the scoring policy; by the one that was in force at --known-at when left out.",
    ),
    why_not: str | None = typer.Option(
        None, "--why-not", metavar="REP", help="Only say why this rep does not have it, and when their turn comes."
    ),
    replay: bool = typer.Option(
        False, "--replay", help="Only say whether each decision comes out the same from what was stored of it."
    ),
) -> None:
    """Say in words how a lead scores, why this rep has it and not another, what is missing, and what its clock says.

    With --as-of, --known-at or --policy: what it was worth at a moment, from the records themselves. Links between identities, and
    verdicts on robots, say what was true all along, so that only --known-at decides whether they count. A whole partition of
    [bold]touchpoints[/bold] and [bold]handoff-events[/bold] is read for it, and one more for each lead that it was linked with:
    about a minute for ten million records. A moment that has not come yet is answered as if nothing more happened.
    """
    check_language(lang)
    shown = zone_of(tenant, zone)
    names = environment(here())
    if why_not is not None or replay:
        _again(names, tenant, lead, lang, shown, why_not)
    elif as_of is None and known_at is None and policy is None:
        _now(names, tenant, lead, lang, shown)
    else:
        _then(names, tenant, lead, lang, shown, as_of=as_of, known_at=known_at, policy=policy)


def _now(names: Names, tenant: str, lead: str, lang: str, zone: str) -> None:
    from baton.explaining.present import ask
    from baton.explaining.telling import words

    found, opportunity = ask(names, tenant, lead)
    now = datetime.now(UTC)
    print("\n\n".join(words(each, opportunity, lang=lang, zone=zone, now=now) for each in found))
    _lacking(names, tenant, lang, zone, past=False)


def _again(names: Names, tenant: str, lead: str, lang: str, zone: str, rep: str | None) -> None:
    """Why not a rep; or, where none is named, whether decisions come out the same. Ends with 1 where one does not.

    Raises OperatorError for a rep whom no policy names.
    """
    from baton.explaining.again import ask_replay, ask_why_not, replay_words, why_not_words

    if rep is not None:
        found = ask_why_not(names, tenant, lead, rep)
        if found["why"]["code"] == "unknown_rep" and (refusal := asyncio.run(_unknown(names, tenant, rep))):
            raise OperatorError(refusal)
        print(why_not_words(found, lang))
        return
    found = ask_replay(names, tenant, lead)
    print(replay_words(found, lang=lang, zone=zone))
    if any(one["same"] is False for one in found["decisions"]):
        raise typer.Exit(1)


async def _unknown(names: Names, tenant: str, rep: str) -> str | None:
    """What to say where the policy in force names no such rep either; None where it does, though the one that decided did not."""
    from baton import policies
    from baton.policies.problems import suggest

    teams = await policies.show(tenant, "teams", database_url=names["DATABASE_URL"])
    reps = {each["id"] for each in teams.record.body["reps"]}
    return None if rep in reps else f"the teams policy of {tenant} has no rep `{rep}`.{suggest(rep, reps)}"


def _then(
    names: Names,
    tenant: str,
    lead: str,
    lang: str,
    zone: str,
    *,
    as_of: str | None,
    known_at: str | None,
    policy: int | None,
) -> None:
    from baton.explaining.past import Question, answer, by_then
    from baton.explaining.telling import WORDS, past_words

    def progress(read: int, total: int) -> None:
        _line(WORDS[lang]["reading"].format(read=read, total=total))

    now = time.time_ns() // 1_000_000
    known = by_then(known_at, ZoneInfo(zone), now) if known_at else now
    question = Question(by_then(as_of, ZoneInfo(zone), now) if as_of else known, known, policy)
    began = time.monotonic()
    try:
        found = asyncio.run(answer(names, tenant, lead, question, progress))
    finally:
        _line("")
    print(WORDS[lang]["read"].format(records=found.read, seconds=time.monotonic() - began), file=sys.stderr)
    print(past_words(question, found, lang=lang, zone=zone, now=now))
    _lacking(names, tenant, lang, zone, past=True)


def _lacking(names: Names, tenant: str, lang: str, zone: str, *, past: bool) -> None:
    """What the score of now leaves out, since the policy changed. Where that cannot be known, the lead is told all the same."""
    from asyncpg import InterfaceError, PostgresError
    from redis.exceptions import RedisError

    from baton.explaining.lacking import ask, words

    try:
        found = asyncio.run(ask(names, tenant, time.time_ns() // 1_000_000))
    except (OperatorError, RedisError, PostgresError, InterfaceError, OSError, LookupError, ValueError) as error:
        print(f"whether its rules count all that came in is not known: {error}", file=sys.stderr)
        return
    if found:
        print(f"\n{words(found, lang=lang, zone=zone, past=past)}")


def _line(text: str) -> None:
    """What is under way, on a terminal: each time in place of what was there."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
