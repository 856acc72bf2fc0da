"""Policies at the start: what is good comes into force; a broken file keeps a good version in force, and is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from baton import policies
from baton.policies import PolicyErrors
from baton.policies.reading import directories
from shared.schemas.policies import KINDS, OPTIONAL

MOST = 5  # problems told of a tenant


async def apply_the_good(
    path: Path, database_url: str, bootstrap: str, environment: Mapping[str, str], say: Callable[[str], None]
) -> None:
    """Bring the policies at `path` into force. A tenant whose files are broken goes on with its versions in force, where there is
    one of every kind; `say` hears which, and why. Raises PolicyErrors where there is not.
    """
    try:
        await policies.apply(path, database_url, bootstrap, environment=environment)
    except PolicyErrors:
        for directory in directories(path):
            await _of_tenant(directory, database_url, bootstrap, environment, say)


async def _of_tenant(
    directory: Path, database_url: str, bootstrap: str, environment: Mapping[str, str], say: Callable[[str], None]
) -> None:
    try:
        await policies.apply(directory, database_url, bootstrap, environment=environment)
    except PolicyErrors as errors:
        try:
            for kind in KINDS.keys() - OPTIONAL:
                await policies.show(directory.name, kind, database_url=database_url)
        except LookupError:
            raise errors from None
        say(f"WARNING: the policies in {directory} are broken, and were not applied: the versions in force go on")
        for problem in errors.problems[:MOST]:
            say(f"  {problem}")
        if len(errors.problems) > MOST:
            say(f"  … and {len(errors.problems) - MOST} more: `baton policy lint {directory.name}`")
