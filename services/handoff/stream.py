"""Records of `lead-routed`, as the handler takes them."""

from __future__ import annotations

from shared.kit.dead_letters import Reject
from shared.kit.decoding import read_json, read_record
from shared.kit.kafka import Message
from shared.schemas.routing import LeadNurtured, LeadRouted, LeadWithdrawn

Routing = LeadRouted | LeadWithdrawn | LeadNurtured
MODELS: dict[str, type[Routing]] = {
    "lead-routed": LeadRouted,
    "lead-withdrawn": LeadWithdrawn,
    "lead-nurtured": LeadNurtured,
}
LONGEST_ID = 200  # what a key of Postgres takes with room to spare
LARGEST_CYCLE = 2**31 - 1
LARGEST_NUMBER = 2**47  # beyond it a time (it is the year 6429) or a counter is a mistake


def decode(message: Message) -> Routing | None:
    """The record in `message`; None for a kind that is not ours. Raises Reject for what can never be applied."""
    if message.value is None:
        raise Reject("empty", "a record without a value")
    raw = read_json(message.value)
    if not isinstance(raw, dict):
        raise Reject("unreadable", "not a JSON object")
    model = MODELS.get(str(raw.get("record")))
    if model is None:
        return None
    record = read_record(model, raw)
    _check_bounds(record)
    return record


def _check_bounds(record: Routing) -> None:
    numbers, indexed = [record.decided_at], [record.lead_id]
    if not isinstance(record, LeadNurtured):
        numbers += [record.assignment]
    if not isinstance(record, LeadWithdrawn):
        indexed += [record.decision_id]
    if isinstance(record, LeadRouted):
        numbers += [record.qualifying_at, record.score.as_of]
        numbers += [time for touch in record.touches for time in (touch.at, touch.received_at)]
        numbers += [answer.observed_at for answer in record.evidence]
        indexed += [record.rep_id]
    if max(map(len, indexed)) > LONGEST_ID or not 0 <= record.cycle <= LARGEST_CYCLE:
        raise Reject("out_of_range", "an id is longer, or cycle larger, than can be stored")
    if any(not 0 <= number < LARGEST_NUMBER for number in numbers):
        raise Reject("out_of_range", "a time or an assignment is larger than can be stored")
