"""Forms at `/forms/{source}`: a page of the tenant's web site posts to us, without a key and without a program between."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import unquote

from services.ingest import metrics
from services.ingest.answers import Answer, Outcome, allowing, refusal, success
from services.ingest.domain import form_fields
from services.ingest.domain.fields import text
from services.ingest.domain.form_fields import Multipart
from services.ingest.domain.forms import Surroundings, check, envelope, redirect
from services.ingest.domain.inflate import inflate
from services.ingest.domain.parse import parse
from services.ingest.domain.refusals import Refused
from services.ingest.doors import cors
from services.ingest.doors.guard import Door, Headers
from services.ingest.doors.rates import Rates
from services.ingest.forms_pages import sorry, thanks
from services.ingest.intake import Intake
from services.ingest.request import Request
from services.ingest.senders.tracker import Opened
from services.ingest.sources import Registered, Sources
from shared.kit.clock import Clock
from shared.schemas.policies.sources import FormSettings

PREFIX = "/forms/"
METHODS = ("POST", "OPTIONS")
MOST_BYTES = 65_536  # of a form, its files not counted
_PLAIN = FormSettings()


class Forms:
    """Answers browsers with a page or a redirect, and programs with JSON."""

    def __init__(
        self,
        sources: Sources,
        intake: Intake,
        clock: Clock,
        *,
        complete: Callable[[], bool],
        rates: Rates | None = None,
    ) -> None:
        """complete: whether all sources are known"""
        self._sources, self._intake, self._clock = sources, intake, clock
        self._complete, self._rates = complete, rates
        logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every body that is damaged

    def doors(self) -> dict[str, Door]:
        return {PREFIX: Door(self.answer, MOST_BYTES, _sieve)}

    async def answer(self, request: Request) -> Answer:
        """What a call is answered."""
        try:
            answer = await self._answer(request)
        except Refused as refused:
            if refused.retry_after is None:
                metrics.REJECTED.labels(refused.code).inc()
            answer = _failure(request, refused)
        if answer.status != 403:  # which a site gets that may not send, and so may not read
            answer = allowing(cors.readable(answer, request), METHODS)
        return answer

    async def _answer(self, request: Request) -> Answer:
        received_at = self._clock.now()
        known = self._found(request.path)
        settings = known.form or _PLAIN
        origins = settings.origins or known.origins
        if request.method == "OPTIONS":
            cors.check(request.header(b"origin"), origins)
            return cors.preflight(request, METHODS)
        if request.method != "POST":
            raise Refused("method_not_allowed", "send POST to a form", 405)
        if self._rates:
            await self._rates.admit(known)
        try:
            cors.check(request.header(b"origin") or request.header(b"referer"), origins)
            fields, suspect = fields_of(request)
            _check_honeypot(fields, settings.honeypot)
        except Refused as refused:
            await self._intake.keep_refused(refused, known.sender, request.body, received_at, protocol="form")
            if refused.code != "honeypot":
                raise
            metrics.REJECTED.labels(refused.code).inc()
            outcome = Outcome(True, 1, 0, 0)  # a robot that is told so learns from it
        else:
            opened = Opened(envelope(fields, settings.event, _surroundings(request)), suspect=suspect, single=True)
            outcome = await self._intake.take(opened, known.sender, received_at)
        if outcome.refused:
            return _failure(request, outcome.refused)
        return _success(request, outcome, redirect(text(fields, "_redirect"), settings.redirects))

    def _found(self, path: str) -> Registered:
        """The source that `/forms/{source}` or `/forms/{tenant}/{source}` names."""
        tenant, _, source_id = path.removeprefix(PREFIX).strip("/").rpartition("/")
        known = self._sources.named(source_id, tenant or None)
        if known and known.keys.kind == "form":
            return known
        if not self._complete():
            raise Refused("starting", "the sources are being read: send it again later", 503)
        raise Refused(
            "unknown_source", "no source of kind `form` has that id (two tenants have it? /forms/tenant/id)", 404
        )


def _sieve(headers: Headers) -> Multipart | None:
    """Files of a form are not taken; so they are not held either."""
    named = dict(reversed(headers))  # of a repeated one the first
    boundary = form_fields.boundary_of(named.get(b"content-type", b""))
    if boundary is None or b"content-encoding" in named:
        return None
    try:
        return Multipart(boundary)
    except Refused:
        return None  # who reads the body will refuse it


def fields_of(request: Request) -> tuple[dict[str, object], bool]:
    """What a form holds, and whether its texts have to be looked through. Raises Refused."""
    if request.too_large:
        raise Refused("too_large", f"a form may have {MOST_BYTES} bytes, its files not counted", 413)
    body = inflate(request.body, request.values(b"content-encoding"), MOST_BYTES)
    content_type = request.header(b"content-type") or b""
    if b"json" in content_type.lower() or body.lstrip()[:1] == b"{":
        parsed = parse(body)
        return dict(check(parsed.tree)), parsed.suspect
    if boundary := form_fields.boundary_of(content_type):
        multipart = Multipart(boundary)
        multipart.feed(body)
        pairs = multipart.whole()
        metrics.FORM_FILES.inc(multipart.files)
    else:
        pairs = form_fields.urlencoded(body)
    return form_fields.tree(form_fields.texts(pairs, form_fields.charset_of(content_type))), False


def _check_honeypot(fields: dict[str, object], name: str | None) -> None:
    if name and fields.get(name) not in (None, "", [], {}):
        raise Refused("honeypot", "a field is filled that people do not see")


def _surroundings(request: Request) -> Surroundings:
    locale = (_header(request, b"accept-language") or "").partition(",")[0].partition(";")[0].strip()
    return Surroundings(
        _header(request, b"referer"), _browser(request), _header(request, b"user-agent"), locale or None
    )


def _browser(request: Request) -> str | None:
    """Whom the cookie of the Segment library on the same site names."""
    for part in (_header(request, b"cookie") or "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == "ajs_anonymous_id":
            return unquote(value).strip('" ') or None
    return None


def _success(request: Request, outcome: Outcome, location: str | None) -> Answer:
    if location:
        return Answer(303, b"", ((b"location", location.encode()), (b"cache-control", b"no-store")))
    return thanks(_header(request, b"accept-language")) if _wants_page(request) else success(outcome)


def _failure(request: Request, refused: Refused) -> Answer:
    return sorry(refused, _header(request, b"accept-language")) if _wants_page(request) else refusal(refused)


def _wants_page(request: Request) -> bool:
    return b"text/html" in (request.header(b"accept") or b"").lower()


def _header(request: Request, name: bytes) -> str | None:
    value = request.header(name)
    return value.decode("latin-1") if value else None
