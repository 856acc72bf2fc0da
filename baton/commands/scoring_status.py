"""`baton scoring status`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import typer

from baton.errors import OperatorError
from baton.home import environment, here


def status(group: str = typer.Option("scoring", envvar="SCORING_GROUP", help="The workers' consumer group.")) -> None:
    """Say what scoring keeps, what time alone changes next, how far a new policy has reached, and whether a rebuild is needed."""
    asyncio.run(_status(group))


async def _status(group: str) -> None:
    from redis.exceptions import RedisError
    from rich.console import Console

    from baton.commands.rebuild import hush
    from baton.scoring_status import look, tables
    from services.scoring.states import RedisStates, connect
    from shared.kit.clock import SystemClock

    hush()
    names = environment(here())
    redis = connect(names["REDIS_URL"])
    try:
        await redis.ping()
        states = RedisStates(redis, group=group)
        await states.enter(0)
        found = await look(states)
    except (RedisError, OSError) as error:
        raise OperatorError(f"Redis cannot be reached ({error}): is Baton up?") from error
    finally:
        await redis.aclose()
    if not found:
        print(f"Scoring has kept nothing yet in the group `{group}`.")
        return
    console = Console()
    ends, lines = await _from_kafka(names.get("KAFKA_BOOTSTRAP_SERVERS", ""), names["REDIS_URL"], group)
    for table in tables(found, ends, SystemClock().now()):
        console.print(table, highlight=False)
        print()
    for line in lines or [f"Epoch {states.epoch} of {group} is in force."]:
        print(line)
    if ends is None:
        raise OperatorError(
            "Kafka cannot be reached (is Baton up?): what is unread, and whether a rebuild is needed, is not known"
        )


async def _from_kafka(
    bootstrap: str, redis_url: str, group: str
) -> tuple[Mapping[int, Mapping[str, int]] | None, list[str]]:
    """Where the log ends, by partition and topic, and what is to be said of the epoch and of a rebuild that is needed."""
    from aiokafka.errors import KafkaError
    from redis.exceptions import RedisError

    from baton.rebuilding import words_of_standing
    from services.scoring import rebuild
    from services.scoring.inputlog import InputLog

    try:
        async with InputLog(bootstrap) as inputs:
            bounds = await inputs.bounds()
        standing = await rebuild.standing(rebuild.Options(bootstrap, redis_url, group=group))
    except (KafkaError, RedisError, OSError, TimeoutError, ValueError):
        return None, []
    ends = {partition: {topic: one.end for topic, one in topics.items()} for partition, topics in bounds.items()}
    return ends, words_of_standing(standing, group)
