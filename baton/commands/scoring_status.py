"""`baton scoring status`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import typer

from baton.errors import OperatorError
from baton.home import environment, here

if TYPE_CHECKING:
    from services.scoring.rebuild import Standing


def status(group: str = typer.Option("scoring", envvar="SCORING_GROUP", help="The workers' consumer group.")) -> None:
    """Say what scoring keeps, what time alone changes next, how far a new policy has reached, and whether a rebuild is needed."""
    asyncio.run(_status(group))


async def _status(group: str) -> None:
    from redis.exceptions import RedisError
    from rich.console import Console

    from baton.commands.rebuild import hush
    from baton.rebuilding import words_of_standing
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
    ends, standing = await _from_kafka(names.get("KAFKA_BOOTSTRAP_SERVERS", ""), names["REDIS_URL"], group)
    in_force = standing.policies if standing else {}
    for table in tables(found, ends, in_force, SystemClock().now()):
        console.print(table, highlight=False)
        print()
    for line in words_of_standing(standing, group) if standing else [f"Epoch {states.epoch} of {group} is in force."]:
        print(line)
    if ends is None:
        raise OperatorError(
            "Kafka cannot be reached (is Baton up?): what is unread, and whether a rebuild is needed, is not known"
        )


async def _from_kafka(
    bootstrap: str, redis_url: str, group: str
) -> tuple[Mapping[int, Mapping[str, int]] | None, Standing | None]:
    """Where the log ends, by partition and topic, and how the states in force stand; None and None where it does not answer."""
    from aiokafka.errors import KafkaError
    from redis.exceptions import RedisError

    from services.scoring import rebuild
    from services.scoring.inputlog import InputLog

    try:
        async with InputLog(bootstrap) as inputs:
            bounds = await inputs.bounds()
        standing = await rebuild.standing(rebuild.Options(bootstrap, redis_url, group=group))
    except (KafkaError, RedisError, OSError, TimeoutError, ValueError):
        return None, None
    ends = {partition: {topic: one.end for topic, one in topics.items()} for partition, topics in bounds.items()}
    return ends, standing
