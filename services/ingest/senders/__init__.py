"""All that ingest understands: tracking protocols by their paths, webhooks by the kind of their source."""

from __future__ import annotations

from services.ingest.senders.calendly import CALENDLY
from services.ingest.senders.customerio import CUSTOMERIO
from services.ingest.senders.hmac import HMAC
from services.ingest.senders.hubspot import HUBSPOT
from services.ingest.senders.intercom import INTERCOM
from services.ingest.senders.segment import SEGMENT
from services.ingest.senders.sendgrid import SENDGRID
from services.ingest.senders.snowplow import SNOWPLOW
from services.ingest.senders.standard_webhooks import STANDARD_WEBHOOKS
from services.ingest.senders.tracker import Tracker
from services.ingest.senders.typeform import TYPEFORM
from services.ingest.senders.webhook import Webhook

TRACKERS: tuple[Tracker, ...] = (
    SEGMENT,
    SNOWPLOW,
)
_WEBHOOKS: tuple[Webhook, ...] = (
    STANDARD_WEBHOOKS,
    HMAC,
    HUBSPOT,
    SENDGRID,
    TYPEFORM,
    CALENDLY,
    INTERCOM,
    CUSTOMERIO,
)
WEBHOOKS: dict[str, Webhook] = {webhook.kind: webhook for webhook in _WEBHOOKS}
