"""Webhooks at `/hooks/{source}`: verified on the bytes as they came, before anything is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from services.ingest import metrics
from services.ingest.answers import Answer, allowing, refusal
from services.ingest.domain.inflate import inflate
from services.ingest.domain.refusals import Refused
from services.ingest.doors.guard import Door
from services.ingest.doors.rates import Rates
from services.ingest.intake import Intake
from services.ingest.quarantine import Room, Seals, quarantined
from services.ingest.request import Request
from services.ingest.senders import WEBHOOKS
from services.ingest.senders.webhook import Webhook
from services.ingest.sources import Keys, Registered, Sources
from shared.kit.clock import Clock

PREFIX = "/hooks/"
METHODS = ("POST", "GET", "HEAD", "OPTIONS")


class Hooks:
    """Answers senders of webhooks. What fails verification is 401 and goes to quarantine; a wrong secret of ours loses nothing."""

    def __init__(
        self,
        sources: Sources,
        intake: Intake,
        clock: Clock,
        seals: Seals,
        *,
        body_bytes: int,
        complete: Callable[[], bool],
        quarantined_per_minute: int = 600,
        webhooks: Mapping[str, Webhook] = WEBHOOKS,
        rates: Rates | None = None,
    ) -> None:
        """complete: whether all sources are known
        quarantined_per_minute: requests of a source; what fails verification beyond it is not kept
        """
        self._room, self._rates = Room(quarantined_per_minute), rates
        self._sources, self._intake, self._clock, self._seals = sources, intake, clock, seals
        self._most, self._complete, self._webhooks = body_bytes, complete, webhooks

    def doors(self) -> dict[str, Door]:
        return {PREFIX: Door(self.answer, self._most)}

    async def answer(self, request: Request) -> Answer:
        """What a call is answered."""
        try:
            answer = await self._answer(request)
        except Refused as refused:
            metrics.REJECTED.labels(refused.code).inc()
            answer = refusal(refused)
        return answer

    async def _answer(self, request: Request) -> Answer:
        received_at = self._clock.now()
        known, webhook = self._found(request.path)
        try:
            return await self._of(webhook, request, known, received_at)
        except Refused as refused:
            if refused.retry_after is None:
                metrics.REJECTED.labels(refused.code).inc()
            return webhook.failure(request, refused)

    async def _of(self, webhook: Webhook, request: Request, known: Registered, received_at: int) -> Answer:
        if request.method in ("GET", "HEAD"):
            return webhook.probe(request, known.keys.in_force(received_at)) or _no_such_method(request)
        if request.method == "OPTIONS":
            return Answer(200, b"", ((b"allow", ", ".join(METHODS).encode()),), b"text/plain")
        if request.method != "POST":
            return _no_such_method(request)
        if request.too_large:
            raise Refused("too_large", f"a body may have {self._most} bytes", 413)
        body = inflate(request.body, request.values(b"content-encoding"), self._most)
        request = request._replace(body=webhook.redact(body))
        try:
            webhook.verify(request, known.keys, received_at)
        except Refused as refused:
            await self._quarantine(request, known, refused, received_at)
            raise
        if self._rates:
            # After verification: strangers cannot use up what a sender may send. 503: more senders repeat that than 429.
            await self._rates.admit(known, status=503)
        self._intake.seen.verified(known.sender, received_at, proven_by(webhook, request, known.keys, received_at))
        challenged = webhook.challenge(request, known.keys.in_force(received_at))
        return challenged or await self.take(request, known, webhook, received_at)

    async def take(self, request: Request, known: Registered, webhook: Webhook, received_at: int) -> Answer:
        """Write what a verified call holds. A single event that is refused is kept, and answered with success: to send it again
        would not help, and many senders give up on an address that refuses."""
        hide = [secret.value for secret in known.keys.secrets]
        try:
            opened = webhook.read(request, known.keys)
        except Refused as refused:
            await self._intake.keep_refused(
                refused, known.sender, request.body, received_at, protocol=webhook.kind, hide=hide
            )
            raise
        outcome = await self._intake.take(opened, known.sender, received_at, hide=hide)
        return webhook.answer(request, outcome)

    def _found(self, path: str) -> tuple[Registered, Webhook]:
        """The source that `/hooks/{source}` or `/hooks/{tenant}/{source}` names."""
        tenant, _, source_id = path.removeprefix(PREFIX).strip("/").rpartition("/")
        known = self._sources.named(source_id, tenant or None)
        webhook = self._webhooks.get(known.keys.kind) if known else None
        if known and webhook:
            return known, webhook
        if not self._complete():
            raise Refused("starting", "the sources are being read: send it again later", 503)
        raise Refused(
            "unknown_source", "no source of that id takes webhooks (two tenants have it? /hooks/tenant/id)", 404
        )

    async def _quarantine(self, request: Request, known: Registered, refused: Refused, received_at: int) -> None:
        metrics.UNVERIFIED.labels(refused.code).inc()
        self._intake.seen.unverified(known.sender, received_at, refused.code)
        tenant, source_id = known.sender.tenant, known.sender.source_id
        if not self._room.for_one_more(tenant, source_id, received_at):
            metrics.QUARANTINE_FULL.inc()
            return
        record = quarantined(self._seals, tenant, source_id, refused.code, request, received_at)
        await self._intake.write([], [record])


def proven_by(webhook: Webhook, request: Request, keys: Keys, now: int) -> str:
    """The id of the secret under which a verified call is verified: while secrets are exchanged, people want to know."""
    secrets = [secret for secret in keys.secrets if secret.not_after is None or now < secret.not_after]
    for secret in secrets[1:]:
        try:
            webhook.verify(request, replace(keys, secrets=(secret,)), now)
        except Refused:
            continue
        return secret.id
    return secrets[0].id if secrets else "none"


def _no_such_method(request: Request) -> Answer:
    refused = Refused("method_not_allowed", f"{request.method} is not what this sender sends here", 405)
    return allowing(refusal(refused), METHODS)
