"""Whom a notification reaches, in which language, and when they may be disturbed; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.handoff.telling.happenings import Audience
from shared.availability.people import FOREVER, Away, Person, people
from shared.schemas.policies.teams import Channel, Rep, TeamsPolicy

Language = Literal["ja", "en"]
AT_ONCE = "live"  # the class of leads who are on the line now: nobody waits with them until the morning


@dataclass(frozen=True, slots=True)
class Reached:
    """A rep on one of their channels. to: what `{to}` in the channel's URL stands for"""

    rep: Rep
    channel: Channel
    to: str | None


class Recipients:
    """Of one version of a tenant's teams."""

    def __init__(self, teams: TeamsPolicy) -> None:
        self.teams = teams
        self._reps = {rep.id: rep for rep in teams.reps}
        self._channels = {channel.id: channel for channel in teams.channels}
        self._managers = {pool.id: pool.manager for pool in teams.pools}
        self._people = people(teams)

    def rep(self, rep_id: str) -> Rep | None:
        return self._reps.get(rep_id)

    def has_channels(self) -> bool:
        return bool(self._channels)

    def audience(self, rep_id: str, audience: Audience, pool_id: str | None = None) -> str:
        """The rep who is told of what concerns `rep_id`. Managers of who has none are those of the pool; who has nobody above them
        hears of it themselves."""
        if audience == "rep":
            return rep_id
        manager = self._manager(rep_id, pool_id)
        return self._manager(manager, pool_id) if audience == "their_manager" else manager

    def _manager(self, rep_id: str, pool_id: str | None) -> str:
        rep = self._reps.get(rep_id)
        named = rep.manager if rep else None
        named = named or self._managers.get(pool_id or "")
        return named if named in self._reps else rep_id

    def channels(self, rep_id: str) -> list[tuple[str, str]]:
        """The rep with each of their channels."""
        rep = self._reps.get(rep_id)
        named = [one.channel for one in rep.notify if one.channel in self._channels] if rep else []
        return [(rep_id, channel) for channel in named]

    def reached(self, rep_id: str, channel_id: str) -> Reached | None:
        """None where the policy does not say so any more."""
        rep, channel = self._reps.get(rep_id), self._channels.get(channel_id)
        address = next((one for one in rep.notify if one.channel == channel_id), None) if rep else None
        if rep is None or channel is None or address is None:
            return None
        return Reached(rep, channel, address.to or rep.email)

    def from_when(self, rep_id: str, away: Mapping[str, Away], now: int) -> int:
        """When the rep may be disturbed: `now` where they are at work, else when they are next (ms); FOREVER where nobody knows."""
        rep = self._reps.get(rep_id)
        person = self._people.get(rep_id) or Person(rep.zone if rep else "UTC")
        out = person.not_at_work(now, away.get(rep_id))
        if out is None:
            return now
        return FOREVER if out.until is None else out.until


def language(rep: Rep) -> Language:
    """As the rep is written to: as the policy says, else in the first of theirs that we have, else in that of their zone."""
    if rep.tell_in:
        return rep.tell_in
    spoken = next((one for one in rep.languages if one in ("ja", "en")), None)
    return "ja" if spoken == "ja" or (spoken is None and rep.zone == "Asia/Tokyo") else "en"
