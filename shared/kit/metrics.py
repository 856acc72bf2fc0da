"""Metrics that every service has; a service's own stand in its `metrics.py`. Labels come from closed sets."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter(
    "baton_records_total", "Records read from a topic and finished", ["topic", "outcome"]
)  # done, rejected, ignored
DEAD_LETTERS = Counter("baton_dead_letters_total", "Records sent to the dead letters", ["topic", "reason"])
BATCH_SECONDS = Histogram(
    "baton_batch_seconds",
    "Time to handle one batch, commit included",
    ["topic"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
EVENT_AGE = Histogram(
    "baton_event_age_seconds",
    "From the receipt of the touch that caused it until a record was finished",
    ["service"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
LAG = Gauge("baton_consumer_lag_records", "Records not yet read, as of the last batch", ["topic", "partition"])
OUTBOX_PENDING = Gauge("baton_outbox_pending_rows", "Rows seen by the relay that wait for their acknowledgement")
OUTBOX_PUBLISHED = Counter("baton_outbox_published_total", "Outbox rows published and deleted")
POLICY_SEQUENCE = Gauge("baton_policy_sequence", "Highest policy sequence that this process has read")
POLICY_REFUSED = Counter(
    "baton_policy_refused_total", "Published policies that this process could not read; the good one stays"
)
READY = Gauge("baton_ready", "1 when the service is ready")
