"""Metrics of scoring; labels come from closed sets."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

SCORES = Counter("baton_scoring_scores_total", "LeadScored records published", ["outcome"])  # scored, merged, account
TRANSFERS = Counter("baton_scoring_transfers_total", "ScoreTransfers published")
REFUSED = Counter(
    "baton_scoring_refused_total", "What a bound of the ledger kept out", ["bound"]
)  # identities, marks, people
VISITS = Counter(
    "baton_scoring_visits_total", "Leads and accounts looked at again without a new event", ["cause"]
)  # time, policy
FENCED = Counter(
    "baton_scoring_fenced_total", "Writes refused because another worker had written: partitions read again and retried"
)
RESETS = Counter(
    "baton_scoring_resets_total", "Partitions whose states were ahead of the log, and were dropped and rebuilt"
)
ACCEPTED_LOSS = Counter(
    "baton_scoring_accepted_loss_records_total", "Records no longer in the log that SCORING_ACCEPT_LOSS went without"
)
REDIS_RETRIES = Counter("baton_scoring_redis_retries_total", "Round trips to Redis repeated after a connection error")
CACHED = Gauge("baton_scoring_cached_leads", "States kept in memory")
ASSIGNED = Gauge("baton_scoring_assigned_partitions", "Input partitions that this worker owns")
RESCORE_DONE = Gauge(
    "baton_scoring_rescore_done_subjects", "Leads and accounts that the re-scoring under way has passed", ["partition"]
)
RESCORE_LEFT = Gauge(
    "baton_scoring_rescore_left_subjects",
    "Leads and accounts that the re-scoring under way has before it",
    ["partition"],
)
RESCORE_SECONDS = Gauge("baton_scoring_rescore_seconds", "Since the re-scoring under way began", ["partition"])
RESCORES = Counter("baton_scoring_rescores_total", "Partitions re-scored to the end")
DUE_LATE = Gauge(
    "baton_scoring_due_late_seconds",
    "For how long the oldest change by time alone waits to be told, or nobody has looked",
)
REPLAY_NEEDED = Gauge(
    "baton_scoring_replay_needed",
    "Rules and hand-raises that count from a later policy on only, until the states are rebuilt",
    ["tenant"],
)
