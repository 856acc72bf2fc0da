"""How far re-scoring is in one partition: what is noted beside its states, and what follows from that. Pure.

The notes: which policy sequence all subjects of a tenant were last re-scored by, and the pass that is under way; which run of the
store the partition was last begun with, and up to where it has to be read after a loss before a pass begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

Notes = dict[str, str | None]  # field -> value; None for one that goes
Sequences = Mapping[str, int]  # tenant -> sequence of its scoring policy

PASS, BEHIND, RUN = "pass", "behind", "run"
_DONE = "done/"


class Pass(msgspec.Struct, frozen=True):
    """One walk over all subjects of a partition.

    targets: tenants to re-score, and the policy sequence by which each then is;  total: subjects when it began, of all tenants
    cursor:  of those that follow;  seen: subjects passed, of all tenants;  said: subjects re-scored, by tenant;  began_at: ms
    """

    targets: dict[str, int]
    total: int
    began_at: int
    cursor: int = 0
    seen: int = 0
    said: dict[str, int] = {}

    def left(self) -> int:
        """Subjects that it has not passed yet; some may have come since it began, so it is never quite none."""
        return max(1, self.total - self.seen)


@dataclass(frozen=True, slots=True)
class Progress:
    """behind: the position to reach before anything is re-scored; 0 for none"""

    done: Sequences
    under_way: Pass | None
    behind: int = 0
    run: str | None = None


def done(tenant: str) -> str:
    """The field that says by which policy the tenant's subjects were re-scored."""
    return _DONE + tenant


def read(noted: Mapping[str, str]) -> Progress:
    """What is noted. A pass that cannot be read, as another version of this program wrote it, is begun anew."""
    finished = {name.removeprefix(_DONE): int(value) for name, value in noted.items() if name.startswith(_DONE)}
    try:
        under_way = msgspec.json.decode(noted[PASS], type=Pass) if PASS in noted else None
    except msgspec.MsgspecError:
        under_way = None
    return Progress(finished, under_way, int(noted.get(BEHIND, 0)), noted.get(RUN))


def write(under_way: Pass | None) -> Notes:
    return {PASS: msgspec.json.encode(under_way).decode() if under_way else None}


def stale(progress: Progress, known: Sequences) -> dict[str, int]:
    """Tenants whose subjects were not re-scored by the policy that is in force, and its sequence.

    Any other sequence counts, a higher one too: whoever noted it had read a policy that this worker has yet to read, or the topic
    of policies was made anew.
    """
    return {tenant: sequence for tenant, sequence in known.items() if progress.done.get(tenant) != sequence}


def resumed(under_way: Pass, known: Sequences) -> Pass | None:
    """The pass, without those of its tenants that it cannot finish here: their policy is not read yet."""
    targets = {tenant: sequence for tenant, sequence in under_way.targets.items() if known.get(tenant, 0) >= sequence}
    return msgspec.structs.replace(under_way, targets=targets) if targets else None


def finished(under_way: Pass) -> Notes:
    return (
        write(None) | {BEHIND: None} | {done(tenant): str(sequence) for tenant, sequence in under_way.targets.items()}
    )


def after_a_loss(progress: Progress, behind: int) -> Notes:
    """What to note when the states have lost something that they may have told of already.

    While they are read again, what is said of a lead can be of a lower version than what was said before. So once as much is read
    as can have been then, which is when the position has come to `behind`, all are told once more.
    """
    notes: Notes = {done(tenant): None for tenant in progress.done}
    return notes | write(None) | {BEHIND: str(max(behind, progress.behind))}


def at_the_beginning(progress: Progress, known: Sequences, *, empty: bool) -> Notes:
    """What to note before the first record of a partition is read.

    In one that is empty, whatever comes is scored by the policies that are known. Elsewhere what was re-scored by policies that
    this worker has yet to read does not stand: until then it goes on by the ones before.
    """
    if empty:
        return {done(tenant): str(sequence) for tenant, sequence in known.items()}
    notes: Notes = {done(tenant): None for tenant, sequence in progress.done.items() if sequence > known.get(tenant, 0)}
    if progress.under_way and (left := resumed(progress.under_way, known)) != progress.under_way:
        notes |= write(left)
    return notes
