"""Metrics of ingest; labels come from closed sets."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("baton_ingest_requests_total", "Calls answered", ["status"])
REQUEST_SECONDS = Histogram(
    "baton_ingest_request_seconds",
    "From the whole body being there until the answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
IN_FLIGHT = Gauge("baton_ingest_in_flight_requests", "Calls being read or worked on")
SHED = Counter("baton_ingest_shed_total", "Calls refused before work was done on them", ["reason"])
FORM_FILES = Counter("baton_ingest_form_files_total", "Files in forms, which are not taken")
UNCHECKED = Counter(
    "baton_ingest_rate_unchecked_total",
    "Calls of sources with a rate that were let through uncounted, because Redis was away or slow",
)
EVENTS = Counter("baton_ingest_events_total", "Events answered", ["outcome"])  # accepted, duplicate, rejected
ACCEPTED, DUPLICATE, REFUSED = (EVENTS.labels(outcome) for outcome in ("accepted", "duplicate", "rejected"))
REJECTED = Counter("baton_ingest_rejected_total", "Events and bodies refused", ["code"])
LINKS = Counter("baton_ingest_links_published_total", "Link registers published")
LINKS_REFUSED = Counter(
    "baton_ingest_links_refused_total", "Links not made, because the lead has as many identities as it may have"
)
CONFLICTS = Counter("baton_ingest_conflicts_total", "Events of an untrusted source that named two known leads")
UNAVAILABLE = Counter(
    "baton_ingest_unavailable_total", "Calls told to come again, since nothing could be kept", ["what"]
)  # redis, kafka, links, spool, room
UNCONFIRMED = Counter("baton_ingest_unconfirmed_total", "Published batches whose claims could not be confirmed")
REBUILDS = Counter("baton_ingest_link_rebuilds_total", "Times that Redis had lost links and was filled from the topic")
WRITE_KEYS = Gauge("baton_ingest_write_keys", "Write keys that admit")
UNVERIFIED = Counter("baton_ingest_unverified_total", "Webhooks whose signature did not hold", ["code"])
QUARANTINE_FULL = Counter(
    "baton_ingest_quarantine_full_total", "Webhooks whose signature did not hold, of which too many came to keep them"
)
# Sources are policy, so their number is closed; past 500 of them one process counts the rest as `other`.
SOURCE_EVENTS = Counter(
    "baton_ingest_source_events_total",
    "Events of a source: accepted, duplicate, rejected",
    ["tenant", "source", "outcome"],
)
SOURCE_UNVERIFIED = Counter(
    "baton_ingest_source_unverified_total", "Webhooks of a source whose signature did not hold", ["tenant", "source"]
)
SOURCE_LAST = Gauge(
    "baton_ingest_source_last_call_timestamp_seconds", "When a source last called", ["tenant", "source"]
)
SPOOLED = Counter("baton_ingest_spooled_events_total", "Events kept in the spool because Kafka or Redis was away")
SPOOL_ROWS = Gauge("baton_ingest_spool_rows", "Events and other records in the spool, those set aside not counted")
SPOOL_ASIDE = Gauge(
    "baton_ingest_spool_set_aside_rows", "Rows of the spool that could not be drained, kept for operators"
)
SPOOL_BYTES = Gauge("baton_ingest_spool_bytes", "What the rows of the spool and its indexes take up")
SPOOL_OLDEST = Gauge(
    "baton_ingest_spool_oldest_seconds", "For how long the oldest row has been in the spool; 0: it is empty"
)
SPOOL_DRAINED = Counter("baton_ingest_spool_drained_total", "Rows of the spool that were written and deleted")
SPOOL_REFUSED = Counter(
    "baton_ingest_spool_refused_total", "Calls that the spool could not keep", ["reason"]
)  # full, disk_full, io
SPOOL_DAMAGED = Counter("baton_ingest_spool_damaged_total", "Damaged or foreign spool files that were moved aside")
