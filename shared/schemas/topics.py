"""The registry of topics: name, record types, key, writer, readers, retention. Code, tests, manifests and docs derive from it."""

from __future__ import annotations

from dataclasses import dataclass

DAY = 86_400_000
HORIZON_DAYS = 400  # the longest horizon that a scoring policy may name


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    key:       what is keyed by, after the tenant
    writer:    the one program that writes it
    readers:   consumer groups that read it
    days:      how long every record is kept (by append time)
    compacted: the latest record per key is kept for ever; the others for `days`, or at the broker's leisure
    largest:   bytes of a record, where they may be more than a broker takes by default
    """

    name: str
    holds: tuple[str, ...]
    key: str
    writer: str
    readers: tuple[str, ...]
    days: int | None
    compacted: bool = False
    largest: int | None = None

    def settings(self, *, production: bool = False) -> dict[str, str]:
        """Topic-level settings. `LogAppendTime`, so that importing old events does not let retention delete them."""
        settings = {"message.timestamp.type": "LogAppendTime"}
        if self.compacted:  # never `compact,delete`: that would delete the latest record of a key as well
            lag = self.days * DAY if self.days else 3_600_000
            settings |= {"cleanup.policy": "compact", "retention.ms": "-1", "min.compaction.lag.ms": str(lag)}
        else:
            retention = str(self.days * DAY) if self.days else "-1"
            settings |= {"cleanup.policy": "delete", "retention.ms": retention}
        if self.largest:
            settings["max.message.bytes"] = str(self.largest)
        if production:
            settings |= {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
        return settings


TOUCHPOINTS = Topic("touchpoints", ("Touch", "LinkChanged"), "lead", "ingest", ("scoring", "handoff"), HORIZON_DAYS)
IDENTITY_LINKS = Topic("identity-links", ("LinkChanged",), "identity", "ingest", ("ingest",), None, compacted=True)
INGEST_REJECTED = Topic("ingest-rejected", ("RejectedEvent",), "source", "ingest", ("operators",), 30)
INGEST_QUARANTINE = Topic(
    "ingest-quarantine", ("QuarantinedRequest",), "source", "ingest", ("ingest",), 3, largest=4 * 1_048_576
)
IDENTITY_CONFLICTS = Topic("identity-conflicts", ("IdentityConflict",), "lead", "ingest", ("operators",), 30)
SCORE_TRANSFERS = Topic("score-transfers", ("ScoreTransfer",), "lead", "scoring", ("scoring",), HORIZON_DAYS)
LEAD_SCORED = Topic("lead-scored", ("LeadScored",), "lead", "scoring", ("router",), 30, compacted=True)
# Kept by time, not compacted: scoring checks that no record is missing, and compaction leaves gaps (ADR 0006).
ACCOUNT_SIGNALS = Topic("account-signals", ("AccountSignal",), "account", "scoring", ("scoring",), HORIZON_DAYS)
ACCOUNT_SCORED = Topic("account-scored", ("AccountScored",), "account", "scoring", ("router",), 30, compacted=True)
SCORE_EPOCHS = Topic("score-epochs", ("EpochBegun",), "epoch", "scoring", ("scoring",), None, compacted=True)
LEAD_ROUTED = Topic("lead-routed", ("LeadRouted", "LeadWithdrawn", "LeadNurtured"), "lead", "router", ("handoff",), 30)
HANDOFF_EVENTS = Topic("handoff-events", ("HandoffEvent",), "lead", "handoff", ("router", "scoring"), 400)
POLICIES = Topic(
    "policies",
    ("PolicyPublished",),
    "kind",
    "baton policy apply",
    ("ingest", "scoring", "router", "handoff"),
    None,
    compacted=True,
)

_EVENTS = (
    TOUCHPOINTS,
    IDENTITY_LINKS,
    INGEST_REJECTED,
    INGEST_QUARANTINE,
    IDENTITY_CONFLICTS,
    SCORE_TRANSFERS,
    LEAD_SCORED,
    ACCOUNT_SIGNALS,
    ACCOUNT_SCORED,
    SCORE_EPOCHS,
    LEAD_ROUTED,
    HANDOFF_EVENTS,
    POLICIES,
)


def dead_letters(topic: Topic) -> Topic:
    """Where records of `topic` go that can never succeed, each with its reason, source offset and raw bytes; same key."""
    return Topic(f"{topic.name}-dlq", (), topic.key, f"readers of {topic.name}", ("baton dlq",), 30)


# Dead letters only where a consumer group reads record by record what another program wrote.
DEAD_LETTERED = (
    TOUCHPOINTS,
    SCORE_TRANSFERS,
    ACCOUNT_SIGNALS,
    LEAD_SCORED,
    ACCOUNT_SCORED,
    LEAD_ROUTED,
    HANDOFF_EVENTS,
)
TOPICS = {topic.name: topic for topic in (*_EVENTS, *map(dead_letters, DEAD_LETTERED))}
