"""Who plays in the demo. Every company and person is invented; the addresses are under `.example`, which nobody owns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

Story = Literal["hot", "warm", "fair", "cold", "junk", "visitor", "twice", "chat"]


@dataclass(frozen=True, slots=True)
class Person:
    """One lead. story: what the person does (see `script`);  employees: of the company;  locale: language and country"""

    tenant: str
    story: Story
    email: str
    name: str
    title: str
    department: str
    company: str
    employees: int
    industry: str
    locale: str

    @property
    def country(self) -> str:
        return self.locale.partition("-")[2]


def _people(tenant: str, rows: str) -> tuple[Person, ...]:
    people = []
    for row in rows.split("\n"):
        if row.strip():
            story, email, name, title, department, company, employees, industry, locale = row.strip().split("|")
            known = cast(Story, story)
            people.append(
                Person(tenant, known, email, name, title, department, company, int(employees), industry, locale)
            )
    return tuple(people)


# story|e-mail|name|title|department|company|employees|industry|locale (language and country)
NORTHSTAR = _people(
    "northstar",
    """
    hot|mei.tanabe@aozora-kikai.example|田辺 芽衣|情報システム部 部長|情報システム部|あおぞら機械株式会社|1200|製造業|ja-JP
    hot|j.lindqvist@fjordline.example|Johan Lindqvist|Head of IT|Information Technology|Fjordline Freight|640|logistics|en-SE
    hot|k.uchida@sakura-lab.example|内田 健介|DX推進課 課長|デジタル推進部|さくらラボ株式会社|450|医療|ja-JP
    hot|amara.diallo@baobab-bank.example|Amara Diallo|CTO|Information Technology|Baobab Bank|5200|banking|fr-FR
    hot|h.weber@nordwind.example|Hanna Weber|Director of Operations|IT|Nordwind Energie|2100|energy|de-DE
    hot|s.okada@minato-foods.example|岡田 沙織|経営企画部 部長|経営企画部|みなとフーズ株式会社|380|製造業|ja-JP
    hot|r.mehta@lotusworks.example|Ravi Mehta|General Manager, IT|IT|Lotusworks|900|software|en-IN
    chat|t.morita@kawase-trading.example|森田 拓海|システム部 課長|システム部|かわせ商事株式会社|320|商社|ja-JP
    chat|c.moreau@atelier-voile.example|Claire Moreau|IT Manager|Information Technology|Atelier Voile|310|manufacturing|fr-FR
    warm|y.hoshi@tsubame-net.example|星 優子|情報システム部 主任|情報システム部|つばめネット株式会社|150|情報通信|ja-JP
    warm|p.costa@rioverde.example|Paula Costa|IT Manager|IT|Rio Verde Varejo|260|retail|pt-BR
    warm|d.nguyen@mekong-soft.example|Duc Nguyen|Project Manager|Engineering|Mekong Soft|120|software|en-VN
    warm|f.ando@hikari-denki.example|安藤 文|製造部 課長|製造部|ひかり電機株式会社|780|製造業|ja-JP
    fair|n.shibata@kumo-kogyo.example|柴田 直樹|生産技術部 次長|生産技術部|くも工業株式会社|1500|製造業|ja-JP
    fair|e.larsen@polar-parts.example|Erik Larsen|Deputy Director|Purchasing|Polar Parts|340|manufacturing|en-NO
    cold|l.brown@smallbatch.example|Lou Brown|Associate|Marketing|Smallbatch Studio|8|professional services|en-US
    cold|m.iwai@komorebi-cafe.example|岩井 真央|店長|店舗|こもれび喫茶|12|飲食業|ja-JP
    cold|o.petrov@gradient.example|Olga Petrov|Analyst|Finance|Gradient Partners|45|finance|en-GB
    junk|asdf@freemail.example|asdf|student||asdf|1|education|en-US
    junk|student.k@univ.example|学生 太郎|大学院生||架空大学|1|教育|ja-JP
    visitor|g.santos@ponte-steel.example|Gil Santos|VP Engineering|Engineering|Ponte Steel|1800|manufacturing|pt-PT
    twice|a.fujii@yamabiko.example|藤井 彩|総務部 課長|総務部|やまびこ運輸株式会社|410|運輸|ja-JP
    """,
)
HINODE = _people(
    "hinode",
    """
    hot|k.nishida@umibe-seiyaku.example|西田 慶子|情報システム部 部長|情報システム部|うみべ製薬株式会社|2600|製造業|ja-JP
    hot|m.harada@asagiri-bank.example|原田 誠|デジタル推進部 次長|デジタル推進部|あさぎり銀行|3100|銀行|ja-JP
    hot|r.kubo@hoshizora-d.example|久保 涼|代表取締役社長|経営企画部|ほしぞら電設株式会社|160|建設業|ja-JP
    chat|t.endo@midori-butsuryu.example|遠藤 隆|情報システム部 課長|情報システム部|みどり物流株式会社|540|物流|ja-JP
    warm|a.matsui@kazamidori.example|松井 葵|システム部 係長|システム部|かざみどり不動産|210|不動産|ja-JP
    warm|s.ogawa@tatsumi-kensetsu.example|小川 翔太|工務部 主任|工務部|たつみ建設株式会社|330|建設業|ja-JP
    fair|h.noguchi@iwashimizu.example|野口 浩|品質管理部 部長|品質管理部|いわしみず飲料株式会社|870|製造業|ja-JP
    fair|w.zhang@longmen-tech.example|張 偉|経理|IT|龍門テック|620|software|zh-CN
    cold|y.kondo@nagisa-zakka.example|近藤 由紀|スタッフ|販売|なぎさ雑貨店|6|小売業|ja-JP
    junk|eigyo@urikomi-kikaku.example|売込 一郎|営業|営業部|うりこみ企画|20|広告|ja-JP
    visitor|n.sawada@kitakaze-sangyo.example|沢田 奈緒|情報システム部 部長|情報システム部|きたかぜ産業株式会社|1100|製造業|ja-JP
    twice|i.yamane@suzuran-hosp.example|山根 樹|事務部 課長|管理部|すずらん病院|480|病院|ja-JP
    """,
)
CAST = (*NORTHSTAR, *HINODE)
