"""Touch types of the vocabulary (section 1), and how an event's name becomes one."""

from __future__ import annotations

import re
from functools import lru_cache

_TOUCH_TYPES_TEXT = """
page_viewed product_page_viewed case_page_viewed comparison_page_viewed pricing_page_viewed site_search_done return_visited
video_watched chat_started careers_page_viewed email_opened email_clicked newsletter_subscribed email_unsubscribed
email_delivered email_bounced whitepaper_downloaded case_study_downloaded catalog_downloaded price_list_downloaded tool_used
webinar_registered webinar_attended webinar_replayed webinar_missed seminar_attended trade_fair_card_scanned
trade_fair_booth_talked trade_fair_survey_answered card_exchanged ad_clicked ad_form_submitted contact_requested
demo_requested quote_requested meeting_booked phone_inbound trial_started tender_notified product_used product_activated
usage_dropped seats_changed call_attempted email_sent_by_rep call_connected email_replied meeting_held workshop_held poc_run
review_held survey_answered referral_received deal_registered intent_surged sales_rejected_quality sales_deferred
nps_answered support_opened renewal_due invoice_overdue job_changed company_news consent_granted consent_withdrawn identify
"""
TOUCH_TYPES = frozenset(_TOUCH_TYPES_TEXT.split())
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_GAP = re.compile(r"[^a-z0-9]+")


@lru_cache(maxsize=8192)
def default_type(call: str, name: str | None) -> str:
    """The touch type of an event that no rule maps: `Demo Requested` is demo_requested; what the vocabulary lacks is custom."""
    if call == "identify":
        return "identify"
    if call in ("page", "screen"):
        return "page_viewed"
    snake = _GAP.sub("_", _HUMP.sub("_", name or "").lower()).strip("_")
    return snake if snake in TOUCH_TYPES else "custom"
