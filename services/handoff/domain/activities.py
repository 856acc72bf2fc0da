"""What a human may log about a lead: the acts of vocabulary, section 1, that no machine sees."""

from __future__ import annotations

ACTIVITY_TYPES: frozenset[str] = frozenset(
    {
        "call_attempted",
        "call_connected",
        "email_sent_by_rep",
        "email_replied",
        "meeting_booked",
        "meeting_held",
        "workshop_held",
        "poc_run",
        "review_held",
        "card_exchanged",
        "survey_answered",
        "referral_received",
        "deal_registered",
        "phone_inbound",
        "contact_requested",
        "demo_requested",
        "quote_requested",
        "tender_notified",
        "trade_fair_booth_talked",
        "seminar_attended",
        "job_changed",
        "custom",
    }
)
