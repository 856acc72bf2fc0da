"""What operators ask and order: sources, replays, quarantine, identities. Behind a token of its own, below `/admin`."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeVar

import orjson
import structlog
from aiokafka.errors import KafkaError
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field, SecretStr, ValidationError
from redis.exceptions import RedisError

from services.ingest.admin.identities import Mended, Mending
from services.ingest.admin.replay import Replay, Replayed, Replaying
from services.ingest.admin.requeue import Requeue, Requeued
from services.ingest.admin.views import SourceView, view
from services.ingest.domain.people import Person, person
from services.ingest.domain.refusals import Refused
from services.ingest.links import LinksLostError
from services.ingest.sources import Registered, Sources
from services.ingest.statistics import Statistics
from shared.schemas.base import Tenant

log = structlog.get_logger(__name__)

MOST_BODY = 48 * 1_048_576  # bytes: 500 events of 64 KiB, in base64
READ_SECONDS = 30.0
_BEARER = HTTPBearer(auto_error=False, description="INGEST_ADMIN_TOKEN")
_FAILED: dict[str, tuple[int, str]] = {
    "unknown": (404, "nobody was ever seen by that, or it is a lead that has nothing any more"),
    "unknown_other": (404, "nobody was ever seen by the second, or it is a lead that has nothing any more"),
    "elsewhere": (409, "this identity does not belong to the lead that was named"),
    "own": (409, "this identity is with its own lead: to part them, un-link the other identities of that lead"),
    "full": (409, "together they have more identities than a lead may have"),
    "nobody": (409, "both are anonymous ids that belong to nobody"),
}
B = TypeVar("B", bound=BaseModel)
T = TypeVar("T")


class Link(BaseModel):
    """People as `services.ingest.domain.people` reads them: an address, a user id, a phone number, an id, or kind:value."""

    one: str = Field(max_length=500, examples=["taro@hinode.example"])
    other: str = Field(max_length=500, examples=["user:u-4711"])


class Unlink(BaseModel):
    """lead: that the identity has to be with; else nothing is done"""

    identity: str = Field(max_length=500, examples=["taro@hinode.example"])
    lead: str | None = Field(default=None, max_length=500)


class Show(BaseModel):
    who: str = Field(max_length=500, examples=["taro@hinode.example"])


class OwnedView(BaseModel):
    """An identity of a lead. own_lead: the lead that it has by itself;  told: everybody has been told of it"""

    identity_id: str
    kind: str
    own_lead: str
    sequence: int
    told: bool


class MendedView(BaseModel):
    """lead_id: whose the identities are now;  earlier_lead_id: that lost something;  changed: identities that were told about"""

    outcome: Literal["done", "same"]
    lead_id: str
    earlier_lead_id: str | None = None
    changed: int
    identities: list[OwnedView]


@dataclass(frozen=True, slots=True)
class Admin:
    """The operators' side of ingest. ready: whether links may be looked at and changed"""

    token: SecretStr | None
    sources: Sources
    statistics: Statistics
    replaying: Replaying
    requeue: Requeue
    mending: Mending
    ready: Callable[[], bool]
    secret_of: Callable[[str], bytes]

    def admit(self, credentials: HTTPAuthorizationCredentials | None) -> None:
        """Raises Refused."""
        if self.token is None or not self.token.get_secret_value():
            raise Refused("no_admin_token", "ingest was started without INGEST_ADMIN_TOKEN: nobody is admitted", 403)
        given = credentials.credentials if credentials else ""
        if not hmac.compare_digest(_digest(given), _digest(self.token.get_secret_value())):
            log.warning("admin_refused")
            raise Refused("unknown_token", "send `Authorization: Bearer` with the admin token of ingest", 401)

    def source(self, source_id: str, tenant: str | None) -> Registered:
        known = self.sources.named(source_id, tenant)
        if known is None:
            raise Refused("unknown_source", "no source has this id, or those of several tenants do: name `tenant`", 404)
        return known

    def person(self, text: str, tenant: str) -> Person:
        return person(text, self.secret_of(tenant), tenant)


def install(app: FastAPI, admin: Admin) -> None:
    """Serve `/admin` on `app`."""

    async def admitted(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        admin.admit(credentials)

    def tenant_of(tenant: Annotated[Tenant, Query()]) -> str:
        if tenant not in admin.sources.tenants():
            raise Refused("unknown_tenant", f"there is no tenant {tenant}", 404)
        return tenant

    guard = [Depends(admitted)]

    @app.get("/admin/sources", dependencies=guard, tags=["admin"])
    async def sources(tenant: Annotated[Tenant | None, Query()] = None) -> list[SourceView]:
        """All sources, or those of a tenant, with what was seen of them in the last eight UTC days."""
        if tenant is not None:
            tenant_of(tenant)
        chosen = [known for known in admin.sources.all() if tenant in (None, known.sender.tenant)]
        places = [(known.sender.tenant, known.sender.source_id) for known in chosen]
        found = await _kept(admin.statistics.read(places))
        log.info("admin", action="sources", tenant=tenant)
        return [view(known, figures) for known, figures in zip(chosen, found, strict=True)]

    @app.post("/admin/replay", dependencies=guard, tags=["admin"], openapi_extra=_body_of(Replay))
    async def replay(request: Request) -> list[Replayed]:
        """Read refused events again, mended or as they were; without verification, as of when they were received."""
        wanted = await _read(request, Replay)
        done = [await admin.replaying.replay(event) for event in wanted.events]
        tenants = sorted({event.tenant for event in wanted.events})
        log.info("admin", action="replay", tenants=tenants, events=len(done), rejected=_rejected(done))
        return done

    @app.post(
        "/admin/sources/{source_id}/requeue-unverified",
        dependencies=guard,
        tags=["admin"],
        responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
    )
    async def requeue(source_id: str, tenant: Annotated[Tenant | None, Query()] = None) -> StreamingResponse:
        """Verify a source's quarantined webhooks again. Lines of JSON: the figures so far, the last one with `done` or `code`."""
        admin.sources.refresh()  # whoever has just corrected a secret does not want to wait
        known = admin.source(source_id, tenant)
        steps = admin.requeue.run(known)
        first = await _kept(anext(steps))
        log.info("admin", action="requeue-unverified", tenant=known.sender.tenant, source=source_id)
        return StreamingResponse(_told(first, steps, known), media_type="application/x-ndjson")

    @app.post("/admin/identity/link", dependencies=guard, tags=["admin"], openapi_extra=_body_of(Link))
    async def link(request: Request, tenant: str = Depends(tenant_of)) -> MendedView:
        """Make the leads of two people one: the smaller id survives."""
        wanted = await _read(request, Link)
        one, other = admin.person(wanted.one, tenant), admin.person(wanted.other, tenant)
        return await _mended(admin, tenant, "link", one, other)

    @app.post("/admin/identity/unlink", dependencies=guard, tags=["admin"], openapi_extra=_body_of(Unlink))
    async def unlink(request: Request, tenant: str = Depends(tenant_of)) -> MendedView:
        """Give an identity back to its own lead."""
        wanted = await _read(request, Unlink)
        one = admin.person(wanted.identity, tenant)
        if one.what != "identity":
            raise Refused("bad_person", "a lead is not un-linked but one of its identities")
        lead = admin.person(f"lead:{wanted.lead}", tenant) if wanted.lead else None
        return await _mended(admin, tenant, "unlink", one, lead)

    @app.post("/admin/identity/show", dependencies=guard, tags=["admin"], openapi_extra=_body_of(Show))
    async def show(request: Request, tenant: str = Depends(tenant_of)) -> MendedView:
        """The lead of somebody, and all identities that belong to it."""
        wanted = await _read(request, Show)
        return await _mended(admin, tenant, "show", admin.person(wanted.who, tenant), None)


async def _mended(
    admin: Admin, tenant: str, action: Literal["link", "unlink", "show"], one: Person, other: Person | None
) -> MendedView:
    if not admin.ready():
        raise Refused("rebuilding", "the link registers are being read: do it again later", 503)
    done: Mended = await _kept(admin.mending.mend(tenant, action, one, other))
    log.info(
        "admin",
        action=f"identity-{action}",
        tenant=tenant,
        one=one.id,
        other=other.id if other else None,
        outcome=done.outcome,
        lead=done.lead,
        changed=done.changed,
    )
    finished = done.outcome == "own" and done.changed  # an earlier command, which nobody had heard of
    if done.outcome in _FAILED and not finished:
        status, message = _FAILED[done.outcome]
        raise Refused(done.outcome, message, status)
    return MendedView(
        outcome="same" if done.outcome == "same" else "done",
        lead_id=done.lead or "",
        earlier_lead_id=done.earlier,
        changed=done.changed,
        identities=[
            OwnedView(identity_id=o.id, kind=o.kind, own_lead=o.own, sequence=o.sequence, told=o.told)
            for o in done.identities
        ],
    )


async def _told(first: Requeued, steps: AsyncIterator[Requeued], known: Registered) -> AsyncIterator[bytes]:
    """A line of figures now and then, and a last one."""
    latest, told = first, 0.0
    loop = asyncio.get_running_loop()
    end: dict[str, Any] = {"done": True}
    try:
        async for latest in steps:
            if loop.time() - told > 1:
                told = loop.time()
                yield _line(latest, {})
    except (Refused, KafkaError, RedisError) as error:
        refused = error if isinstance(error, Refused) else Refused("unavailable", f"{type(error).__name__}", 503)
        end = {"done": False, "code": refused.code, "message": refused.message}
    log.info(
        "admin", action="requeued", tenant=known.sender.tenant, source=known.keys.source_id, **end, **latest.figures()
    )
    yield _line(latest, end)


def _line(figures: Requeued, more: dict[str, Any]) -> bytes:
    return orjson.dumps({**figures.figures(), **more}) + b"\n"


async def _kept(work: Awaitable[T]) -> T:
    """Raises Refused 503 where Kafka or Redis is away."""
    try:
        return await work
    except LinksLostError as error:
        raise Refused("rebuilding", "the link registers are being read: do it again later", 503) from error
    except (RedisError, KafkaError) as error:
        log.warning("admin_unavailable", error=repr(error))
        raise Refused("unavailable", "Redis or Kafka is away: do it again later", 503) from error


async def _read(request: Request, model: type[B]) -> B:
    """The body, within bounds. Raises Refused."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BODY:
                    raise Refused("too_large", f"a body may have {MOST_BODY} bytes", 413)
                parts.append(part)
    except TimeoutError:
        raise Refused("slow_body", f"the body took longer than {READ_SECONDS:g} s", 503) from None
    try:
        return model.model_validate_json(b"".join(parts))
    except ValidationError as error:
        words = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Refused("invalid_request", words[:1000], 422) from None


def _body_of(model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a body that is read by hand, after the token was looked at."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    inner = schema.pop("$defs", {})
    for name, definition in inner.items():
        schema = orjson.loads(
            orjson.dumps(schema).replace(
                b'{"$ref":"#/components/schemas/' + name.encode() + b'"}', orjson.dumps(definition)
            )
        )
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _rejected(done: list[Replayed]) -> int:
    return sum(result.status == "rejected" for result in done)


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
