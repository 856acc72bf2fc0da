"""What handoff measures, beside what every service does."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from shared.schemas.handoff import HandoffEvent

OFFERS = Counter(
    "baton_handoff_offers_total", "Offers by what became of them; refused ones were never made", ["outcome"]
)  # opened, accepted, declined, expired, withdrawn, refused
CLOCKS_ENDED = Counter("baton_handoff_clocks_ended_total", "SLA clocks met and breached", ["kind", "outcome"])
LATENESS = Histogram(
    "baton_handoff_clock_lateness_seconds",
    "From a clock's due time until its breach was stored",
    ["kind"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
RUNNING = Gauge("baton_handoff_clocks_running", "SLA clocks that run, of all tenants, as of the last count", ["kind"])
STUCK = Counter(
    "baton_handoff_clocks_stuck_total", "Opportunities left aside for minutes, because firing their clocks fails"
)
MOVED = Counter(
    "baton_handoff_clocks_moved_total",
    "Running SLA clocks moved because a policy, a calendar or somebody's being away changed",
)
REMINDERS = Counter("baton_handoff_clock_reminders_total", "Reminders of SLA clocks that still run", ["kind"])
ESCALATIONS = Counter(
    "baton_handoff_clock_escalations_total", "Steps of SLA clocks that are told to a manager", ["kind"]
)
ACTIVITIES = Counter("baton_handoff_activities_total", "Activities logged")
WEBHOOKS_SENT = Counter("baton_handoff_webhook_tries_total", "Webhooks sent, by what came of the try", ["outcome"])
WEBHOOKS_ENDED = Counter(
    "baton_handoff_webhooks_total", "Webhooks that are done with: delivered or failed", ["outcome"]
)
WEBHOOKS_LATE = Gauge(
    "baton_handoff_webhook_late_seconds",
    "For how long the due webhook that waits longest could have been sent and was not: its endpoint was free",
)
ENDPOINTS_DISABLED = Gauge(
    "baton_handoff_endpoints_disabled",
    "Endpoints disabled because they failed for days or answered 410, of all tenants",
)
MESSAGES_SENT = Counter(
    "baton_handoff_notification_messages_total", "Messages sent to people, by what came of the try", ["outcome"]
)  # told, refused, timed_out, unsendable
NOTIFICATIONS_ENDED = Counter(
    "baton_handoff_notifications_total", "Notifications that are done with: told or failed", ["outcome"]
)
NOTIFICATIONS_LATE = Gauge(
    "baton_handoff_notification_late_seconds",
    "For how long the due notification that waits longest could have been sent and was not: its channel was free",
)
NOTIFICATIONS_OVERDUE = Gauge(
    "baton_handoff_notification_overdue_seconds",
    "For how long the notification that waits longest has been due, whatever its channel does",
)
CHANNELS_FAILING = Gauge(
    "baton_handoff_channels_failing", "Channels to people on which the last tries have all failed, of all tenants"
)

_OUTCOMES = {
    "offer-opened": "opened",
    "offer-accepted": "accepted",
    "offer-declined": "declined",
    "offer-expired": "expired",
    "offer-withdrawn": "withdrawn",
    "routing-refused": "refused",
}


def count(events: Iterable[HandoffEvent]) -> None:
    """Count what was stored; to be called after the commit."""
    for event in events:
        if event.kind in _OUTCOMES:
            OFFERS.labels(_OUTCOMES[event.kind]).inc()
        elif event.kind in ("clock-met", "clock-breached") and event.clock:
            CLOCKS_ENDED.labels(event.clock, event.kind.removeprefix("clock-")).inc()
        elif event.kind == "clock-reminder" and event.clock:
            REMINDERS.labels(event.clock).inc()
        elif event.kind == "clock-escalated" and event.clock:
            ESCALATIONS.labels(event.clock).inc()
        elif event.kind == "activity-logged":
            ACTIVITIES.inc()
