"""Which leads a caller may see: a rep their own and those that they may take, a manager those of the team, systems all."""

from __future__ import annotations

from dataclasses import dataclass

from services.router.domain.lead import Lead
from services.router.domain.playbook import Playbook
from shared import sight
from shared.kit.auth import Caller


@dataclass(frozen=True, slots=True)
class Sight:
    """everything: all leads of the tenant; else those of `reps`, those that wait in `pools`, those to be claimed in `claims`, and
    those of the pools `taken` that anybody has."""

    everything: bool = False
    reps: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()

    def sees(self, lead: Lead) -> bool:
        if self.everything or lead.owner_rep in self.reps:
            return True
        if lead.pool_id is None or lead.owner_rep is not None:
            return lead.pool_id in self.taken
        return lead.pool_id in self.pools or (lead.waiting_reason == "parked:claim" and lead.pool_id in self.claims)


def sight_of(caller: Caller, playbook: Playbook | None) -> Sight:
    """What `caller` sees. Raises Problem 403 for a token without a role."""
    seen = sight.sight_of(caller, playbook.teams if playbook else None)
    if playbook is None or seen.everything or "manager" in caller.roles:
        return Sight(seen.everything, seen.reps, seen.pools)
    claims = (
        pool.id
        for pool in playbook.pools.values()
        if pool.mode == "claim" and any(member.rep == caller.name for member in pool.members)
    )
    return Sight(reps=seen.reps, claims=tuple(claims))
