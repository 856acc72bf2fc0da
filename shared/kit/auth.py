"""Who calls: API tokens, hashed in Postgres, verified by every service."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from time import monotonic

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from shared.kit.database import Pool
from shared.kit.problems import Problem

# For the description of an API: `Tokens` verifies.
BEARER = Depends(HTTPBearer(auto_error=False, description="An API token"))
CACHE_SECONDS = 30  # a revoked token is refused within this time


@dataclass(frozen=True, slots=True)
class Caller:
    """tenant: whose data the caller may see;  name: who it is;  roles: what it may do (api, rep, manager, admin, viewer)"""

    tenant: str
    name: str
    roles: tuple[str, ...]


def token_hash(token: str) -> bytes:
    """SHA-256: a token has 128 random bits or more, so a slow hash would protect nothing."""
    return sha256(token.encode()).digest()


class Tokens:
    """Looks callers up by their token."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[bytes, tuple[float, Caller | None]] = {}

    async def caller(self, request: Request) -> Caller:
        """The caller of `request`, looked up once for it: whoever asks again may be in a transaction, and a second connection of
        the pool may be one that never comes. Raises Problem 401."""
        found: Caller | None = getattr(request.state, "caller", None)
        if found is None:
            found = request.state.caller = await self._found(request)
        return found

    async def _found(self, request: Request) -> Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Problem(401, "no_token", "send the header `Authorization: Bearer TOKEN`")
        caller = await self._lookup(token_hash(token.strip()))
        if caller is None:
            raise Problem(401, "unknown_token", "this token is not known, or was revoked")
        if caller.roles == ("viewer",) and request.method not in ("GET", "HEAD"):
            raise Problem(403, "read_only", "a viewer sees everything, and changes nothing")
        return caller

    async def _lookup(self, digest: bytes) -> Caller | None:
        known = self._known.get(digest)
        if known and known[0] > monotonic():
            return known[1]
        row = await self._pool.fetchrow("SELECT tenant, name, roles FROM auth.tokens WHERE hash = $1", digest)
        caller = Caller(row["tenant"], row["name"], tuple(row["roles"])) if row else None
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[digest] = (monotonic() + CACHE_SECONDS, caller)
        return caller
