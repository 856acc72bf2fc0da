"""The words of the field that contracts and policies may use, by id, each with its English and Japanese label.

The one home of these ids: whoever needs to know whether `pricing_page_viewed` exists, or what s5 means, asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Word(NamedTuple):
    """One id's labels."""

    en: str
    ja: str


Words = Mapping[str, Word]

TOUCH_TYPES: Words = {
    "page_viewed": Word("Page viewed", "ページ閲覧"),
    "product_page_viewed": Word("Product page viewed", "製品ページ閲覧"),
    "case_page_viewed": Word("Customer case viewed", "導入事例閲覧"),
    "comparison_page_viewed": Word("Comparison page viewed", "比較ページ閲覧"),
    "pricing_page_viewed": Word("Pricing page viewed", "価格ページ閲覧"),
    "site_search_done": Word("Site searched", "サイト内検索"),
    "return_visited": Word("Came back after 30 days or more", "再訪(30日以上ぶり)"),
    "video_watched": Word("Video watched (half or more)", "動画視聴(50%以上)"),
    "chat_started": Word("Chat started", "チャット開始"),
    "careers_page_viewed": Word("Careers page viewed", "採用ページ閲覧"),
    "email_opened": Word("Mail opened", "メール開封"),
    "email_clicked": Word("Link in mail clicked", "メールクリック"),
    "newsletter_subscribed": Word("Newsletter subscribed", "メルマガ登録"),
    "email_unsubscribed": Word("Unsubscribed from mail", "配信停止"),
    "email_delivered": Word("Mail delivered", "メール配信"),
    "email_bounced": Word("Mail bounced", "メール不達"),
    "whitepaper_downloaded": Word("White paper downloaded", "ホワイトペーパーDL"),
    "case_study_downloaded": Word("Case study downloaded", "導入事例DL"),
    "catalog_downloaded": Word("Catalogue requested", "資料請求"),
    "price_list_downloaded": Word("Price list downloaded", "価格表DL"),
    "tool_used": Word("Assessment or ROI tool used", "診断・ROI試算"),
    "webinar_registered": Word("Webinar registered", "ウェビナー申込"),
    "webinar_attended": Word("Webinar attended", "ウェビナー参加"),
    "webinar_replayed": Word("Webinar recording watched", "アーカイブ視聴"),
    "webinar_missed": Word("Webinar missed", "ウェビナー欠席"),
    "seminar_attended": Word("Seminar attended", "会場セミナー参加"),
    "trade_fair_card_scanned": Word("Card given at a trade fair", "展示会名刺交換"),
    "trade_fair_booth_talked": Word("Talked at the booth", "ブース商談"),
    "trade_fair_survey_answered": Word("Trade fair survey answered", "展示会アンケート"),
    "card_exchanged": Word("Card exchanged with sales", "営業名刺交換"),
    "ad_clicked": Word("Advertisement clicked", "広告クリック"),
    "ad_form_submitted": Word("Advertisement lead form", "広告リードフォーム"),
    "contact_requested": Word("Contact requested", "問い合わせ"),
    "demo_requested": Word("Demo requested", "デモ依頼"),
    "quote_requested": Word("Quote requested", "見積依頼"),
    "meeting_booked": Word("Meeting booked", "商談予約"),
    "phone_inbound": Word("Called us", "入電"),
    "trial_started": Word("Trial started", "トライアル開始"),
    "tender_notified": Word("Tender or RFP received", "入札・RFP案内"),
    "product_used": Word("Product used", "製品利用"),
    "product_activated": Word("Key feature used", "主要機能利用"),
    "usage_dropped": Word("Usage dropped", "利用低下"),
    "seats_changed": Word("Number of seats changed", "席数変更"),
    "call_attempted": Word("Call attempted", "架電"),
    "email_sent_by_rep": Word("Mail sent by a rep", "営業メール送信"),
    "call_connected": Word("Spoke on the phone", "通話"),
    "email_replied": Word("Replied by mail", "返信"),
    "meeting_held": Word("Meeting held", "商談実施"),
    "workshop_held": Word("Workshop held", "共創ワークショップ"),
    "poc_run": Word("Proof of concept run", "PoC実施"),
    "review_held": Word("Regular review held", "定期レビュー"),
    "survey_answered": Word("Survey answered", "アンケート回答"),
    "referral_received": Word("Referred to us", "紹介"),
    "deal_registered": Word("Deal registered by a partner", "代理店案件登録"),
    "intent_surged": Word("Outside intent surged", "外部インテント上昇"),
    "sales_rejected_quality": Word("Rejected by sales for quality", "差し戻し(質)"),
    "sales_deferred": Word("Deferred by sales", "時期尚早"),
    "wrong_person": Word("Not the right person, says sales", "担当者違い"),
    "opportunity_won": Word("Opportunity won", "受注"),
    "opportunity_lost": Word("Opportunity lost", "失注"),
    "nps_answered": Word("NPS answered", "NPS回答"),
    "support_opened": Word("Support case opened", "サポート問合せ"),
    "renewal_due": Word("Renewal due", "更新時期"),
    "invoice_overdue": Word("Invoice overdue", "未入金"),
    "job_changed": Word("Changed post or company", "異動"),
    "company_news": Word("News of the company", "企業ニュース"),
    "consent_granted": Word("Consent granted", "同意"),
    "consent_withdrawn": Word("Consent withdrawn", "同意撤回"),
    "identify": Word("Identified", "識別"),
    "custom": Word("Other event", "任意"),
}

HAND_RAISES = (
    "contact_requested",
    "demo_requested",
    "quote_requested",
    "meeting_booked",
    "phone_inbound",
    "trial_started",
    "tender_notified",
)

LEVELS: Words = {
    "top": Word("Owner or president", "経営者"),
    "executive": Word("Executive", "役員"),
    "head": Word("Head of a department", "部長級"),
    "deputy_head": Word("Deputy head", "次長級"),
    "manager": Word("Manager", "課長級"),
    "supervisor": Word("Supervisor", "係長・主任級"),
    "expert": Word("Expert", "専門職"),
    "staff": Word("Staff", "一般"),
    "advisor": Word("Advisor", "顧問"),
    "academic": Word("Academic", "研究・教職"),
    "assistant": Word("Assistant", "秘書"),
    "temp": Word("Temporary staff", "派遣等"),
    "student": Word("Student", "学生"),
    "unknown": Word("Unknown", "不明"),
}

DEPARTMENTS: Words = {
    "sales": Word("Sales", "営業"),
    "product": Word("Product planning", "商品企画"),
    "exec_office": Word("Executive office", "社長室"),
    "it": Word("IT", "情報システム"),
    "dx": Word("Digital transformation", "DX推進"),
    "corporate_planning": Word("Corporate planning", "経営企画"),
    "new_business": Word("Business development", "新規事業"),
    "hr": Word("Human resources", "人事"),
    "purchasing": Word("Purchasing", "購買"),
    "finance": Word("Finance", "経理・財務"),
    "legal": Word("Legal", "法務"),
    "audit": Word("Audit", "監査"),
    "sales_planning": Word("Sales planning", "営業企画"),
    "marketing": Word("Marketing", "マーケティング"),
    "pr": Word("Public relations", "広報"),
    "customer_success": Word("Customer success", "カスタマーサクセス"),
    "field_service": Word("Field service", "保守"),
    "quality": Word("Quality", "品質"),
    "rd": Word("Research", "研究"),
    "production_engineering": Word("Production engineering", "生産技術"),
    "manufacturing": Word("Manufacturing", "製造"),
    "engineering": Word("Engineering", "設計・開発"),
    "logistics": Word("Logistics", "物流"),
    "facilities": Word("Facilities", "施設"),
    "overseas": Word("Overseas business", "海外"),
    "store": Word("Stores", "店舗"),
    "general_affairs": Word("General affairs", "総務"),
    "other": Word("Other", "その他"),
}

INDUSTRIES: Words = {
    "jsic:A": Word("Agriculture and forestry", "農業,林業"),
    "jsic:B": Word("Fisheries", "漁業"),
    "jsic:C": Word("Mining and quarrying", "鉱業,採石業,砂利採取業"),
    "jsic:D": Word("Construction", "建設業"),
    "jsic:E": Word("Manufacturing", "製造業"),
    "jsic:F": Word("Electricity, gas, heat and water", "電気・ガス・熱供給・水道業"),
    "jsic:G": Word("Information and communications", "情報通信業"),
    "jsic:H": Word("Transport and postal services", "運輸業,郵便業"),
    "jsic:I": Word("Wholesale and retail", "卸売業,小売業"),
    "jsic:J": Word("Finance and insurance", "金融業,保険業"),
    "jsic:K": Word("Real estate and leasing", "不動産業,物品賃貸業"),
    "jsic:L": Word("Research, professional and technical services", "学術研究,専門・技術サービス業"),
    "jsic:M": Word("Accommodation and food services", "宿泊業,飲食サービス業"),
    "jsic:N": Word("Living-related services and amusement", "生活関連サービス業,娯楽業"),
    "jsic:O": Word("Education", "教育,学習支援業"),
    "jsic:P": Word("Medical care and welfare", "医療,福祉"),
    "jsic:Q": Word("Compound services", "複合サービス事業"),
    "jsic:R": Word("Other services", "サービス業(他に分類されないもの)"),
    "jsic:S": Word("Government", "公務"),
    "jsic:T": Word("Unclassifiable", "分類不能"),
}

SIZE_BANDS: Words = {
    "s0": Word("Unknown", "不明"),
    "s1": Word("1-9 people", "1–9人"),
    "s2": Word("10-29 people", "10–29人"),
    "s3": Word("30-99 people", "30–99人"),
    "s4": Word("100-299 people", "100–299人"),
    "s5": Word("300-999 people", "300–999人"),
    "s6": Word("1,000-4,999 people", "1,000–4,999人"),
    "s7": Word("5,000 people or more", "5,000人以上"),
}

LEAD_SOURCES: Words = {
    "organic_search": Word("Organic search", "自然検索"),
    "direct": Word("Direct", "直接"),
    "referral_site": Word("Other site", "他サイト"),
    "organic_social": Word("Social media", "SNS"),
    "paid_search": Word("Paid search", "リスティング"),
    "paid_display": Word("Display advertisement", "ディスプレイ"),
    "paid_social": Word("Social advertisement", "SNS広告"),
    "media_tieup": Word("Media with guaranteed leads", "媒体タイアップ"),
    "list_purchase": Word("Purchased list", "リスト購入"),
    "trade_fair": Word("Trade fair", "展示会"),
    "own_seminar": Word("Own seminar", "自社セミナー"),
    "co_seminar": Word("Joint seminar", "共催セミナー"),
    "webinar": Word("Webinar", "ウェビナー"),
    "inbound_form": Word("Inquiry form", "問い合わせ(経路不明)"),
    "inbound_phone": Word("Inbound call", "入電"),
    "email_nurture": Word("Newsletter or nurture mail", "メルマガ・掘り起こし"),
    "outbound_call": Word("Outbound call", "テレアポ"),
    "outbound_mail": Word("Outbound mail", "営業メール"),
    "letter_dm": Word("Letter", "手紙・DM"),
    "sales_card": Word("Card of a sales contact", "営業の名刺"),
    "customer_referral": Word("Customer's referral", "顧客紹介"),
    "executive_referral": Word("Executive's referral", "役員・人脈紹介"),
    "partner": Word("Partner", "代理店"),
    "group_company": Word("Group company", "グループ会社"),
    "tender": Word("Tender", "公募・入札"),
    "product_trial": Word("Trial", "トライアル"),
    "existing_customer": Word("Existing customer", "既存深耕"),
    "unknown": Word("Unknown", "不明"),
}

LEAD_KINDS: Words = {
    "end_customer": Word("End customer", "エンド顧客"),
    "partner": Word("Partner", "代理店"),
    "competitor": Word("Competitor", "競合"),
    "supplier": Word("Supplier", "仕入先"),
    "group": Word("Group company", "グループ会社"),
    "press": Word("Press", "報道"),
    "academic": Word("Academic", "研究・教育機関"),
    "student": Word("Student", "学生"),
}

STAGES = (
    "visitor",
    "inquiry",
    "aql",
    "mql",
    "tal",
    "tql",
    "tgl",
    "sgl",
    "sal",
    "sql",
    "won",
    "lost",
    "customer",
)

# Qualification questions that policies may name, each with the codes of its answers. A question with an open answer has
# `stated`: that it was answered is what counts. B1's `named` is an amount given without saying whether it is secured.
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "N1": ("stated", "none"),
    "T1": ("now", "3m", "6m", "1y", "undecided"),
    "A1": ("information", "selection", "drafting", "decision"),
    "N2": ("stated",),
    "T2": ("renewal", "regulation", "fiscal_year", "other", "none"),
    "H1": ("yes", "considering", "no"),
    "C1": ("stated", "none"),
    "A2": ("stated",),
    "B1": ("secured", "applied", "next_fy", "named", "undecided", "none"),
    "A3": ("stated", "none"),
    "B2": ("stated",),
    "D1": ("stated", "none"),
    "P1": ("yes", "considering", "no"),
    "E1": ("named", "undecided"),
}


class Asking(NamedTuple):
    """How a question is asked, what asking costs (1 a form … 5 a meeting with the one who knows), and for how many days an answer
    holds; None: until the customer's fiscal year ends."""

    words: Word
    cost: int
    days: int | None


# In the order of asking: of equal cost, the gentler first. "Are you the decider?" is never asked: the part that one has is.
ASKING: Mapping[str, Asking] = {
    "N1": Asking(
        Word(
            "What made you look at us; what would you like to solve?",
            "今回ご覧いただいたきっかけや、お困りの点をお聞かせいただけますか",
        ),
        1,
        180,
    ),
    "T1": Asking(Word("By when would you like to decide?", "ご検討の時期はお決まりでしょうか"), 1, 90),
    "A1": Asking(
        Word("What is your part in this decision?", "今回のご検討では、どのようなお立場でいらっしゃいますか"), 1, 180
    ),
    "N2": Asking(
        Word("How much time or money does that cost you?", "その件で、手間や費用はどの程度かかっていますか"), 2, 180
    ),
    "T2": Asking(Word("What makes that date necessary?", "その時期までに必要なご事情はございますか"), 2, 180),
    "H1": Asking(Word("Who carries it forward, with which team?", "進められるご担当や体制はお決まりですか"), 2, 90),
    "C1": Asking(Word("Are you looking at other services as well?", "他社様のサービスもご検討でしょうか"), 3, 90),
    "D1": Asking(
        Word("What matters most when you choose?", "ご選定にあたって、重視される点をお聞かせいただけますか"), 3, 180
    ),
    "P1": Asking(
        Word("Is there somebody who speaks for it within?", "社内でご推進いただける方はいらっしゃいますか"), 3, 90
    ),
    "A2": Asking(
        Word(
            "How is such a purchase approved, and which department drafts it?",
            "ご導入の際は、どのような流れでご決裁されますか。起案はどちらの部署でしょうか",
        ),
        3,
        180,
    ),
    "B1": Asking(
        Word("Is the budget for this term or for the next?", "ご予算は今期・来期のどちらでお考えでしょうか"), 4, None
    ),
    "E1": Asking(Word("Who has the last word on the money?", "ご予算の最終的なご判断は、どなたがなさいますか"), 4, 180),
    "A3": Asking(Word("Whom should we tell before?", "事前にご説明しておいた方がよい方はいらっしゃいますか"), 4, 90),
    "B2": Asking(
        Word(
            "About how much is the budget, or up to how much may the head of department sign?",
            "ご予算の目安、または部長様決裁の範囲はございますか",
        ),
        5,
        None,
    ),
}


class AnswerSource(NamedTuple):
    """How people of sales came to know an answer, and how sure it then is (0 to 1), unless they say otherwise."""

    words: Word
    confidence: float


# As evidence names them: a slash is in no id of a sender, so that none can be mistaken for one.
ANSWER_SOURCES: Mapping[str, AnswerSource] = {
    "handoff/form": AnswerSource(Word("form or survey", "フォーム・アンケート"), 0.5),
    "handoff/inside_sales": AnswerSource(Word("inside sales", "インサイドセールス"), 0.8),
    "handoff/meeting": AnswerSource(Word("meeting with field sales", "商談"), 0.9),
    "handoff/document": AnswerSource(Word("document of the customer's", "お客様の書面"), 1.0),
}
VOID = "void"  # the code of an answer that holds no more, because who gave it has moved
# Questions whose answers rest on the post of who gave them: the part in the decision, the route, the money, who speaks for it.
OF_THE_POST: frozenset[str] = frozenset({"A1", "A2", "E1", "P1"})

BUYING_ROLES: Words = {
    "initiator": Word("Initiator", "発案者"),
    "influencer": Word("Influencer", "影響者"),
    "decision_maker": Word("Decision maker", "決裁者"),
    "gatekeeper": Word("Gatekeeper", "窓口"),
    "user": Word("User", "利用者"),
    "drafter": Word("Drafter", "起案者"),
}
ROLE_OF_LEVEL: Mapping[str, str] = {  # the usual one; who is asked may answer otherwise
    "top": "decision_maker",
    "executive": "decision_maker",
    "head": "decision_maker",
    "deputy_head": "influencer",
    "manager": "initiator",
    "supervisor": "drafter",
    "expert": "influencer",
    "staff": "user",
    "assistant": "gatekeeper",
}
ROLE_OF_ANSWER: Mapping[str, str] = {  # to question A1; who only gathers information may have any role
    "selection": "influencer",
    "drafting": "drafter",
    "decision": "decision_maker",
}

# What sales says of a lead, as the touch type that scoring takes it for; a reason that is the rep's own says nothing of the lead.
OUTCOME_OF_REASON: Mapping[str, str] = {
    **dict.fromkeys(
        ("junk", "competitor", "supplier_pitch", "student", "job_seeker", "not_target"), "sales_rejected_quality"
    ),
    "wrong_person": "wrong_person",
    **dict.fromkeys(
        ("no_need", "info_only", "not_now", "no_budget_this_fy", "unreachable", "reorganisation"), "sales_deferred"
    ),
}
OUTCOME_OF_STAGE: Mapping[str, str] = {"won": "opportunity_won", "lost": "opportunity_lost"}
