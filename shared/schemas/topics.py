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
    days:      how long a record is kept (by append time); None keeps the latest record per key only
    compacted: the latest record per key is kept for ever
    dead_letters: who declares `<name>-dlq`
    """

    name: str
    holds: tuple[str, ...]
    key: str
    writer: str
    readers: tuple[str, ...]
    days: int | None
    compacted: bool = False

    def settings(self, *, production: bool = False) -> dict[str, str]:
        """Topic-level settings. `LogAppendTime`, so that importing old events does not let retention delete them."""
        policy = "compact,delete" if self.compacted and self.days else "compact" if self.compacted else "delete"
        settings = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": policy}
        settings["retention.ms"] = str(self.days * DAY) if self.days else "-1"
        if self.compacted:
            settings["min.compaction.lag.ms"] = "3600000"
        if production:
            settings |= {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
        return settings


TOUCHPOINTS = Topic("touchpoints", ("Touch", "LinkChanged"), "lead", "ingest", ("scoring",), HORIZON_DAYS)
IDENTITY_LINKS = Topic("identity-links", ("LinkChanged",), "identity", "ingest", ("ingest",), None, compacted=True)
INGEST_REJECTED = Topic("ingest-rejected", ("RejectedEvent",), "source", "ingest", ("operators",), 30)
IDENTITY_CONFLICTS = Topic("identity-conflicts", ("IdentityConflict",), "lead", "ingest", ("operators",), 30)
SCORE_TRANSFERS = Topic("score-transfers", ("ScoreTransfer",), "lead", "scoring", ("scoring",), HORIZON_DAYS)
LEAD_SCORED = Topic("lead-scored", ("LeadScored",), "lead", "scoring", ("router",), 30, compacted=True)
LEAD_ROUTED = Topic("lead-routed", ("LeadRouted", "LeadWithdrawn"), "lead", "router", ("handoff",), 30)
HANDOFF_EVENTS = Topic("handoff-events", ("HandoffEvent",), "lead", "handoff", ("router",), 400)
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
    IDENTITY_CONFLICTS,
    SCORE_TRANSFERS,
    LEAD_SCORED,
    LEAD_ROUTED,
    HANDOFF_EVENTS,
    POLICIES,
)


def dead_letters(topic: Topic) -> Topic:
    """Where records of `topic` go that can never succeed, each with its reason, source offset and raw bytes; same key."""
    return Topic(f"{topic.name}-dlq", (), topic.key, f"readers of {topic.name}", ("baton dlq",), 30)


# Dead letters only where a consumer group reads record by record what another program wrote.
DEAD_LETTERED = (TOUCHPOINTS, SCORE_TRANSFERS, LEAD_SCORED, LEAD_ROUTED, HANDOFF_EVENTS)
TOPICS = {topic.name: topic for topic in (*_EVENTS, *map(dead_letters, DEAD_LETTERED))}
