"""Reading the policies of a tenant: all files of its directory, checked each for itself and all together."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import orjson

from baton.policies.cross_checks import cross_check, told
from baton.policies.documents import Document, load
from baton.policies.findings import Policies
from baton.policies.models import validate
from baton.policies.problems import PolicyErrors, Problem, suggest
from baton.policies.secret_checks import missing, only_here, shared, shared_channels, unreadable
from shared.schemas.base import TENANT_PATTERN
from shared.schemas.policies import KINDS, OPTIONAL, Policy, SourcesPolicy, TeamsPolicy


@dataclass(frozen=True, slots=True)
class PolicySet:
    """All policies of a tenant, good to come into force.

    checked:  the policies with their documents
    bodies:   by kind, as written: what is stored and published
    warnings: what should be looked at, and keeps nothing from coming into force
    """

    tenant: str
    checked: Policies = field(repr=False)
    policies: Mapping[str, Policy] = field(repr=False)
    bodies: Mapping[str, dict[str, Any]] = field(repr=False)
    warnings: tuple[Problem, ...] = ()


def body_hash(body: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON (keys in order, no white space): comments and layout do not count."""
    return sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read(directory: Path, now: datetime | None = None) -> PolicySet:
    """The policies in `directory`, whose name is the tenant's. Raises PolicyErrors with everything that is wrong.

    now: what is past is told by it; the time when left out
    """
    found = valid(directory, now)
    problems, warnings = parted(cross_check(found.checked))
    if problems:
        raise PolicyErrors(problems)
    return replace(found, warnings=tuple(warnings))


def valid(directory: Path, now: datetime | None = None) -> PolicySet:
    """The same, each policy looked at by itself alone."""
    problems = [*_names(directory), *_lacking(directory)]
    documents: dict[str, Document] = {}
    policies: dict[str, Policy] = {}
    for kind, model in KINDS.items():
        path = directory / f"{kind}.yaml"
        if not path.is_file():
            continue
        document, faults = load(path, str(path))
        problems += faults
        if document is None:
            continue
        policy, faults = validate(document, model)
        problems += faults
        if policy is not None:
            documents[kind], policies[kind] = document, policy
    if problems:
        raise PolicyErrors(sorted(problems, key=Problem.where))
    kinds = dict.fromkeys(OPTIONAL) | policies
    checked = Policies(**cast(Any, kinds), documents=documents, now=now or datetime.now(UTC))
    bodies = {kind: document.content for kind, document in documents.items()}
    return PolicySet(directory.name, checked, policies, bodies)


def parted(problems: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
    """What keeps policies from coming into force, and all else."""
    found: tuple[list[Problem], list[Problem]] = ([], [])
    for problem in problems:
        found[problem.severity != "error"].append(problem)
    return found


def check_secrets(
    sets: Sequence[PolicySet],
    others: Mapping[str, SourcesPolicy],
    environment: Mapping[str, str],
    doubtful: Collection[str] = (),
    others_teams: Mapping[str, TeamsPolicy] | None = None,
) -> list[Problem]:
    """What should be looked at. Raises PolicyErrors where a source or channel has no key, secret or URL, or another's.

    others, others_teams: of tenants in force, those of `sets` or not;  environment: what `env:NAME` refers to
    doubtful: names of it that ingest may not have
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    everybody = {**others, **{each.tenant: each.checked.sources for each in sets}}
    teams = {**(others_teams or {}), **{each.tenant: each.checked.teams for each in sets}}
    for each in sets:
        rest = {tenant: sources for tenant, sources in everybody.items() if tenant != each.tenant}
        found = [
            *missing(each.checked, environment),
            *unreadable(each.checked, environment),
            *shared(each.checked, each.tenant, rest, environment),
            *shared_channels(each.checked, each.tenant, teams, environment),
        ]
        wrong, noted = parted(told(each.checked, [*found, *only_here(each.checked, doubtful)]))
        problems += wrong
        warnings += noted
    if problems:
        raise PolicyErrors(problems)
    return warnings


def read_all(path: Path, now: datetime | None = None) -> list[PolicySet]:
    """The policies of one tenant (`policies/northstar`) or of every tenant below `path` (`policies`), in order of name.

    Raises PolicyErrors with what is wrong in any of them.
    """
    sets: list[PolicySet] = []
    problems: list[Problem] = []
    for directory in directories(path):
        try:
            sets.append(read(directory, now))
        except PolicyErrors as errors:
            problems += errors.problems
    if problems:
        raise PolicyErrors(problems)
    return sets


def named(given: str | Path, base: Path = Path("policies")) -> Path:
    """The directory that is meant: as it is given, or the tenant of that name below `base`, also one that is not there."""
    path = Path(given)
    return base / path if not path.is_dir() and len(path.parts) == 1 and base.is_dir() else path


def directories(path: Path) -> Sequence[Path]:
    """The directories of the tenants that `path` names. Raises PolicyErrors where there is none."""
    if path.is_file():
        told = f"is a file: name its directory, `{path.parent}`, since the files of a tenant come into force together"
        raise PolicyErrors([Problem(str(path), None, told, "not-there")])
    if not path.is_dir():
        siblings = [d.name for d in path.parent.iterdir() if d.is_dir()] if path.parent.is_dir() else []
        raise PolicyErrors(
            [Problem(str(path), None, f"there is no such directory.{suggest(path.name, siblings)}", "not-there")]
        )
    below = sorted(d for d in path.iterdir() if d.is_dir() and not d.name.startswith("."))
    if below and not any(path.glob("*.y*ml")):
        return below
    return [path if path.name else path.resolve()]


def _lacking(directory: Path) -> list[Problem]:
    """One problem for all files that a tenant cannot do without and that are not there."""
    needed = [f"{kind}.yaml" for kind in KINDS if kind not in OPTIONAL]
    lacking = [name for name in needed if not (directory / name).is_file()]
    if not lacking:
        return []
    *others, last = lacking
    where, told = (
        (directory, f"{', '.join(others)} and {last} are missing") if others else (directory / last, "is missing")
    )
    return [Problem(str(where), None, f"{told}: a tenant has all of {', '.join(needed)}", "not-there")]


def _names(directory: Path) -> list[Problem]:
    """The directory is named like a tenant, and what looks like a policy is named like one."""
    problems: list[Problem] = []
    if not re.fullmatch(TENANT_PATTERN, directory.name):
        words = "a tenant's name has up to 63 of a-z, 0-9 and `-`, and starts with a letter or digit"
        problems.append(Problem(str(directory), None, words, "wrong-name"))
    for path in sorted(directory.glob("[!.]*.y*ml")):
        if path.suffix != ".yaml" or path.stem not in KINDS:
            hint = suggest(path.name, [f"{kind}.yaml" for kind in KINDS])
            problems.append(Problem(str(path), None, f"there is no kind of policy of this name.{hint}", "wrong-name"))
    return problems
