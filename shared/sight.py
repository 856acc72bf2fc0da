"""Whose work a caller may see: systems and viewers everybody's, a manager the team's, a rep their own."""

from __future__ import annotations

from dataclasses import dataclass

from shared.kit.auth import Caller
from shared.kit.problems import Problem
from shared.schemas.policies.teams import TeamsPolicy

WHOLE = frozenset({"api", "admin"})
FOR_OTHERS = WHOLE | {"manager"}  # roles that may act in a rep's name
ROLES = FOR_OTHERS | {"rep", "viewer"}


@dataclass(frozen=True, slots=True)
class Sight:
    """everything: all of the tenant; else what `reps` have, and what waits in `pools`, theirs or with one of them in it.

    led: pools whose manager is among `reps`: all that anybody has from them
    """

    everything: bool = False
    reps: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    led: tuple[str, ...] = ()


def sight_of(caller: Caller, teams: TeamsPolicy | None) -> Sight:
    """What `caller` sees. Raises Problem 403 for a token without a role.

    A manager's team are those who name them as their manager, and whom these manage; all reps, where the policy names no managers.
    """
    roles = frozenset(caller.roles)
    if not ROLES & roles:
        raise Problem(403, "no_role", "this token has none of the roles rep, api, manager, admin, viewer")
    if WHOLE & roles or "viewer" in roles:
        return Sight(everything=True)
    if "manager" in roles:
        return _of_manager(caller.name, teams)
    return Sight(reps=(caller.name,))


def _of_manager(name: str, teams: TeamsPolicy | None) -> Sight:
    managers = {rep.id: rep.manager for rep in teams.reps} if teams else {}
    if teams is None or not any(managers.values()):
        return Sight(everything=True)
    team = {name}
    while more := {rep for rep, manager in managers.items() if manager in team} - team:
        team |= more
    pools = (
        pool.id for pool in teams.pools if pool.manager == name or any(member.rep in team for member in pool.members)
    )
    led = (pool.id for pool in teams.pools if pool.manager in team)
    return Sight(reps=tuple(sorted(team)), pools=tuple(pools), led=tuple(led))
