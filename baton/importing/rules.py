"""What the tenant's policy says of a file: its source, its campaigns, its reps, the answers that it reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping as Map
from dataclasses import dataclass, field
from pathlib import Path

from baton import policies
from baton.errors import OperatorError
from baton.importing.identity import fold
from baton.policies.problems import suggest
from shared.schemas.policies import SourcesPolicy, TeamsPolicy
from shared.schemas.policies.sources import Campaign, Source


@dataclass(frozen=True, slots=True)
class Rules:
    """said: where they were read, for people"""

    tenant: str
    sources: SourcesPolicy = field(repr=False)
    teams: TeamsPolicy = field(repr=False)
    said: str

    def campaigns(self) -> Map[str, Campaign]:
        return {campaign.id: campaign for campaign in self.sources.campaigns}

    def reps(self) -> Map[str, str]:
        """What a file may call a rep, folded -> the rep's id: by id, name or address."""
        named = {fold(rep.name): rep.id for rep in self.teams.reps if rep.name}
        named |= {fold(rep.email): rep.id for rep in self.teams.reps if rep.email}
        return named | {fold(rep.id): rep.id for rep in self.teams.reps}

    def rep_ids(self) -> tuple[str, ...]:
        return tuple(rep.id for rep in self.teams.reps)

    def answers_read(self) -> frozenset[str]:
        """Properties that an evidence rule reads."""
        return frozenset(name for rule in self.sources.evidence for name in rule.fields)

    def consents_read(self) -> frozenset[str]:
        return frozenset(name for rule in self.sources.consent for name in rule.fields)

    def source(self, source_id: str) -> Source:
        """The source of this id. Raises OperatorError where it is none that files come by."""
        found = next((source for source in self.sources.sources if source.id == source_id), None)
        files = [source.id for source in self.sources.sources if source.kind == "import"]
        if found is None:
            hint = suggest(source_id, files) or " It needs one of `kind: import`."
            raise OperatorError(f"tenant `{self.tenant}` has no source `{source_id}`.{hint}")
        if found.kind != "import":
            raise OperatorError(
                f"source `{source_id}` of tenant `{self.tenant}` is of kind `{found.kind}`; files come by one of kind `import`."
                + suggest("", files)
            )
        return found


def in_force(tenant: str, database_url: str) -> Rules:
    """What is in force now. Raises OperatorError where that cannot be known."""

    async def read() -> tuple[policies.Stored, policies.Stored]:
        return (
            await policies.show(tenant, "sources", database_url=database_url),
            await policies.show(tenant, "teams", database_url=database_url),
        )

    try:
        sources, teams = asyncio.run(read())
    except LookupError as error:
        raise OperatorError(str(error.args[0])) from None
    except OSError as error:
        raise OperatorError(f"Postgres cannot be reached ({error}): is Baton up?") from error
    return Rules(
        tenant,
        SourcesPolicy.model_validate(sources.record.body),
        TeamsPolicy.model_validate(teams.record.body),
        f"the policy in force (sources version {sources.record.sequence})",
    )


def in_files(tenant: str, directory: Path) -> Rules:
    """What the files below `directory` say, in force or not. Raises OperatorError with everything that is wrong with them."""
    of_tenant = directory / tenant
    if not of_tenant.is_dir():
        tenants = [path.name for path in directory.iterdir() if path.is_dir()] if directory.is_dir() else []
        raise OperatorError(
            f"a dry run reads the policy from files, and there is no {of_tenant}: --policies names another directory."
            + suggest(tenant, tenants)
        )
    found = policies.read(of_tenant).policies
    sources, teams = found["sources"], found["teams"]
    assert isinstance(sources, SourcesPolicy)
    assert isinstance(teams, TeamsPolicy)
    return Rules(tenant, sources, teams, f"{of_tenant} (its files, in force or not)")
