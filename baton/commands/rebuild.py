"""`baton scoring rebuild`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from baton.errors import OperatorError
from baton.home import environment, here

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rich.console import Console

    from services.scoring.rebuild import Options

AGAIN = "the states in force are as they were"


def rebuild(
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say how much there is to read, and what is missing."),
    rate: float | None = typer.Option(None, "--rate", min=1, help="Read no more than so many records a second."),
    accept_loss: bool = typer.Option(
        False, "--accept-loss", help="Go on though the log begins too late for some of what the policies count."
    ),
    fresh: bool = typer.Option(
        False,
        "--fresh",
        help="Carry nothing over from the states in force, not even what the log no longer has: for states that are wrong.",
    ),
    keep_old: bool = typer.Option(False, "--keep-old", help="Leave the states that were in force in Redis."),
    drop_old: bool = typer.Option(
        False, "--drop-old", help="Only free what earlier epochs, and rebuilds that were killed, have left in Redis."
    ),
    group: str = typer.Option("scoring", envvar="SCORING_GROUP", help="The workers' consumer group."),
) -> None:
    """Build the states of all leads and accounts anew from the topics, and switch over at once.

    Needed when a rule's `when`, `limit`, `per` or horizon has changed, or a rule is new: until then it counts from now on only. The
    workers go on meanwhile. When the new states have caught up they come into force at once, and every lead is scored again.
    """
    from rich.console import Console

    from baton.rebuilding import shown, words_of, words_of_end, words_of_losses, words_of_standing
    from services.scoring import rebuild as work
    from shared.kit.start import spare_the_collector

    hush()
    names = environment(here())
    options = work.Options(
        names["KAFKA_BOOTSTRAP_SERVERS"],
        names["REDIS_URL"],
        group=group,
        fresh=fresh,
        accept_loss=accept_loss,
        per_second=rate,
        keep_old=keep_old,
    )
    console = Console(stderr=True)
    if drop_old:
        freed = _run(work.drop_old(options), options, console)
        print(f"freed: {', '.join(f'epoch {number}' for number in freed)}" if freed else "There is nothing to free.")
        return
    if dry_run:
        standing = _run(work.standing(options), options, console)
        survey, losses = _run(work.survey(options), options, console)
        for line in [
            *words_of_standing(standing, group),
            *words_of(survey, fresh=fresh),
            *words_of_losses(losses),
        ]:
            print(line)
        return
    spare_the_collector(full_every=1_000)
    with shown(console) as tell:
        report = _run(work.rebuild(options, tell), options, console)
    for line in words_of_end(report):
        print(line)


def hush() -> None:
    """The terminal is for people: what stops the work is told in a sentence, and nothing else is worth a line."""
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for name in ("aiokafka", "kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _run(work: Coroutine[Any, Any, Any], options: Options, console: Console) -> Any:
    """Do it; whatever keeps it from being done becomes a sentence."""
    from aiokafka.errors import KafkaError
    from redis.exceptions import OutOfMemoryError, RedisError
    from rich.filesize import decimal

    from baton.interrupts import run
    from baton.rebuilding import words_of, words_of_losses
    from services.scoring import rebuild as scoring
    from services.scoring.builder import BuildingLostError, MissingRecordsError
    from services.scoring.epochs import LeaseLostError, RebuildUnderWayError
    from services.scoring.states import SupersededError

    try:
        return run(work)
    except RebuildUnderWayError:
        raise OperatorError(f"another rebuild of the group `{options.group}` is under way: wait for its end") from None
    except scoring.LossError as error:
        for line in [*words_of(error.survey, fresh=options.fresh), *words_of_losses(error.found)]:
            console.print(line, highlight=False, soft_wrap=True)
        raise OperatorError(
            "this cannot be counted in full: to go on all the same, run it with --accept-loss"
        ) from None
    except scoring.RoomError as error:
        raise OperatorError(
            f"Redis has room for {decimal(error.room)}, and a second set of states needs {decimal(error.needed)}: give it more "
            f"memory; {AGAIN}"
        ) from None
    except scoring.NoPolicyError:
        raise OperatorError("no tenant has a scoring policy: `baton policy apply` brings them into force") from None
    except scoring.UndecidedError as error:
        raise OperatorError(
            f"{error}: `baton scoring status` says which epoch is in force; if it is not this one, rebuild again"
        ) from error
    except scoring.UntidyError as error:
        raise OperatorError(f"{error}: {error.__cause__}; `baton scoring rebuild --drop-old` frees it") from error
    except SupersededError as error:
        raise OperatorError(f"another rebuild ended in between ({error}): {AGAIN}; rebuild again if need be") from error
    except (BuildingLostError, MissingRecordsError, LeaseLostError) as error:
        raise OperatorError(f"{error}; {AGAIN}") from error
    except OutOfMemoryError as error:
        raise OperatorError(f"Redis has no room left ({error}): give it more memory; {AGAIN}") from error
    except (KafkaError, RedisError, OSError, TimeoutError) as error:
        raise OperatorError(f"Kafka or Redis cannot be reached ({error}): is Baton up? Then rebuild again") from error
