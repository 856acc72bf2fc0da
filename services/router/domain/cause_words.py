"""Why a lead was routed again, in words, English and Japanese: who had it, and how that ended."""

from __future__ import annotations

from services.router.domain.lead import Cause
from services.router.domain.playbook import Playbook
from shared.schemas.routing import Reason

EXPIRED = {
    "accept": ("did not accept it in time", "受領期限を超過"),
    "first_touch": ("did not touch it in time", "初回接触期限を超過"),
}


def cause_reason(cause: Cause, playbook: Playbook | None) -> Reason | None:
    """What became of the assignment before; None where the lead was nobody's."""
    rep = playbook.reps.get(cause.rep_id or "") if playbook else None
    name = rep.name if rep else cause.rep_id
    detail = {"rep": cause.rep_id, "reason": cause.reason}
    if cause.kind == "left":
        text = {"en": f"{name} has left, and the lead moves on", "ja": f"{name} の退職・異動により引き継ぎ"}
        return Reason(code="rep_left", text=text, detail={"rep": cause.rep_id})
    if cause.kind == "inherited":
        who = (name, f"{name} ") if name else ("inside sales", "インサイドセールス")
        text = {
            "en": f"{who[0]} had qualified a lead that was merged into this one",
            "ja": f"{who[1]}が見極めたリードがこのリードに統合",
        }
        return Reason(code="inherited", text=text, detail={"rep": cause.rep_id} if cause.rep_id else {})
    if cause.kind == "offer-declined":
        known = playbook.decline(cause.reason) if playbook else None
        en = (known.label.en if known else None) or cause.reason
        ja = (known.label.ja or known.label.en if known else None) or cause.reason
        text = {"en": f"{name} gave it back: {en}", "ja": f"{name} が差し戻し: {ja}"}
        return Reason(code="offer_declined", text=text, detail=dict(detail))
    if cause.kind == "offer-expired":
        en, ja = EXPIRED.get(cause.reason or "", ("ran out of time", "期限を超過"))
        return Reason(code="offer_expired", text={"en": f"{name} {en}", "ja": f"{name} が{ja}"}, detail=dict(detail))
    return None
