"""Opportunities in Postgres, read and written whole, under the lock of the opportunity's row.

Lock order, for everybody: opportunity rows first, in the order of their ids, and nothing of an opportunity (offers, clocks,
history) without its row. The firing of clocks takes the same rows, but skips what is locked, so it never waits and nobody can
deadlock with it. Rows of the outbox are numbered after that lock, so the events of a lead are in order.
"""

from services.handoff.store.activities import add_activity, find_activity
from services.handoff.store.aftermath import of_task
from services.handoff.store.handovers import add_handover
from services.handoff.store.loading import ACTS, CLAIM_DUE, Key, claim_due, lock
from services.handoff.store.moving import Group, away, claim_moved, groups
from services.handoff.store.pauses import pauses, save_pause
from services.handoff.store.saving import SCHEMA, Write, save

__all__ = [
    "ACTS",
    "CLAIM_DUE",
    "SCHEMA",
    "Group",
    "Key",
    "Write",
    "add_activity",
    "add_handover",
    "away",
    "claim_due",
    "claim_moved",
    "find_activity",
    "groups",
    "lock",
    "of_task",
    "pauses",
    "save",
    "save_pause",
]
