"""`baton dlq list|show|replay`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from baton.errors import OperatorError
from baton.home import environment, here

if TYPE_CHECKING:
    from baton.dlq import Letter

app = typer.Typer(
    no_args_is_help=True, help="Dead letters: records that could never succeed, why, and putting them back."
)

_TOPIC = typer.Option(None, help="Only this one: a topic, or its dead-letter topic.")


@app.command("list")
def list_(topic: str | None = _TOPIC, each: bool = typer.Option(False, "--each", help="Name every letter.")) -> None:
    """Count dead letters by topic and reason."""
    from baton import dlq

    found = asyncio.run(dlq.letters(_kafka(), _topics(topic)))
    print(dlq.summary(found))
    if each:
        for letter in found:
            print(f"{letter.id}  {letter.reason}  from {letter.source}{'  (put back)' if letter.replayed else ''}")


@app.command()
def show(
    letter: str = typer.Argument(help="topic-dlq/partition/offset, as `baton dlq list --each` names it"),
    reveal: bool = typer.Option(False, help="Show names, addresses and whatever else is personal."),
) -> None:
    """Show one letter: why it was refused, where it came from, and its body."""
    from baton import dlq

    found = asyncio.run(dlq.letters(_kafka(), _topics(letter.split("/")[0])))
    one = next((each for each in found if each.id == letter), None)
    if one is None:
        raise OperatorError(f"there is no letter {letter}: `baton dlq list --each` names those there are")
    print(dlq.told(one, reveal=reveal))


@app.command()
def replay(
    topic: str | None = _TOPIC,
    reason: str | None = typer.Option(None, help="Only letters of this reason."),
    letter: str | None = typer.Option(None, help="Only this letter."),
    again: bool = typer.Option(False, help="Also what was put back before."),
) -> None:
    """Put letters back on the topic they came from, byte for byte; each once, however often this is run."""
    from baton import dlq

    def wanted(one: Letter) -> bool:
        return reason in (None, one.reason) and letter in (None, one.id)

    done = asyncio.run(dlq.replay(_kafka(), _topics(letter.split("/")[0] if letter else topic), wanted, again=again))
    print(f"{len(done)} letters are back on their topics." if done else "There was nothing to put back.")


def _kafka() -> str:
    return environment(here())["KAFKA_BOOTSTRAP_SERVERS"]


def _topics(named: str | None) -> tuple[str, ...]:
    from baton import dlq

    if named is None:
        return dlq.TOPICS
    wanted = named.removesuffix(dlq.SUFFIX) + dlq.SUFFIX
    if wanted not in dlq.TOPICS:
        raise OperatorError(f"there is no dead-letter topic {wanted}: there are {', '.join(dlq.TOPICS)}")
    return (wanted,)
