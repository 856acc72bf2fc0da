"""The typed catalogue of fields that conditions may name, per kind of rule. `object` admits text, number or truth value."""

from __future__ import annotations

from collections.abc import Mapping

LEAD: Mapping[str, type] = {
    "lead.level": str,  # vocabulary, section 2
    "lead.level_confidence": str,  # high or low: 室長, VP and Director mean another thing in every firm
    "lead.department": str,  # vocabulary, section 2
    "lead.employees": int,
    "lead.size_band": str,  # s0 … s7: vocabulary, section 4
    "lead.industry": str,  # jsic:E: vocabulary, section 3
    "lead.company": str,
    "lead.domain": str,
    "lead.own_domain": bool,  # mail at a domain of the company's own: not free mail, not an ISP
    "lead.country": str,  # ISO 3166-1 alpha-2
    "lead.region": str,  # prefecture or state, as given
    "lead.language": str,  # BCP 47 primary subtag
    "lead.kind": str,  # competitor, student, supplier, partner, …
    "lead.landing_page": str,
    "lead.origin": str,
    "lead.account": str,  # corporate:<法人番号>, else group:<the sender's own id>, else the domain; never free mail
    "lead.corporate_number": str,  # 法人番号, 13 digits, check digit right
    "lead.exchanged_by": str,  # id of the rep who exchanged cards
    "lead.postcode": str,  # as given, digits and `-` alone
    "lead.product": str,  # that it asked about
    "lead.rank": str,  # rank that was noted at a trade fair: contact (要連絡), follow_up (要フォロー), information (情報収集)
}
# On what basis the lead may be contacted for marketing: opt_in, card, business_relation, published_address; withdrawn once it has
# refused, until it opts in again; absent where nothing was said. By channel.
CONSENT: Mapping[str, type] = {f"lead.consent_{channel}": str for channel in ("email", "phone", "post", "sms", "chat")}
TOUCH: Mapping[str, type] = {
    "touch.type": str,
    "touch.event": str,
    "touch.path": str,
    "touch.topic": str,
    "touch.campaign": str,
    "touch.channel": str,
    "touch.automated": bool,
    "touch.is_test": bool,
}
SOURCE: Mapping[str, type] = {"source.id": str, "source.trusted": bool}
SCORE: Mapping[str, type] = {
    "score.grade": str,
    "score.fit": int,  # whole points
    "score.engagement": int,  # whole points
    "score.fit_grade": str,
    "score.band": str,
    "score.hand_raise": str,  # touch type of the latest hand-raise
}
BANT: Mapping[str, type] = {
    "bant.budget": bool,
    "bant.authority": bool,
    "bant.need": bool,
    "bant.timeline": bool,
    "bant.met": int,
}
FRAMEWORK: Mapping[str, type] = {
    "framework.met": int,  # weight of the criteria that are met, of whichever framework
    "framework.enough": bool,  # whether that is enough for field sales
}
# Of the account that the lead was matched to, absent where it was matched to none. What people do together is that of the
# lead's company, and known without it.
ACCOUNT: Mapping[str, type] = {
    "account.id": str,
    "account.kind": str,  # end_customer, partner, competitor, supplier, group, press, academic
    "account.level": str,  # group, legal_entity, site
    "account.tier": str,
    "account.owner": str,  # id of a rep
    "account.region": str,
    "account.is_customer": bool,
    "account.active": int,  # people who did something within the days that scoring counts (`account-scored`)
    "account.band": str,  # 1 to 4, of what its people are worth together
    "account.roles": int,  # buying roles among them
    "account.departments": int,
    "account.surging": bool,
    "account.people": int,  # of the lead's company who are known and did something of late, the lead itself included
    "account.matched_by": str,  # account_id, domain, alias_domain, corporate_number, name_prefecture, name_country, phone, fuzzy
}
EVENT: Mapping[str, type] = {  # what a sender sent, before it is a touch
    "event.type": str,  # identify, track, page, screen, group, alias
    "event.name": str,
    "event.category": str,
    "event.path": str,
    "event.host": str,
    "event.title": str,
    "event.campaign": str,
    "event.properties.*": object,
    "event.traits.*": object,
}

MAPPING_FIELDS = {**EVENT, **SOURCE}
BEHAVIOUR_FIELDS = {**TOUCH, **SOURCE}
FIT_FIELDS = dict(LEAD)
GATE_FIELDS = {
    **LEAD,
    **CONSENT,
    **SCORE,
    **ACCOUNT,
    "lead.internal": bool,  # one of ourselves
    "score.trend": str,  # rising, steady, falling
}
TIME: Mapping[str, type] = {  # when the lead is decided on, in the zone of the routing policy
    "time.weekday": str,  # mon … sun
    "time.hour": int,  # 0 to 23
}
ROUTING_FIELDS = {
    **LEAD,
    **CONSENT,
    **SCORE,
    **BANT,
    **FRAMEWORK,
    **ACCOUNT,
    **TIME,
    "lead.class": str,
    "lead.stage": str,
    "lead.first_source": str,  # channel by which it came first: vocabulary, section 5
    "lead.last_source": str,
    "lead.campaign": str,  # of its latest touch that names one
}
NURTURE_FIELDS = {
    **GATE_FIELDS,
    "lead.ended": str,  # how its cycle with sales ended: recycled, nurture, on_hold, lost; absent where there was none
    "lead.given_back_for": str,  # the code that the rep gave it back with
}
LIFECYCLE_FIELDS: Mapping[str, type] = {
    "gate.verdict": str,  # mql, inside_sales_check; absent where the lead is not ripe
    "lead.leg": str,  # is, fs, am, partner
    "lead.passed_on": bool,  # inside sales has qualified it for field sales
    "offer.accepted": bool,  # a rep has taken it over
    "opportunity.stage": str,  # vocabulary, section 9
}
