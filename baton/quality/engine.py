"""Messages scored by the services' own code, with nothing running: read as ingest reads them, decided as scoring decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from services.ingest.domain.envelope import open_body
from services.ingest.domain.parse import parse
from services.ingest.domain.touch import Sender, complete
from services.ingest.reading import read_body
from services.ingest.sources import Sources
from services.scoring import wire
from services.scoring.batch import Told
from services.scoring.decide import Now, decide
from services.scoring.domain.rules import Rules
from services.scoring.domain.state import LeadState
from shared.schemas import ids
from shared.schemas.policies import ScoringPolicy, SourcesPolicy
from shared.schemas.scores import PolicyRef
from shared.schemas.topics import LEAD_SCORED, TOUCHPOINTS

_SECRET = b"of an engine that runs for itself, and keeps nothing"
_KEY = "offline"


@dataclass(frozen=True, slots=True)
class Points:
    """What a lead is worth at the moment of its last touch. fit, engagement: milli-points."""

    fit: int
    engagement: int
    grade: str

    @property
    def total(self) -> int:
        return self.fit + self.engagement


def touches(messages: Iterable[dict[str, Any]], received_at: datetime, sender: Sender) -> Sequence[wire.Touch]:
    """What ingest makes of one lead's messages. Raises ValueError where it refuses one."""
    parsed = parse(orjson.dumps({"batch": list(messages)}))
    received = round(received_at.timestamp() * 1000)
    read = read_body(open_body("batch", parsed.tree), sender, received, suspect=parsed.suspect)
    if read.refused:
        raise ValueError(f"ingest refuses a message: {next(iter(read.refused.values()))}")
    made = []
    for draft in read.drafts:
        lead = ids.lead_id(draft.identities.chief().id)
        touch = wire.decode(TOUCHPOINTS.name, complete(lead, draft.body))
        assert isinstance(touch, wire.Touch)
        made.append(touch)
    return made


def sender_of(tenant: str, policy: SourcesPolicy) -> Sender:
    """The tenant's first source, with its mapping."""
    sources = Sources(_SECRET, {})
    first = policy.sources[0].model_copy(update={"write_keys": (_KEY,)})
    sources.load(tenant, policy.model_copy(update={"sources": (first,)}))
    found = sources.find(_KEY)
    assert found is not None
    return found.sender


def rules_of(policy: ScoringPolicy) -> Rules:
    return Rules(policy, PolicyRef(sequence=1, hash="offline"))


def score(told: Sequence[wire.Touch], rules: Rules) -> Points:
    """What one lead's touches are worth under these rules, read from the record that scoring would publish."""
    first = told[0]
    told_once = Told(first.tenant, first.lead_id, [(touch, None) for touch in told])
    decision = decide(told_once, LeadState(), rules, Now(position=1))
    record = next(record for record in decision.records if record.topic == LEAD_SCORED.name)
    scored = orjson.loads(record.value or b"")
    return Points(scored["fit"]["total"], scored["engagement"]["total"], scored["grade"])
