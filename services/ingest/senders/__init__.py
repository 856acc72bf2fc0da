"""All that ingest understands: tracking protocols by their paths, webhooks by the kind of their source."""

from __future__ import annotations

from services.ingest.senders.segment import SEGMENT
from services.ingest.senders.tracker import Tracker
from services.ingest.senders.webhook import Webhook

TRACKERS: tuple[Tracker, ...] = (SEGMENT,)
_WEBHOOKS: tuple[Webhook, ...] = ()
WEBHOOKS: dict[str, Webhook] = {webhook.kind: webhook for webhook in _WEBHOOKS}
