"""Which leads a caller may see: a rep their own and those that they may take, a manager those of the team, systems all."""

from __future__ import annotations

from dataclasses import dataclass

from services.router.domain.lead import Lead
from services.router.domain.playbook import Playbook
from shared.kit.auth import Caller
from shared.kit.problems import Problem

WHOLE = frozenset({"api", "admin"})
ROLES = WHOLE | {"manager", "rep"}


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
    """What `caller` sees. Raises Problem 403 for a token without a role.

    A manager's team are those who name them as their manager, and whom these manage; all reps, where the policy names no managers.
    """
    roles = frozenset(caller.roles)
    if not ROLES & roles:
        raise Problem(403, "no_role", "this token has none of the roles rep, api, manager, admin")
    if WHOLE & roles:
        return Sight(everything=True)
    if "manager" in roles:
        return _of_manager(caller.name, playbook)
    claims = (
        pool.id
        for pool in (playbook.pools.values() if playbook else ())
        if pool.mode == "claim" and any(member.rep == caller.name for member in pool.members)
    )
    return Sight(reps=(caller.name,), claims=tuple(claims))


def _of_manager(name: str, playbook: Playbook | None) -> Sight:
    managers = {rep.id: rep.manager for rep in playbook.reps.values()} if playbook else {}
    if playbook is None or not any(managers.values()):
        return Sight(everything=True)
    team = {name}
    while more := {rep for rep, manager in managers.items() if manager in team} - team:
        team |= more
    pools = (
        pool.id
        for pool in playbook.pools.values()
        if pool.manager == name or any(member.rep in team for member in pool.members)
    )
    return Sight(reps=tuple(sorted(team)), pools=tuple(pools))
