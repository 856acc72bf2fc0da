"""All checks of the policies of one tenant or of all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from baton.lint.gate import GATE_CHECKS
from baton.lint.hours import HOURS_CHECKS
from baton.lint.lifecycle import LIFECYCLE_CHECKS
from baton.lint.pipeline import PIPELINE_CHECKS
from baton.lint.promises import PROMISE_CHECKS
from baton.lint.routing import ROUTING_CHECKS
from baton.lint.scoring import SCORING_CHECKS
from baton.lint.sources import SOURCES_CHECKS
from baton.lint.teams import TEAM_CHECKS
from baton.policies.cross_checks import cross_check, told
from baton.policies.findings import Check, Policies
from baton.policies.problems import PolicyErrors, Problem
from baton.policies.reading import directories, parted, valid

CHECKS: tuple[Check, ...] = (
    *SOURCES_CHECKS,
    *SCORING_CHECKS,
    *GATE_CHECKS,
    *PROMISE_CHECKS,
    *LIFECYCLE_CHECKS,
    *PIPELINE_CHECKS,
    *ROUTING_CHECKS,
    *TEAM_CHECKS,
    *HOURS_CHECKS,
)


def lint(path: Path, now: datetime | None = None) -> list[Problem]:
    """Everything that is found in the policies at `path` (of one tenant, or of all below it), in order of file and line.

    now: what is past is told by it; the time when left out. Raises PolicyErrors where there is no such directory.
    """
    return [problem for directory in directories(path) for problem in _of_tenant(directory, now)]


def refuse(path: Path, now: datetime | None = None) -> list[Problem]:
    """What should be looked at. Raises PolicyErrors with all that keeps policies from coming into force."""
    wrong, doubtful = parted(lint(path, now))
    if wrong:
        raise PolicyErrors(wrong)
    return doubtful


def _of_tenant(directory: Path, now: datetime | None) -> Sequence[Problem]:
    try:
        policies = valid(directory, now).checked
    except PolicyErrors as errors:
        return errors.problems
    return sorted([*cross_check(policies), *reasoned(policies)], key=Problem.where)


def reasoned(policies: Policies) -> list[Problem]:
    """What only reasoning finds."""
    return told(policies, [finding for check in CHECKS for finding in check(policies)])
