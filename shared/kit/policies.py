"""Taking policies into force as they arrive on their topic; the same in every service."""

from __future__ import annotations

import structlog

from shared.kit import metrics
from shared.kit.kafka import Message
from shared.schemas.policies.book import InForce, PolicyBook

log = structlog.get_logger(__name__)


def take(book: PolicyBook, message: Message) -> InForce | None:
    """What comes into force by a record of the topic; None where it changes nothing.

    A record that cannot be read is counted and told, and changes nothing: the good version stays.
    """
    if message.value is None:
        return None
    try:
        entry = book.apply(message.value)
    except ValueError as error:
        metrics.POLICY_REFUSED.inc()
        log.error("policy_refused", partition=message.partition, offset=message.offset, error=str(error))
        return None
    if entry:
        metrics.POLICY_SEQUENCE.set(book.sequence())
    return entry
