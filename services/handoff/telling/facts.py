"""What holds now of what is to be told, from Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from services.handoff.links.signing import LIVES, OfferLink, Signer
from services.handoff.telling.queue import Notification
from services.handoff.telling.recipients import Reached
from services.handoff.telling.words import Facts, once, without_names
from shared.kit import person
from shared.kit.database import Pool
from shared.schemas.person import SealedPerson

_FACTS = """
    SELECT w.id::text, o.person, o.attributes, o.reasons, o.score, f.rep_name, f.mode, f.state, f.rep_id,
        (SELECT jsonb_object_agg(c.kind, c.due_at) FROM handoff.clocks c
         WHERE (c.tenant, c.opportunity_id, c.assignment) = (f.tenant, f.opportunity_id, f.assignment)) AS due,
        EXISTS (SELECT FROM handoff.offers n WHERE (n.tenant, n.opportunity_id) = (f.tenant, f.opportunity_id)
          AND n.assignment > f.assignment AND n.rep_id <> f.rep_id AND n.state IN ('open', 'accepted')) AS elsewhere
    FROM unnest($2::uuid[], $3::uuid[], $4::bigint[]) AS w(id, opportunity_id, assignment)
    JOIN handoff.opportunities o ON (o.tenant, o.opportunity_id) = ($1, w.opportunity_id)
    JOIN handoff.offers f ON (f.tenant, f.opportunity_id, f.assignment) = ($1, w.opportunity_id, w.assignment)
"""


class Gathering:
    """workers: of baton_worker;  public_url: under which reps reach the API of handoff; without one there are no links"""

    def __init__(self, workers: Pool, signer: Signer, public_url: str) -> None:
        self._workers, self._signer, self._public = workers, signer, public_url.rstrip("/")

    async def rows(self, found: Sequence[Notification]) -> dict[str, dict[str, Any]]:
        """What is known of each of `found`, by its id; nothing where there is nothing any more."""
        rows = await self._workers.fetch(
            _FACTS,
            found[0].tenant,
            [one.notification_id for one in found],
            [one.opportunity_id for one in found],
            [one.assignment for one in found],
        )
        return {row["id"]: dict(row) for row in rows}

    def facts(
        self,
        one: Notification,
        row: Mapping[str, Any],
        to: Reached,
        said: Mapping[str, Mapping[str, str]],
        now: int,
    ) -> Facts:
        """What may be shown on the channel. row: of `rows`;  said: reasons of declines, by code, in words"""
        named = to.channel.personal
        company = row["attributes"].get("company")
        who = person.reveal(SealedPerson.model_validate(row["person"])) if row["person"] and named else {}
        name = who.get("name") or " ".join(filter(None, (who.get("last_name"), who.get("first_name"))))
        offered = one.kind in ("offer", "assigned")
        clock = one.about.get("clock") or ("accept" if one.kind == "offer" else "first_touch" if offered else None)
        reasons = row["reasons"] if offered else []
        code = one.about.get("reason") if one.kind == "sent_back" else None
        return Facts(
            one.kind,
            concerns=row["rep_name"],
            company=str(company) if company and named else None,
            person=name or None,
            grade=(row["score"] or {}).get("grade") if offered else None,
            reasons=tuple(once(reasons if named else without_names(reasons, company and str(company)))),
            clock=clock,
            due_at=((row["due"] or {}).get(clock) or one.about.get("due_at")) if clock else None,
            share=one.about.get("share"),
            reason=said.get(code, {"en": code}) if code else {},
            link=self._link(one, row, to, now),
            elsewhere=row["elsewhere"],
        )

    def _link(self, one: Notification, row: Mapping[str, Any], to: Reached, now: int) -> str | None:
        """By which the rep answers, while the offer is open; not where others could answer for them."""
        theirs = row["rep_id"] == to.rep.id and row["mode"] == "offer" and row["state"] == "open"
        if not self._public or to.channel.room or not theirs or one.kind not in ("offer", "reminder"):
            return None
        link = OfferLink(one.tenant, one.opportunity_id, one.assignment, to.rep.id, now + LIVES)
        return f"{self._public}/o/{self._signer.write(link)}"
