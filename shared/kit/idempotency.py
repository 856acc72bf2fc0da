"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a POST that is sent again is done once, and answered the same.

The key is kept with its answer by the transaction that has the effect: both are there, or neither. So a caller who got no answer
sends the request again. What was refused had no effect: it is not kept, and is looked at anew.

`OnceRoute` does it for every POST of a router, `APIRouter(route_class=OnceRoute)`; `Once.do` for one route by hand.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Coroutine
from hashlib import sha256
from typing import Annotated, Any, Protocol

import orjson
from fastapi import Depends, Header, Request, Response
from fastapi.routing import APIRoute

from shared.kit import forgetting
from shared.kit.auth import Caller, Tokens
from shared.kit.clock import Clock
from shared.kit.database import Connection, Pool, one_transaction, tenant_transaction
from shared.kit.problems import Problem, described

KEPT = 86_400_000  # ms that an answer is given again
SLICE = 5_000  # rows forgotten at a time
LONGEST = 255

Body = dict[str, Any]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Your name for this request, such as a UUID: sent again within a day it is done once and answered the same,"
        " with `Idempotency-Replayed: true`. 409 `request_in_progress` while the first one is at work;"
        " 422 `idempotency_key_reused` for another request of that name.",
        examples=['"8e03978e-40d5-43e8-bc93-6894a57f9324"'],
    ),
]
_BARE = re.compile(r"[\x21\x23-\x7e]+")
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"')  # a string of RFC 9651


def create_table(schema: str) -> str:
    """The SQL of the table in `schema`, with row-level security; for a migration."""
    return f"""
    CREATE TABLE {schema}.idempotency_keys (
        tenant text NOT NULL,
        caller text NOT NULL,           -- name and roles of the token: keys of two callers never meet
        key text NOT NULL,
        digest bytea NOT NULL,          -- of method, path, If-Match and body
        answer jsonb NOT NULL,
        at bigint NOT NULL,
        PRIMARY KEY (tenant, caller, key)
    );
    CREATE INDEX idempotency_keys_by_age ON {schema}.idempotency_keys (at);
    ALTER TABLE {schema}.idempotency_keys ENABLE ROW LEVEL SECURITY;
    ALTER TABLE {schema}.idempotency_keys FORCE ROW LEVEL SECURITY;
    CREATE POLICY tenant_rows ON {schema}.idempotency_keys TO baton_app
        USING (tenant = current_setting('baton.tenant', true))
        WITH CHECK (tenant = current_setting('baton.tenant', true));
    CREATE POLICY all_rows ON {schema}.idempotency_keys TO baton_worker USING (true);
    GRANT SELECT, INSERT, UPDATE ON {schema}.idempotency_keys TO baton_app;
    GRANT SELECT (tenant, caller, key, at), DELETE ON {schema}.idempotency_keys TO baton_worker;
    """


class Seals(Protocol):
    """Keeps what is personal or secret from whoever reads the table."""

    def seal(self, tenant: str, name: str, secret: bytes, /) -> bytes: ...

    def open(self, tenant: str, name: str, sealed: bytes, /) -> bytes:
        """Raises ValueError for what was sealed under another name or secret."""


class Once:
    """Does a request once. schema: of the service, which has the table"""

    def __init__(self, pool: Pool, schema: str, clock: Clock) -> None:
        self._pool, self._schema, self._clock = pool, schema, clock

    async def do(
        self,
        request: Request,
        response: Response,
        caller: Caller,
        key: str | None,
        effect: Callable[[Connection], Awaitable[Body]],
    ) -> Body:
        """What `effect` answers, or answered when it was asked first; without a key it is just done.

        effect: does all of it on the connection that it is given, a transaction of the caller's tenant; its answer must be JSON,
                and hold nothing personal, because it is kept
        Raises Problem 400, 409 and 422, and what `effect` raises.
        """
        name = None if key is None else parse(key)
        async with tenant_transaction(self._pool, caller.tenant) as connection:
            if name is None:
                return await effect(connection)
            digest = await digest_of(request)
            await self._be_alone(connection, caller, name)
            answer = await self._answered(connection, caller, name, digest)
            if answer is not None:
                response.headers["Idempotency-Replayed"] = "true"
                return answer
            answer = await effect(connection)
            await self._keep(connection, caller, name, digest, answer)
            return answer

    async def answer(
        self, request: Request, caller: Caller, key: str, seals: Seals, work: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """What `work` answers, or answered when it was asked first, byte for byte; kept sealed. All that it does to the database
        is one transaction, with the key. Raises Problem 400, 409 and 422, and what `work` raises."""
        name, digest = parse(key), await digest_of(request)
        sealed_as = f"answer\0{caller.name}\0{name}"
        try:
            async with one_transaction(self._pool, caller.tenant) as connection:
                await self._be_alone(connection, caller, name)
                kept = await self._answered(connection, caller, name, digest)
                if kept is not None:
                    return _again(_opened(seals, caller.tenant, sealed_as, kept))
                response = await work(request)
                if response.status_code >= 300:
                    raise _RefusedError(response)
                sealed = seals.seal(caller.tenant, sealed_as, _written(response))
                await self._keep(connection, caller, name, digest, {"sealed": b64encode(sealed).decode()})
                return response
        except _RefusedError as refused:
            return refused.response

    async def _be_alone(self, connection: Connection, caller: Caller, key: str) -> None:
        """The only one at work with this key until the transaction ends. Raises Problem 409."""
        name = "\0".join((self._schema, caller.tenant, caller.name, key)).encode()
        number = int.from_bytes(sha256(name).digest()[:8], "big", signed=True)
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", number):
            raise Problem(409, "request_in_progress", "the first request of this Idempotency-Key is still at work")

    async def _answered(self, connection: Connection, caller: Caller, key: str, digest: bytes) -> Body | None:
        """The answer of the first request of this key; None where there was none within a day. Raises Problem 422."""
        row = await connection.fetchrow(
            f"SELECT digest, answer FROM {self._schema}.idempotency_keys"
            " WHERE tenant = $1 AND caller = ANY($2) AND key = $3 AND at > $4 ORDER BY at DESC LIMIT 1",
            caller.tenant,
            # The name alone: what programs of before kept, whose answers are asked for again when they are replaced.
            [_kept_for(caller), caller.name],
            key,
            self._clock.now() - KEPT,
        )
        if row is None:
            return None
        if row["digest"] != digest:
            raise Problem(
                422, "idempotency_key_reused", "another request was sent with this Idempotency-Key: choose a new one"
            )
        answer: Body = row["answer"]
        return answer

    async def _keep(self, connection: Connection, caller: Caller, key: str, digest: bytes, answer: Body) -> None:
        await connection.execute(
            f"INSERT INTO {self._schema}.idempotency_keys (tenant, caller, key, digest, answer, at)"
            " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, caller, key)"
            " DO UPDATE SET digest = excluded.digest, answer = excluded.answer, at = excluded.at",
            caller.tenant,
            _kept_for(caller),
            key,
            digest,
            answer,
            self._clock.now(),
        )


class OnceRoute(APIRoute):
    """A route whose POST is done once for each `Idempotency-Key`; without one, or with another method, it is a route as any.

    Its application has `state.once`, `state.tokens` and `state.seals`. The handler may begin transactions by `tenant_transaction`
    of the pool of `once` as it likes; they hold together with the key. What it refuses it must raise or answer with 300 or more.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        if "POST" in (more.get("methods") or ()):
            known = list(more.get("dependencies") or ())
            more["dependencies"] = known if _KEY in known else [*known, _KEY]
            more["responses"] = _ALSO | (more.get("responses") or {})
        super().__init__(path, endpoint, **more)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        work = super().get_route_handler()
        if "POST" not in (self.methods or ()):
            return work

        async def handle(request: Request) -> Response:
            key = request.headers.get("idempotency-key")
            if key is None:
                return await work(request)
            state = request.app.state
            once: Once = state.once
            tokens: Tokens = state.tokens
            return await once.answer(request, await tokens.caller(request), key, state.seals, work)

        return handle


async def _documented(idempotency_key: Key = None) -> None:
    """For the OpenAPI document: `OnceRoute` reads it."""


_KEY = Depends(_documented)
_ALSO = described(
    _400="`bad_idempotency_key`",
    _409="`request_in_progress`: the first request of this Idempotency-Key is still at work",
)


class _RefusedError(Exception):
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def _kept_for(caller: Caller) -> str:
    """Whose key it is. Of two tokens with one name, each may do other things and is told other things; one that has lost a role
    is looked at anew, and refused what it may no longer do."""
    return orjson.dumps([caller.name, *sorted(caller.roles)]).decode()


def _written(response: Response) -> bytes:
    # All headers that the route gave: ETag, say. The length is that of the body, whoever sends it.
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    kept = {
        "status": response.status_code,
        "type": response.media_type,
        "headers": headers,
        "body": bytes(response.body).decode(),
    }
    return orjson.dumps(kept)


def _opened(seals: Seals, tenant: str, sealed_as: str, kept: Body) -> Body:
    try:
        opened: Body = orjson.loads(seals.open(tenant, sealed_as, b64decode(kept["sealed"])))
    except ValueError:
        raise Problem(
            409, "answer_unreadable", "it was done, and its answer cannot be read any more: read it anew"
        ) from None
    return opened


def _again(kept: Body) -> Response:
    headers = {**kept.get("headers", {}), "Idempotency-Replayed": "true"}
    return Response(kept["body"] or None, kept["status"], headers, kept["type"])


async def keep_forgetting(workers: Pool, schema: str, clock: Clock) -> None:
    """Delete what is older than a day, every hour, until cancelled. workers: of baton_worker"""
    await forgetting.keep_forgetting(lambda pool, before: _forget(pool, schema, before), workers, clock, KEPT)


async def forget(workers: Pool, schema: str, now: int) -> int:
    """Delete what is older than a day, slice by slice; how many keys that were."""
    return await _forget(workers, schema, now - KEPT)


async def _forget(workers: Pool, schema: str, until: int) -> int:
    old = (
        f"DELETE FROM {schema}.idempotency_keys WHERE (tenant, caller, key) IN"
        f" (SELECT tenant, caller, key FROM {schema}.idempotency_keys WHERE at <= $1 LIMIT {SLICE})"
        # Looked at once more under the lock: one that was kept anew while we waited for it is young.
        " AND at <= $1"
    )
    return await forgetting.delete_slices(workers, old, until)


def parse(text: str) -> str:
    """The key of a header: a quoted string, as the draft asks, or the same without quotes. Raises Problem 400."""
    quoted = _QUOTED.fullmatch(text.strip())
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else text.strip()
    if len(key) > LONGEST or not (quoted or _BARE.fullmatch(key)):
        raise Problem(400, "bad_idempotency_key", f"1 to {LONGEST} printable characters, best a UUID in double quotes")
    return key


async def digest_of(request: Request) -> bytes:
    """SHA-256 of what makes it the same request: method, path with its query, `If-Match`, body."""
    body = await request.body()
    query = f"?{request.url.query}" if request.url.query else ""
    match = "".join(f"if-match: {value}\n" for value in request.headers.getlist("if-match"))
    return sha256(f"{request.method} {request.url.path}{query}\n{match}".encode() + body).digest()
