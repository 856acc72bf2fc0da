"""All that ingest understands: tracking protocols by their paths, webhooks by the kind of their source."""

from __future__ import annotations

from services.ingest.senders.amplitude import AMPLITUDE
from services.ingest.senders.calendly import CALENDLY
from services.ingest.senders.cloudevents import CLOUDEVENTS
from services.ingest.senders.customerio import CUSTOMERIO
from services.ingest.senders.google_leads import GOOGLE_LEADS
from services.ingest.senders.hmac import HMAC
from services.ingest.senders.hubspot import HUBSPOT
from services.ingest.senders.intercom import INTERCOM
from services.ingest.senders.jitsu import JITSU
from services.ingest.senders.linkedin_leads import LINKEDIN_LEADS
from services.ingest.senders.mailchimp import MAILCHIMP
from services.ingest.senders.mailgun import MAILGUN
from services.ingest.senders.marketo import MARKETO
from services.ingest.senders.meta_leads import META_LEADS
from services.ingest.senders.mixpanel import MIXPANEL
from services.ingest.senders.posthog import POSTHOG
from services.ingest.senders.salesforce_outbound import SALESFORCE_OUTBOUND
from services.ingest.senders.segment import SEGMENT
from services.ingest.senders.segment_webhook import SEGMENT_WEBHOOK
from services.ingest.senders.sendgrid import SENDGRID
from services.ingest.senders.snowplow import SNOWPLOW
from services.ingest.senders.standard_webhooks import STANDARD_WEBHOOKS
from services.ingest.senders.tracker import Tracker
from services.ingest.senders.typeform import TYPEFORM
from services.ingest.senders.unbounce import UNBOUNCE
from services.ingest.senders.webhook import Webhook
from services.ingest.senders.zoom import ZOOM

TRACKERS: tuple[Tracker, ...] = (
    SEGMENT,
    SNOWPLOW,
    POSTHOG,
    CLOUDEVENTS,
    JITSU,
    MIXPANEL,
    AMPLITUDE,
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
    ZOOM,
    META_LEADS,
    LINKEDIN_LEADS,
    GOOGLE_LEADS,
    MAILGUN,
    MAILCHIMP,
    SEGMENT_WEBHOOK,
    UNBOUNCE,
    MARKETO,
    SALESFORCE_OUTBOUND,
)
WEBHOOKS: dict[str, Webhook] = {webhook.kind: webhook for webhook in _WEBHOOKS}
