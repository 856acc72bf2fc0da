"""`baton migrate`."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import typer

from baton.errors import OperatorError
from baton.home import environment, here


def migrate(
    path: Path = typer.Option(Path("policies"), "--policies", help="Directory of the policies to bring into force."),
    partitions: int | None = typer.Option(
        None,
        envvar="BATON_TOPIC_PARTITIONS",
        help="Of every topic, for ever: 48 when left out (8 in the embedded stack).",
    ),
    replication: int = typer.Option(3, envvar="BATON_TOPIC_REPLICATION_FACTOR", help="Copies of every record."),
) -> None:
    """Bring Postgres, topics and policies to this version: what a deployment runs first. Repeating it changes nothing.

    Servers are those of KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL, else those of the Baton that runs here.
    """
    from aiokafka.errors import KafkaError
    from sqlalchemy.exc import SQLAlchemyError

    from baton import policies
    from baton.migrations import upgrade
    from shared.kit.kafka import PRODUCTION_PARTITIONS, ensure_topics

    names = environment(here())
    # While new topics find their leaders the client tells of every try; what it cannot do in the end, it raises.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        upgrade(names["DATABASE_URL"])
    except (OSError, SQLAlchemyError) as error:
        raise OperatorError(f"Postgres could not be brought to this version ({error}); nothing was changed") from error
    print("Postgres: at this version.")
    wanted = PRODUCTION_PARTITIONS if partitions is None else partitions
    try:
        made = asyncio.run(ensure_topics(names["KAFKA_BOOTSTRAP_SERVERS"], wanted, replication))
    except ValueError as error:
        raise OperatorError(str(error)) from error
    except (KafkaError, OSError) as error:
        raise OperatorError(f"the topics could not be created ({error}): migrate again") from error
    print(f"Kafka: {len(made)} topics are new.")
    try:
        report = asyncio.run(policies.apply(path, names["DATABASE_URL"], names["KAFKA_BOOTSTRAP_SERVERS"]))
    except (KafkaError, OSError) as error:
        raise OperatorError(f"the policies are stored but perhaps not published ({error}): migrate again") from error
    print(f"Policies: {len(report.changed())} of {len(report.applied)} have a new version.")
    print("The write keys and secrets that sources refer to are ingest's: nobody looked here whether they are there.")
