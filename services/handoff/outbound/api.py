"""The API of endpoints: where webhooks go, what was delivered, and sending it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import SecretStr

from services.handoff.outbound import bodies, signing
from services.handoff.outbound.addresses import Allowed, check_url
from services.handoff.outbound.endpoints import (
    MOST,
    Changes,
    DisabledError,
    Endpoints,
    TooManyEndpointsError,
    UnknownDeliveryError,
    UnknownEndpointError,
)
from services.handoff.outbound.messages import EVENT_TYPES
from services.handoff.paging import UUID, Cursor, cursor, place
from shared.kit.auth import BEARER, Caller, Tokens
from shared.kit.idempotency import OnceRoute
from shared.kit.problems import Problem, described
from shared.sight import WHOLE

_COMMON = described(_401="no token, or an unknown one", _403="the token may not do this", _422="the request is wrong")
_ONE = described(_404="no such endpoint, or no such message at it") | _COMMON
_SEND = described(_409="`endpoint_disabled`: enable it first") | _ONE


class EndpointsApi:
    """The routes under /v1/endpoints. The tenant comes from the caller's token, and from nowhere else."""

    def __init__(self, endpoints: Endpoints, tokens: Tokens, allowed: Allowed) -> None:
        self._endpoints, self._tokens, self._allowed = endpoints, tokens, allowed

    def router(self) -> APIRouter:
        router = APIRouter(prefix="/v1", tags=["endpoints"], dependencies=[BEARER], route_class=OnceRoute)
        many, one = "/endpoints", "/endpoints/{endpoint_id}"
        created = described(_409="`too_many_endpoints`") | _COMMON
        router.add_api_route("/event-types", self.event_types, methods=["GET"], responses=_COMMON)
        router.add_api_route(many, self.create, methods=["POST"], status_code=201, responses=created)
        router.add_api_route(many, self.list, methods=["GET"], responses=_COMMON)
        router.add_api_route(one, self.read, methods=["GET"], responses=_ONE)
        router.add_api_route(one, self.change, methods=["PATCH"], responses=_ONE)
        router.add_api_route(one, self.delete, methods=["DELETE"], status_code=204, responses=_ONE)
        router.add_api_route(f"{one}/secret/rotate", self.rotate, methods=["POST"], responses=_ONE)
        router.add_api_route(f"{one}/test", self.test, methods=["POST"], status_code=202, responses=_SEND)
        router.add_api_route(f"{one}/resend", self.resend_failed, methods=["POST"], status_code=202, responses=_SEND)
        router.add_api_route(f"{one}/deliveries", self.deliveries, methods=["GET"], responses=_ONE)
        delivery = f"{one}/deliveries/{{message_id}}"
        router.add_api_route(delivery, self.delivery, methods=["GET"], responses=_ONE)
        router.add_api_route(f"{delivery}/resend", self.resend, methods=["POST"], status_code=202, responses=_SEND)
        return router

    async def event_types(self, request: Request) -> bodies.EventTypeList:
        """What an endpoint can hear of."""
        await self._caller(request)
        return bodies.EventTypeList(
            items=[bodies.EventType(type=name, description=words) for name, words in EVENT_TYPES.items()]
        )

    async def create(self, request: Request, body: bodies.Create) -> bodies.EndpointWithSecret:
        """Tell a system of what happens from now on. The answer alone holds the secret that it verifies with."""
        caller = await self._caller(request)
        self._check(body.url)
        secret = _secret(body.secret)
        try:
            row = await self._endpoints.create(
                caller.tenant,
                url=body.url,
                description=body.description,
                event_types=sorted(set(body.event_types)),
                secret=secret,
            )
        except TooManyEndpointsError:
            raise Problem(409, "too_many_endpoints", f"a tenant has at most {MOST} endpoints: delete one") from None
        return bodies.EndpointWithSecret(**bodies.endpoint(row), secret=signing.written(secret))

    async def list(self, request: Request) -> bodies.EndpointList:
        """List the endpoints, the oldest first."""
        rows = await self._endpoints.all((await self._caller(request)).tenant)
        return bodies.EndpointList(items=[bodies.Endpoint(**bodies.endpoint(row)) for row in rows])

    async def read(self, request: Request, endpoint_id: str) -> bodies.Endpoint:
        """Read an endpoint: whether it is enabled, and how it fares."""
        caller = await self._caller(request)
        with _refusals(endpoint_id):
            row = await self._endpoints.read(caller.tenant, _known_form(endpoint_id))
        return bodies.Endpoint(**bodies.endpoint(row))

    async def change(self, request: Request, endpoint_id: str, body: bodies.Change) -> bodies.Endpoint:
        """Change, disable or enable an endpoint."""
        caller = await self._caller(request)
        if body.url is not None:
            self._check(body.url)
        types = None if body.event_types is None else sorted(set(body.event_types))
        changes = Changes(body.url, body.description, types, body.enabled)
        with _refusals(endpoint_id):
            row = await self._endpoints.change(caller.tenant, _known_form(endpoint_id), changes)
        return bodies.Endpoint(**bodies.endpoint(row))

    async def delete(self, request: Request, endpoint_id: str) -> Response:
        """Delete an endpoint, with what was not sent yet and the log of its deliveries."""
        caller = await self._caller(request)
        with _refusals(endpoint_id):
            await self._endpoints.delete(caller.tenant, _known_form(endpoint_id))
        return Response(status_code=204)

    async def rotate(
        self, request: Request, endpoint_id: str, body: bodies.Rotate | None = None
    ) -> bodies.EndpointWithSecret:
        """A new secret. For `overlap_seconds` both sign, so that the receiver can change over without losing anything."""
        caller = await self._caller(request)
        asked = body or bodies.Rotate()
        secret = _secret(asked.secret)
        with _refusals(endpoint_id):
            row = await self._endpoints.rotate(
                caller.tenant, _known_form(endpoint_id), secret, asked.overlap_seconds * 1000
            )
        return bodies.EndpointWithSecret(**bodies.endpoint(row), secret=signing.written(secret))

    async def test(self, request: Request, endpoint_id: str) -> bodies.TestMessage:
        """Send `endpoint.test`, whatever the endpoint wants to hear; its delivery tells what came of it."""
        caller = await self._caller(request)
        with _refusals(endpoint_id):
            message_id = await self._endpoints.test(caller.tenant, _known_form(endpoint_id))
        return bodies.TestMessage(message_id=message_id)

    async def deliveries(
        self,
        request: Request,
        endpoint_id: str,
        state: Annotated[bodies.DeliveryState | None, Query(description="in this state")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: Annotated[Cursor | None, Query(description="`next` of the page before")] = None,
    ) -> bodies.DeliveryPage:
        """The log: every message for the endpoint with its tries, the newest first."""
        caller = await self._caller(request)
        with _refusals(endpoint_id):
            rows = await self._endpoints.deliveries(
                caller.tenant, _known_form(endpoint_id), state, place(after), limit + 1
            )
        last = rows[limit - 1] if len(rows) > limit else None
        return bodies.DeliveryPage(
            items=[bodies.DeliveryBody(**bodies.delivery(row)) for row in rows[:limit]],
            next=cursor(last["created_at"], last["message_id"]) if last else None,
        )

    async def delivery(self, request: Request, endpoint_id: str, message_id: str) -> bodies.DeliveryDetail:
        """A message, what is sent of it, and its tries."""
        caller = await self._caller(request)
        with _refusals(endpoint_id):
            row = await self._endpoints.delivery(caller.tenant, _known_form(endpoint_id), _known_form(message_id))
        return bodies.DeliveryDetail(**bodies.delivery(row))

    async def resend(self, request: Request, endpoint_id: str, message_id: str) -> bodies.Queued:
        """Send a message again, now, with the whole schedule of tries; `webhook-id` stays."""
        caller = await self._caller(request)
        with _refusals(endpoint_id):
            await self._endpoints.resend(caller.tenant, _known_form(endpoint_id), _known_form(message_id))
        return bodies.Queued(queued=1)

    async def resend_failed(self, request: Request, endpoint_id: str, body: bodies.Since) -> bodies.Queued:
        """After an outage: send everything now that came since then and was not delivered."""
        caller = await self._caller(request)
        since = round(body.since.timestamp() * 1000)
        with _refusals(endpoint_id):
            queued = await self._endpoints.resend_failed(caller.tenant, _known_form(endpoint_id), since)
        return bodies.Queued(queued=queued)

    async def _caller(self, request: Request) -> Caller:
        caller = await self._tokens.caller(request)
        if not WHOLE.intersection(caller.roles):
            raise Problem(403, "no_role", "this token has none of the roles api, admin")
        return caller

    def _check(self, url: str) -> None:
        try:
            check_url(url, self._allowed)
        except ValueError as error:
            raise Problem(422, "bad_url", f"`url` {error}") from None


@contextmanager
def _refusals(endpoint_id: str) -> Iterator[None]:
    try:
        yield
    except UnknownEndpointError:
        raise _not_found(endpoint_id) from None
    except UnknownDeliveryError:
        raise Problem(404, "not_found", "this endpoint has no message of this id") from None
    except DisabledError:
        raise Problem(409, "endpoint_disabled", "nothing is sent to an endpoint that is disabled") from None


def _secret(given: SecretStr | None) -> bytes:
    if given is None:
        return signing.new_secret()
    try:
        return signing.read(given.get_secret_value())
    except ValueError as error:
        raise Problem(422, "bad_secret", f"`secret` must be {error}") from None


def _known_form(some_id: str) -> str:
    if not UUID.fullmatch(some_id):
        raise _not_found(some_id)
    return some_id


def _not_found(some_id: str) -> Problem:
    return Problem(404, "not_found", f"there is no {some_id[:50]!r}")
