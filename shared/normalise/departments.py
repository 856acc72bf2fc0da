"""A department's id (vocabulary, section 2)."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.normalise.titles import as_read

OTHER = "other"

# The order matters: the first that is found decides.
_DEPARTMENTS = tuple(
    (department, re.compile(pattern, re.IGNORECASE))
    for department, pattern in (
        (
            "sales",
            r"技術営業|営業技術|営業(?!企画|推進|統括|管理|支援|戦略)|セールス(?!企画|推進)"
            r"|\bsales\b(?! (?:ops|operations|planning))",
        ),
        ("product", r"商品企画|製品企画|商品開発|\bproduct\b"),
        ("exec_office", r"経営会議|社長室|会長室|役員室|秘書"),
        (
            "it",
            r"情報システム|情シス|システム(?:部|課|室|企画|推進|管理|運用)|IT(?:部|推進|企画|戦略|統括|基盤)|ICT"
            r"|情報(?:管理|企画|通信|セキュリティ|基盤)|セキュリティ|インフラ|information (?:systems|technology)|\bIT\b",
        ),
        ("dx", r"DX|デジタル|データ(?:活用|戦略|分析)|業務改革|イノベーション|\bdigital"),
        ("corporate_planning", r"経営企画|経営戦略|事業企画|経営管理|総合企画|corporate planning|\bstrategy"),
        ("new_business", r"新規事業|事業開発|business development"),
        ("hr", r"人事|人材|人財|労務|採用|教育|研修|human resources|\bHR\b"),
        ("purchasing", r"購買|調達|資材|仕入|バイヤー|procurement|purchasing|sourcing"),
        ("finance", r"経理|財務|会計|主計|\bIR\b|finance|accounting|treasury"),
        ("legal", r"法務|知財|知的財産|コンプライアンス|内部統制|\blegal\b|compliance"),
        ("audit", r"監査|\baudit"),
        (
            "sales_planning",
            r"営業(?:企画|推進|統括|管理|支援|戦略)|セールス(?:企画|推進)|販売(?:企画|促進|推進)|販促"
            r"|sales (?:ops|operations|planning)|revops",
        ),
        ("marketing", r"マーケ|宣伝|広告|ブランド|marketing|\bbrand"),
        ("pr", r"広報|渉外|public relations|communications"),
        (
            "customer_success",
            r"カスタマー|お客様|顧客(?:サポート|支援|サービス)|サポート|コールセンター|コンタクトセンター"
            r"|customer (?:success|support|service)",
        ),
        ("field_service", r"保守|サービス(?:部|課|技術)|メンテナンス|field service"),
        ("quality", r"品質|品証|品管|\bQ[AC]\b|quality"),
        ("rd", r"研究|R&D|\bresearch"),
        ("production_engineering", r"生産技術|製造技術|設備技術"),
        ("manufacturing", r"製造|生産|工場|工務|manufactur|production"),
        ("engineering", r"設計|開発|技術|エンジニアリング|engineering|development"),
        ("logistics", r"物流|ロジ|SCM|サプライチェーン|倉庫|logistics|supply chain"),
        ("facilities", r"施設|設備|ファシリティ|安全衛生|facilit"),
        ("overseas", r"海外|国際|グローバル|international|overseas"),
        ("store", r"店舗|販売|retail"),
        ("general_affairs", r"総務|庶務|業務|管理(?:部|課|本部)|事務|general affairs"),
    )
)


@lru_cache(maxsize=8192)
def department(text: str) -> str:
    """The id of a department as written, or of the one that a joined title names; `other` where no pattern is found."""
    read = as_read(text)
    return next((name for name, pattern in _DEPARTMENTS if pattern.search(read)), OTHER)
