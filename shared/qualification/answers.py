"""An answer to a question of qualification, whoever asked it."""

from __future__ import annotations

from dataclasses import dataclass

from shared.schemas.scores import Evidence


@dataclass(frozen=True, slots=True)
class Answer:
    """The latest answer of one source to one question.

    confidence: how sure it is (0 to 1), where who gave it said so; else the framework knows its source
    """

    question: str
    code: str
    source_id: str
    observed_at: int
    trusted: bool
    confidence: float | None = None

    @staticmethod
    def of(evidence: Evidence) -> Answer:
        return Answer(
            evidence.criterion,
            evidence.code,
            evidence.source_id,
            evidence.observed_at,
            trusted=evidence.trusted,
            confidence=evidence.confidence,
        )
