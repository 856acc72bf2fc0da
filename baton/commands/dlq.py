"""`baton dlq list|show|replay`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from baton.errors import OperatorError
from baton.home import environment, here

if TYPE_CHECKING:
    from baton.dlq import Letter
    from baton.refusals import Refusal, Result

app = typer.Typer(
    no_args_is_help=True,
    help="What could not be taken, why, and putting it right: dead letters (records that could never succeed), and events that "
    "ingest refused (topic ingest-rejected).",
)

_TOPIC = typer.Option(None, help="Only this one: a topic, its dead-letter topic, or ingest-rejected.")
_SOURCE = typer.Option(None, help="Only events that ingest refused of this source.")
_TENANT = typer.Option(None, help="Only events that ingest refused of this tenant.")


@app.command("list")
def list_(
    topic: str | None = _TOPIC,
    source: str | None = _SOURCE,
    tenant: str | None = _TENANT,
    each: bool = typer.Option(False, "--each", help="Name every letter and event."),
) -> None:
    """Count dead letters by topic and reason, and refused events by source and code."""
    from baton import dlq, refusals

    if topics := () if source or tenant else _topics(topic):
        found = asyncio.run(dlq.letters(_kafka(), topics))
        print(dlq.summary(found))
        if each:
            for letter in found:
                print(f"{letter.id}  {letter.reason}  from {letter.source}{'  (put back)' if letter.replayed else ''}")
    if topic in (None, refusals.TOPIC):
        refused = [one for one in asyncio.run(refusals.read(_kafka(), lambda _: False)) if _of(one, source, tenant)]
        print(refusals.summary(refused) if refused else "Ingest refused no events.")
        if each:
            for one in refused:
                print(f"{one.id}  {one.code}  of {one.tenant}/{one.source}{'  (taken since)' if one.replayed else ''}")


@app.command()
def show(
    letter: str = typer.Argument(help="topic/partition/offset, as `baton dlq list --each` names it"),
    reveal: bool = typer.Option(False, help="Show names, addresses and whatever else is personal."),
) -> None:
    """Show one letter or refused event: why it was refused, where it came from, and its body."""
    from baton import dlq, refusals

    if letter.count("/") != 2:
        raise OperatorError(
            f"{letter} names no letter: that is topic/partition/offset, as `baton dlq list --each` shows it"
        )
    if letter.startswith(f"{refusals.TOPIC}/"):
        print(refusals.told(_refusal(letter), reveal=reveal))
        return
    found = asyncio.run(dlq.letters(_kafka(), _topics(letter.split("/")[0])))
    one = next((each for each in found if each.id == letter), None)
    if one is None:
        raise OperatorError(f"there is no letter {letter}: `baton dlq list --each` names those there are")
    print(dlq.told(one, reveal=reveal))


@app.command()
def replay(
    topic: str | None = _TOPIC,
    reason: str | None = typer.Option(None, help="Only what was refused for this reason, or under this code."),
    letter: str | None = typer.Option(None, help="Only this one."),
    source: str | None = _SOURCE,
    tenant: str | None = _TENANT,
    changes: list[str] = typer.Option(
        [], "--set", help="Of refused events: path=value, as in properties.timeline='3 months'."
    ),
    removals: list[str] = typer.Option([], "--unset", help="Of refused events: a path that is taken out."),
    body: Path | None = typer.Option(None, help="Of one refused event: the file that holds what it should have been."),
    edit: bool = typer.Option(False, "--edit", help="Of one refused event: mend it in $EDITOR."),
    again: bool = typer.Option(False, help="Also what was put back before."),
) -> None:
    """Put letters back on their topic, byte for byte; give refused events to ingest again, mended if asked.

    Each is done once, however often this is run.
    Refused events are taken by the policy in force now, as of when they were received; one that is refused again stays, and
    the exit status is 1.
    """
    from baton import dlq, refusals

    refused = source or tenant or topic == refusals.TOPIC or (letter or "").startswith(f"{refusals.TOPIC}/")
    if refused:
        if (edit or body) and not letter:
            raise OperatorError("--edit and --body mend one event: name it with --letter")
        mend = _mending(letter or "", changes, removals, body, edit=edit)

        def chosen(one: Refusal) -> bool:
            return reason in (None, one.code) and letter in (None, one.id) and _of(one, source, tenant)

        results = _give(chosen, mend, again=again)
        print(_words(results))
        if any(result.status == "rejected" for result in results):
            raise typer.Exit(1)
        return
    if changes or removals or body or edit:
        raise OperatorError("events that ingest refused can be mended: say which with --source, --tenant or --letter")

    def wanted(one: Letter) -> bool:
        return reason in (None, one.reason) and letter in (None, one.id)

    done = asyncio.run(dlq.replay(_kafka(), _topics(letter.split("/")[0] if letter else topic), wanted, again=again))
    print(
        f"{len(done)} letter{'' if len(done) == 1 else 's'} back on their topics."
        if done
        else "There was no letter to put back."
        + ("" if topic or letter else f" Events that ingest refused are given again with --topic {refusals.TOPIC}.")
    )


def _give(chosen: Callable[[Refusal], bool], mend: Callable[[bytes], bytes] | None, *, again: bool) -> list[Result]:
    from baton import refusals
    from baton.ingest_admin import IngestAdmin

    with IngestAdmin.of(here()) as ingest:
        return asyncio.run(refusals.replay(_kafka(), ingest, chosen, mend, again=again))


def _mending(
    letter: str, changes: list[str], removals: list[str], body: Path | None, *, edit: bool
) -> Callable[[bytes], bytes] | None:
    """How an event is mended before it is given again."""
    from baton import refusals

    if wrong := [change for change in changes if "=" not in change]:
        raise OperatorError(f"`{wrong[0]}` is no path=value")
    if body:
        try:
            whole = body.read_bytes()
        except OSError as error:
            raise OperatorError(f"{body} cannot be read: {error.strerror}") from error
        return lambda raw: whole
    if edit:
        raw = _refusal(letter).raw
        mended = _edited(refusals.mended(raw, changes, removals) if changes or removals else raw)
        return lambda raw: mended
    return (lambda raw: refusals.mended(raw, changes, removals)) if changes or removals else None


def _edited(raw: bytes) -> bytes:
    """What the operator's editor makes of it; raises OperatorError where it was left as it is."""
    import os
    import shlex
    import subprocess
    from tempfile import TemporaryDirectory

    from baton import refusals

    text = refusals.body(raw, reveal=True)
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with TemporaryDirectory() as folder:  # which only its owner may look into
        file = Path(folder) / "event.json"
        file.write_text(text + "\n")
        try:
            status = subprocess.run([*command, str(file)], check=False).returncode
        except OSError as error:
            raise OperatorError(f"the editor {command[0]} cannot be started: set EDITOR") from error
        found = file.read_text().strip()
    if status or found == text.strip():
        raise OperatorError("nothing was changed, so nothing was done")
    return found.encode()


def _refusal(letter: str) -> Refusal:
    from baton import refusals

    found = asyncio.run(refusals.read(_kafka(), lambda each: each.id == letter))
    one = next((each for each in found if each.id == letter), None)
    if one is None:
        raise OperatorError(f"there is no refused event {letter}: `baton dlq list --each` names those there are")
    return one


def _of(one: Refusal, source: str | None, tenant: str | None) -> bool:
    return source in (None, one.source) and tenant in (None, one.tenant)


def _words(results: list[Result]) -> str:
    if not results:
        return "There was nothing to give again."
    count = {status: sum(each.status == status for each in results) for status in ("accepted", "duplicate", "rejected")}
    lines = [
        f"Events: {count['accepted']} taken, {count['duplicate']} taken before, {count['rejected']} refused again."
    ]
    lines += [f"{r.refusal.id}  {r.code}: {r.message}" for r in results if r.status == "rejected"]
    return "\n".join(lines)


def _kafka() -> str:
    return environment(here())["KAFKA_BOOTSTRAP_SERVERS"]


def _topics(named: str | None) -> tuple[str, ...]:
    """Dead-letter topics; none where the topic of refused events is named."""
    from baton import dlq, refusals

    if named is None:
        return dlq.TOPICS
    if named == refusals.TOPIC:
        return ()
    wanted = named.removesuffix(dlq.SUFFIX) + dlq.SUFFIX
    if wanted not in dlq.TOPICS:
        raise OperatorError(
            f"there is no dead-letter topic {wanted}: there are {', '.join(dlq.TOPICS)}, and {refusals.TOPIC}"
        )
    return (wanted,)
