"""Tracking calls: who sends is in a write key, wherever its protocol puts one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from services.ingest import metrics
from services.ingest.answers import Answer, allowing
from services.ingest.domain.envelope import CALLS
from services.ingest.domain.inflate import inflate
from services.ingest.domain.refusals import Refused
from services.ingest.doors import cors
from services.ingest.doors.guard import Door
from services.ingest.doors.rates import Rates
from services.ingest.intake import Intake
from services.ingest.request import Request
from services.ingest.senders import TRACKERS
from services.ingest.senders.tracker import Route, Tracker
from services.ingest.sources import Registered, Sources, bearer, header_key
from shared.kit.clock import Clock

MOST_KEY = 500  # characters


class Tracking:
    """Answers with success when Kafka has acknowledged all that was accepted, else 503."""

    def __init__(
        self,
        sources: Sources,
        intake: Intake,
        clock: Clock,
        *,
        batch_bytes: int,
        body_bytes: int,
        complete: Callable[[], bool],
        rates: Rates | None = None,
    ) -> None:
        """batch_bytes, body_bytes: the most that a body of many events may measure, and one of a single event
        complete: whether all write keys are known; until then nobody is told that theirs is not"""
        self._sources, self._intake, self._clock = sources, intake, clock
        self._batch_bytes, self._body_bytes = batch_bytes, body_bytes
        self._complete, self._rates = complete, rates

    def doors(self, trackers: Iterable[Tracker] = TRACKERS) -> dict[str, Door]:
        """Path, or prefix that ends in `/` -> what answers there."""
        return {
            route.path: Door(partial(self.answer, tracker, route), self._most(route))
            for tracker in trackers
            for route in tracker.routes
        }

    async def answer(self, tracker: Tracker, route: Route, request: Request) -> Answer:
        """What a call is answered."""
        answer = await self._answer(tracker, route, request)
        if answer.status != 403:  # which a site gets that may not send, and so may not read
            answer = allowing(cors.readable(answer, request), (*route.methods, "OPTIONS"))
        return answer

    async def _answer(self, tracker: Tracker, route: Route, request: Request) -> Answer:
        received_at = self._clock.now()
        known: Registered | None = None
        hide: tuple[bytes, ...] = ()
        try:
            if answer := tracker.handshake(request):
                return answer
            if request.method == "OPTIONS" and "OPTIONS" not in route.methods:
                return cors.preflight(request, route.methods)
            if request.method not in route.methods:
                raise Refused("method_not_allowed", f"send {' or '.join(route.methods)} to {route.path}", 405)
            if known := self._by_header(request):
                await self._let_in(known, request)
            if request.too_large:
                raise Refused("too_large", f"a body may have {self._most(route)} bytes", 413)
            body = inflate(request.body, request.values(b"content-encoding"), self._most(route))
            request = request if body is request.body else request._replace(body=body)
            opened = tracker.read(request)
            tracker = opened.spoken or tracker
            hide = _credential(opened.key)
            if known is None:
                known = self._admitted(opened.key)
                await self._let_in(known, request)
            outcome = await self._intake.take(opened, known.sender, received_at, hide=hide)
        except Refused as refused:
            return await self._refused(tracker, refused, known, request, received_at, hide)
        if outcome.refused:
            # A single event that is refused is an error; a batch is a success whatever is in it, or its good ones would come again.
            return tracker.failure(request, outcome.refused)
        return tracker.answer(request, outcome)

    def _by_header(self, request: Request) -> Registered | None:
        """Whom headers or query admit; None where only the body can tell. Raises Refused for a key that is not known."""
        if key := header_key(request):
            return self._admitted(key)
        # A bearer token may be an OAuth token beside the body's write key, so an unknown one decides nothing.
        if (token := bearer(request)) and (known := self._sources.find(token)):
            return known
        key = request.parameter("writeKey")
        return self._admitted(key) if key else None

    def _admitted(self, key: str | None) -> Registered:
        known = self._sources.find(key) if key else None
        if known is None and key and ":" in key:
            known = self._sources.find(key.partition(":")[0])  # `key:password`, and Jitsu's `id:secret`
        if known is None and not self._complete():
            raise Refused("starting", "the write keys are being read: send it again later", 503)
        if known is None:
            raise Refused("unknown_write_key", "send the write key of a source: X-Write-Key, Basic, or `writeKey`", 401)
        return known

    def _keys_of(self, request: Request) -> list[bytes]:
        """Keys in headers and query: a body that nothing could be read of may repeat them."""
        said = [key for key in (header_key(request), bearer(request), request.parameter("writeKey")) if key]
        return [key.encode() for one in said for key in {one, one.partition(":")[0]} if self._sources.find(key)]

    async def _let_in(self, known: Registered, request: Request) -> None:
        """Raises Refused for what comes too often, or from a site that may not send."""
        if self._rates:
            await self._rates.admit(known)
        if known.origins and (origin := request.header(b"origin")) is not None:
            cors.check(origin, known.origins)

    def _most(self, route: Route) -> int:
        return self._batch_bytes if route.batch else self._body_bytes

    async def _refused(
        self,
        tracker: Tracker,
        refused: Refused,
        known: Registered | None,
        request: Request,
        received_at: int,
        hide: tuple[bytes, ...],
    ) -> Answer:
        """The answer to a body that is refused as a whole; kept for operators when it is known whose it is."""
        if refused.retry_after is not None:
            return tracker.failure(request, refused)
        metrics.REJECTED.labels(refused.code).inc()
        if known and refused.status < 500:
            try:
                named = request.path.rpartition("/")[2]
                await self._intake.keep_refused(
                    refused,
                    known.sender,
                    request.body,
                    received_at,
                    protocol=tracker.name,
                    call=named if named in CALLS else None,
                    hide=(*hide, *self._keys_of(request)),
                )
            except Refused as away:
                refused = away
        return tracker.failure(request, refused)


def _credential(key: str | None) -> tuple[bytes, ...]:
    """What of a body's key has to be hidden. One that is far too long for a key is none, and would be remembered in each of its
    spellings."""
    return (key.encode("utf-8", "surrogatepass"),) if key and len(key) <= MOST_KEY else ()
