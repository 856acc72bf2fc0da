"""Since when the marks of each rule are kept. A rule whose key came with a later policy knows nothing of what was before, until it
is complete by itself (a horizon later) or the states are built anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from redis.asyncio import Redis

from services.scoring.domain.ledger import HORIZONS
from services.scoring.domain.rules import Rules
from services.scoring.states import persistently, space

ALWAYS = 0  # since the first record that the states were built from
HAND_RAISE = "hand-raise."  # and a touch type: touches that ask to be contacted are remembered apart from any rule
# Then tenant and name: since when it was kept until a policy without it came, and when that was. Workers of an earlier version read
# fields with a slash in them alone.
BEFORE = "before:"

# KEYS: recorded   ARGV: tenant, sequence, since, the longest horizon, then names. Of several workers any may write first; an older
# policy never does. What was whole again by the time it goes does not lack any more what it once lacked.
NOTE = """
local mark = ARGV[1] .. '/'
local known = redis.call('HGET', KEYS[1], mark)
if known and tonumber(known) >= tonumber(ARGV[2]) then return 0 end
local wanted = {}
for i = 5, #ARGV do
  wanted[mark .. ARGV[i]] = true
  redis.call('HSETNX', KEYS[1], mark .. ARGV[i], known and ARGV[3] or '0')
end
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(name, 1, #mark) == mark and name ~= mark and not wanted[name] then
    local since = redis.call('HGET', KEYS[1], name)
    local before = 'before:' .. ARGV[1] .. ':' .. string.sub(name, #mark + 1)
    if tonumber(since) + tonumber(ARGV[4]) <= tonumber(ARGV[3]) then
      redis.call('HSET', KEYS[1], before, '0 ' .. ARGV[3])
    else
      redis.call('HSETNX', KEYS[1], before, since .. ' ' .. ARGV[3])
    end
    redis.call('HDEL', KEYS[1], name)
  end
end
redis.call('HSET', KEYS[1], mark, ARGV[2])
return 1
"""


class Kept(NamedTuple):
    """What a policy lets the states remember. name: of the marks;  rule_id: that reads them;  horizon: for how long, ms"""

    name: str
    rule_id: str
    horizon: int


class Before(NamedTuple):
    """Marks that no policy names any more stay: what was remembered of a name earlier, from `since` (ms) to `until`."""

    since: int
    until: int


class Partly(NamedTuple):
    """Something remembered only since a moment (ms), and before another one if an earlier policy named it, until it is complete."""

    kept: Kept
    since: int
    before: Before | None = None

    @property
    def complete_at(self) -> int:
        return self.since + self.kept.horizon


def kept_by(rules: Rules) -> list[Kept]:
    """All that this version lets the states remember, by rule id; of a hand-raise by its touch type."""
    found = {
        Kept(rule.key, rule.rule_id, rule.horizon) for rule_set in rules.rule_sets() for rule in rule_set.behaviour
    }
    raises = {Kept(HAND_RAISE + kind, kind, HORIZONS[-1]) for kind in rules.hand_raises}
    return sorted(found | raises, key=lambda kept: (kept.rule_id, kept.name))


def partly(
    rules: Rules, since: Mapping[str, int], now: int, before: Mapping[str, Before] | None = None
) -> list[Partly]:
    """What of it counts only in part at `now` (ms).

    since: by name of marks; empty for a tenant of whom nothing was noted yet, whose first policy this is;  before: likewise
    """
    not_noted = now if since else ALWAYS  # as the next worker will
    found = []
    for kept in kept_by(rules):
        earlier = (before or {}).get(kept.name)
        if earlier and earlier.until + kept.horizon <= now:
            earlier = None  # all that it holds counts for nothing
        elif earlier and earlier.since + kept.horizon <= now:
            earlier = earlier._replace(since=ALWAYS)
        found.append(Partly(kept, since.get(kept.name, not_noted), earlier))
    return [one for one in found if one.since != ALWAYS and one.complete_at > now]


class Recorded:
    """What the states of each epoch remember since when, in a hash `<group>[.<epoch>]:recorded` that lives as long as they do."""

    def __init__(self, redis: Redis, group: str) -> None:
        self._redis, self._group = redis, group

    async def note(self, epoch: int, tenant: str, rules: Rules, since: int) -> None:
        """These rules are in force since then (ms). What the tenant's first policy names is complete: it was always there."""
        names: Iterable[str] = {kept.name for kept in kept_by(rules)}
        arguments = (tenant, str(rules.ref.sequence), str(since), str(HORIZONS[-1]), *sorted(names))
        await persistently(lambda: _answer(self._redis.eval(NOTE, 1, self._key(epoch), *arguments)))

    async def read(self, epoch: int) -> dict[str, dict[str, int]]:
        """Since when (ms; ALWAYS), by tenant and name of marks."""
        return _since(await self._fields(epoch))

    async def before(self, epoch: int) -> dict[str, dict[str, Before]]:
        """What was remembered before a policy came that did not name it, by tenant and name of marks."""
        return _before(await self._fields(epoch))

    async def partly(self, epoch: int, rules: Mapping[str, Rules], now: int) -> dict[str, list[Partly]]:
        """What counts only in part at `now` (ms) of each of these tenants, by the rules given."""
        fields = await self._fields(epoch)
        since, before = _since(fields), _before(fields)
        return {
            tenant: partly(theirs, since.get(tenant, {}), now, before.get(tenant)) for tenant, theirs in rules.items()
        }

    async def drop(self, epoch: int) -> None:
        await persistently(lambda: _answer(self._redis.unlink(self._key(epoch))))

    async def _fields(self, epoch: int) -> list[tuple[str, str]]:
        noted: Mapping[bytes, bytes] = await persistently(lambda: _answer(self._redis.hgetall(self._key(epoch))))
        return [(field.decode(), value.decode()) for field, value in noted.items()]

    def _key(self, epoch: int) -> str:
        return f"{space(self._group, epoch)}:recorded"


def _since(fields: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for field, since in fields:
        tenant, _, name = field.partition("/")
        if name:
            found.setdefault(tenant, {})[name] = int(since)
    return found


def _before(fields: Iterable[tuple[str, str]]) -> dict[str, dict[str, Before]]:
    found: dict[str, dict[str, Before]] = {}
    for field, value in fields:
        if field.startswith(BEFORE):
            tenant, _, name = field.removeprefix(BEFORE).partition(":")
            since, until = value.split()
            found.setdefault(tenant, {})[name] = Before(int(since), int(until))
    return found


async def _answer(command: Any) -> Any:
    return await command
