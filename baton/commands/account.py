"""`baton scoring account`."""

from __future__ import annotations

import asyncio

import typer

from baton.commands.shown import check_language, zone_of
from baton.errors import OperatorError
from baton.home import Names, environment, here


def account(
    key: str = typer.Argument(help="An account's key, or the e-mail address or id of a lead that belongs to it."),
    tenant: str = typer.Option("northstar", help="Whose account: northstar, hinode or olist."),
    lang: str = typer.Option("en", help="en or ja"),
    zone: str | None = typer.Option(None, help="Time zone of what is shown; the tenant's when left out."),
    people: int = typer.Option(20, "--people", min=0, help="How many of its people are listed."),
    group: str = typer.Option("scoring", envvar="SCORING_GROUP", help="The workers' consumer group."),
) -> None:
    """Say in words what the people of a company are worth together, who they are, and what time alone changes next.

    A key is [bold]corporate:7010001008844[/bold] (法人番号), [bold]group:[/bold] and the sender's own id, or a mail domain.
    """
    check_language(lang)
    asyncio.run(_account(environment(here()), tenant, key, lang, zone_of(tenant, zone), people, group))


async def _account(names: Names, tenant: str, key: str, lang: str, zone: str, most: int, group: str) -> None:
    from redis.exceptions import RedisError

    from baton.accounts import account_of, find, lines, look, names_of, policy_of
    from baton.commands.rebuild import hush
    from services.scoring.states import RedisStates, connect
    from shared.kit.clock import SystemClock

    hush()
    named = account_of(names, tenant, key)
    policy, ref = await policy_of(names, tenant)
    redis = connect(names["REDIS_URL"])
    try:
        await redis.ping()
        states = RedisStates(redis, group=group)
        await states.enter(0)
        found = await find(states, tenant, named)
    except (RedisError, OSError) as error:
        raise OperatorError(f"Redis cannot be reached ({error}): is Baton up?") from error
    finally:
        await redis.aclose()
    now = SystemClock().now()
    first = [lead for lead, _ in look(tenant, named, found, policy, ref, now, {}).people[:most]]
    told = look(tenant, named, found, policy, ref, now, names_of(names, tenant, first))
    for line in lines(told, lang=lang, zone=zone, most=most):
        print(line)
