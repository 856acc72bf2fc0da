"""Every planted defect is found: by its code, on its line, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baton.lint import lint
from baton.policies.codes import CODES, REASONED
from baton.policies.problems import Problem

Edit = Callable[[str, str, str], None]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Planted:
    """A defect: in the file of `kind` `old` becomes `new`.

    at: text of the line on which `code` is found;  also: what follows from it
    file: where it is found, if elsewhere;  says: what the sentence has to say
    """

    code: str
    kind: str
    old: str
    new: str
    at: str
    says: str = ""
    file: str = ""
    also: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.code}: {self.new[:40]}"


RULE = "    when: {lead.language: {in: [de, fr]}}\n    pool: languages"


def ruled(when: str) -> str:
    return f"    when: {when}\n    pool: field"


UNUSED = ("unused-pool",)  # what becomes of a pool whose rule goes elsewhere

OF_LINT = (  # what only reasoning finds, and what came with it
    "dead-branch",
    "shadowed-rule",
    "shadowed-part",
    "language-nobody-speaks",
    "unused-rep",
    "rep-unreachable",
    "pool-without-manager",
    "return-without-rule",
    "points-cut",
    "band-unreachable",
    "letter-unreachable",
    "gate-unreachable",
    "criterion-never-met",
    "half-signed",
    "never-comes-back",
    "class-unreachable",
    "touch-claimed",
    "stage-unreachable",
    "chances-fall",
    "sql-unheard",
)

DEFECTS = [
    # names
    Planted("unknown-field", "routing", "lead.employees:", "lead.employes:", "lead.employes", "`lead.employees`?"),
    Planted(
        "unknown-field", "teams", "match_language: true", "match_langage: true", "match_langage", "`match_language`?"
    ),
    Planted(
        "missing-field", "sla", "default: {id: score, accept: 14400,", "default: {id: score,", "id: score", "`accept`"
    ),
    Planted("bad-condition", "routing", "{gte: 1000}", "{gtt: 1000}", "gtt", "`gtt`"),
    Planted("wrong-value", "sla", "accept: 900", "accept: soon", "soon", "whole number"),
    Planted("not-yaml", "sla", "kind: sla", "kind: [sla", "", ""),
    Planted("unknown-value", "scoring", "eq: student", "eq: pupil", "pupil", "`lead.level` is never `pupil`"),
    Planted(
        "unknown-value",
        "routing",
        "in: [de, fr]",
        "in: [de-DE, fr]",
        "de-DE",
        "never `de-DE`. Did you mean `de`?",
        also=("language-nobody-speaks",),
    ),
    Planted("unknown-value", "routing", "[JP, US]", "[Japan, US]", "Japan", "never `Japan`. Did you mean `JP`?"),
    Planted("unknown-pool", "routing", "pool: field", "pool: feld", "pool: feld", "Did you mean `field`?", also=UNUSED),
    Planted("unknown-rep", "teams", "members: [{rep: ken}]", "members: [{rep: ken}, {rep: kan}]", "rep: kan", "`kan`"),
    Planted(
        "unknown-manager",
        "teams",
        "large, manager: sato",
        "large, manager: sata",
        "large, manager",
        "Did you mean `sato`?",
    ),
    Planted(
        "unknown-manager", "teams", "Ken, manager: sato", "Ken, manager: sata", "Ken, manager", "Did you mean `sato`?"
    ),
    Planted(
        "pool-without-manager", "teams", "large, manager: sato,", "large,", "id: large", "what all of them give back"
    ),
    Planted(
        "queue-without-pool",
        "teams",
        "{id: inside, ",
        "{id: inside, queue: {within: 60}, ",
        "id: inside",
        "`queue` counts for `dispatch` and `claim` alone",
    ),
    Planted(
        "queue-without-manager",
        "teams",
        "{id: inside, ",
        "{id: inside, mode: claim, queue: {overdue: manager}, ",
        "id: inside",
        "it names no `manager`",
    ),
    Planted("unknown-question", "qualification", "{N1: [stated]}", "{N9: [stated]}", "N9", "`N9`"),
    Planted("unknown-answer", "qualification", "B1: [secured]", "B1: [secure]", "secure]", "Did you mean `secured`?"),
    Planted(
        "unknown-answer-source",
        "qualification",
        "budget: {questions",
        "budget: {sources: [crm, handoff/meetings], questions",
        "handoff/meetings",
        "Did you mean `handoff/meeting`?",
    ),
    Planted("unknown-touch-type", "sla", "[trade_fair_card_scanned]", "[trade_fair]", "[trade_fair]", "`trade_fair`"),
    Planted(
        "id-twice",
        "routing",
        "id: rest-inside",
        "id: rest-field",
        "id: rest-field",
        "`rest-field` is there already, on line",
    ),
    Planted("grade-twice", "qualification", "[A3, B2]", "[A3, B1]", "[A3, B1]", "`B1`"),
    # rules that nothing fits
    Planted(
        "dead-rule",
        "routing",
        "{gte: 1000}",
        "{gte: 1000, lt: 300}",
        "lt: 300",
        "`lead.employees: {gte: 1000}` and `lead.employees: {lt: 300}` exclude each other",
    ),
    Planted(
        "dead-rule",
        "routing",
        RULE,
        ruled("{all: [{lead.country: {eq: JP}}, {lead.country: {eq: US}}]}"),
        "eq: US",
        "exclude each other",
        also=UNUSED,
    ),
    Planted("dead-rule", "routing", RULE, ruled("{lead.country: {in: []}}"), "in: []", "is never so", also=UNUSED),
    Planted("dead-rule", "routing", "{gte: 1000}", "{gt: 7, lt: 8}", "gt: 7", "exclude each other"),
    Planted("dead-rule", "routing", RULE, ruled("{score.engagement: {gt: 100}}"), "gt: 100", "never so", also=UNUSED),
    Planted(
        "dead-rule",
        "routing",
        RULE,
        ruled("{score.fit_grade: {eq: A}, score.grade: {in: [B1, B2]}}"),
        "B1, B2",
        "exclude each other",
        also=UNUSED,
    ),
    Planted(
        "dead-rule",
        "routing",
        RULE,
        ruled("{score.fit: {lt: 45}, score.fit_grade: {eq: A}}"),
        "lt: 45",
        "exclude each other",
        also=UNUSED,
    ),
    Planted(
        "dead-rule", "routing", RULE, ruled("{bant.met: {gte: 4}, bant.need: {eq: false}}"), "bant.met", also=UNUSED
    ),
    Planted("dead-rule", "routing", RULE, ruled("{lead.class: {exists: false}}"), "exists: false", also=UNUSED),
    Planted(
        "dead-rule",
        "routing",
        RULE,
        ruled("{lead.domain: {prefix: www, suffix: .jp, not_in: [x]}, not: {lead.domain: {contains: jp}}}"),
        "www",
        "`lead.domain: {suffix: .jp}`",
        also=UNUSED,
    ),
    Planted(
        "dead-rule",
        "scoring",
        "touch.automated: {ne: true}",
        "not: {touch.type: {prefix: pricing}}",
        "not:",
        "no touch can fit rule `pricing`",
    ),
    Planted("dead-rule", "scoring", "{lead.country: {in: [SG, AU]}}", "{lead.country: {eq: SG, ne: sg}}", "ne: sg"),
    Planted("dead-rule", "sources", "{gte: 1000}", "{gte: 1000, eq: '1000'}", "eq: '1000'", "no event can fit rule"),
    Planted(
        "dead-branch",
        "routing",
        "lead.country: {in: [JP, US]}",
        "lead.country: {in: [JP, US], ne: us}",
        "[JP, US]",
        "`lead.country: US`",
    ),
    Planted(
        "dead-branch",
        "routing",
        "lead.country: {in: [JP, US]}",
        "any: [{lead.country: {eq: JP}}, {lead.employees: {lt: 5}}]",
        "lt: 5",
        "`lead.employees: {lt: 5}`",
    ),
    # rules that others leave nothing to
    Planted(
        "shadowed-rule",
        "routing",
        RULE,
        ruled("{}"),
        "id: rest-field",
        "on leg `fs`: `languages` takes all",
        also=("*",),
    ),
    Planted(
        "shadowed-rule",
        "routing",
        RULE,
        ruled("{lead.employees: {gt: 5000}, lead.country: {eq: jp}}").replace("    when", "    legs: [fs]\n    when"),
        "id: languages",
        "`large` takes all before it",
        also=UNUSED,
    ),
    Planted(
        "shadowed-rule",
        "routing",
        RULE,
        "    when: {lead.employees: {lt: 500}}\n    pool: field\n  - id: others\n"
        "    when: {any: [{lead.employees: {gt: 499}}, {lead.employees: {exists: false}}]}\n    pool: field",
        "id: rest-field",
        "on leg `fs`: `languages` and `others` take all before it",
        also=UNUSED,
    ),
    Planted(
        "shadowed-part",
        "routing",
        RULE,
        RULE + "\n  - id: german\n    when: {lead.language: {in: [de, en]}}\n    pool: field",
        "[de, en]",
        "has nothing from `lead.language: de` on leg `fs`: `languages` takes all of it before",
    ),
    Planted(
        "shadowed-rule",
        "sources",
        "event.path: {contains: [pricing, 料金]}",
        "event.path: {prefix: /careers}",
        "id: pricing",
        "`careers` takes all before it",
    ),
    Planted("shadowed-rule", "scoring", "in: [SG, AU]", "in: [FR, de]", "id: apac", "`emea` takes all before it"),
    Planted(
        "shadowed-rule",
        "scoring",
        "{lead.country: {in: [SG, AU]}}",
        "{lead.country: {eq: de}, lead.level: {eq: head}}",
        "id: apac",
        "`emea` takes all before it",
    ),
    # skills
    Planted(
        "skill-nobody-has",
        "teams",
        "{id: inside, members: [{rep: ken}]}",
        "{id: inside, members: [{rep: ken}], requires: [{when: {lead.industry: {eq: 'jsic:E'}}, skills: [factory]}]}",
        "pool: inside",
        "rule `rest-inside` brings pool `inside` leads that ask for `factory` on leg `is`",
        file="routing",
    ),
    Planted(
        "skill-nobody-has",
        "teams",
        "{id: large, manager: sato, members: [{rep: mori}]}",
        "{id: large, manager: sato, members: [{rep: mori}], requires: [{when: {lead.country: {eq: FR}}, skills: [factory]}]}",
        "id: large",
        "nobody in pool `large` has `factory`",
    ),
    Planted(
        "dead-rule",
        "teams",
        "{id: large, manager: sato, members: [{rep: mori}]}",
        "{id: large, manager: sato, members: [{rep: mori}], requires: [{when: {score.fit: {gt: 100}}, skills: [factory]}]}",
        "id: large",
        "no lead can fit rule `large: factory`",
        also=("skill-nobody-has",),
    ),
    # the gate's own rules
    Planted(
        "dead-rule",
        "qualification",
        "gate:\n",
        "gate:\n  exclude: [{id: old, when: {score.band: {eq: '1'}, score.engagement: {lt: 60}}}]\n",
        "exclude:",
        "no lead can fit rule `old`",
    ),
    Planted(
        "shadowed-rule",
        "qualification",
        "gate:\n",
        "gate:\n  exclude:\n    - {id: ours, when: {lead.internal: {eq: true}}}\n"
        "    - {id: staff, when: {lead.internal: {ne: false}, lead.level: {eq: staff}}}\n",
        "id: staff",
        "`ours` takes all before it",
    ),
    Planted(
        "shadowed-rule",
        "qualification",
        "gate:\n",
        "gate:\n  segments:\n    - {id: large, when: {lead.size_band: {in: [s6, s7]}}, mql: [A1]}\n"
        "    - {id: largest, when: {lead.size_band: {eq: s7}}, mql: [A2]}\n",
        "id: largest",
        "`large` takes all before it",
    ),
    Planted(
        "gate-unreachable",
        "qualification",
        "  hand_raise_minimum_fit: C\n",
        "  hand_raise_minimum_fit: C\n  hand_raises: [demo_requested, trial_started]\n",
        "trial_started",
        "`trial_started` never makes an MQL",
    ),
    Planted(
        "gate-unreachable",
        "scoring",
        "id: head, points: 40",
        "id: head, points: 20",
        "mql: [A1",
        "`A2`",
        file="qualification",
        also=("letter-unreachable",),
    ),
    Planted(
        "bant-never-enough",
        "qualification",
        "{N1: [stated]}, ask: {en: What for?},",
        "{N1: []}, required: true,",
        "need:",
        "`need` is required",
        also=("criterion-never-met",),
    ),
    # leads that nobody takes
    Planted(
        "no-catch-all",
        "routing",
        "legs: [is]\n    when: {}",
        "legs: [is]\n    when: {lead.country: {eq: JP}}",
        "rules:",
        "leg `is`",
    ),
    Planted(
        "no-catch-all",
        "routing",
        "legs: [is]\n    when: {}",
        "legs: [is]\n    when: {any: [{lead.country: {eq: JP}}, {lead.country: {ne: JP}, lead.employees: {gt: 1}}]}",
        "rules:",
    ),
    Planted(
        "language-nobody-speaks", "routing", "in: [de, fr]", "in: [de, it]", "pool: languages", "in `it` on leg `is`"
    ),
    Planted(
        "language-nobody-speaks",
        "teams",
        "languages: [de, FR]",
        "languages: [de]",
        "pool: languages",
        "`fr`",
        file="routing",
    ),
    Planted(
        "language-nobody-speaks",
        "routing",
        RULE,
        "    when: {lead.language: {ne: ja}}\n    pool: languages",
        "pool: languages",
    ),
    Planted("pool-nobody", "teams", "{id: ken, name: Ken,", "{id: ken, name: Ken, capacity: 0,", "id: inside"),
    Planted("pool-nobody", "teams", "{id: ken, name: Ken,", "{id: ken, name: Ken, active: false,", "id: inside"),
    Planted("pool-nobody", "teams", "{id: ken, name: Ken,", "{id: ken, name: Ken, per_week: 0,", "id: inside"),
    Planted("unused-pool", "routing", "pool: large", "pool: field", "id: large", file="teams"),
    Planted("unused-rep", "teams", "pools:", "  - {id: ann, name: Ann}\npools:", "id: ann", "`ann`"),
    Planted(
        "rep-unreachable",
        "teams",
        "reps:\n  - {id: sato, name: Sato,",
        "channels: [{id: chat, url: 'env:CHAT'}]\nreps:\n  - {id: sato, name: Sato, notify: [{channel: chat}],",
        "id: mori",
        "`mori`",
    ),
    Planted(
        "unreachable-reason",
        "sla",
        "default: {id: score,",
        "unreachable: {attempts: 4, reason: wrong_person}\ndefault: {id: score,",
        "unreachable: {",
        "`wrong_person`",
    ),
    Planted(
        "unreachable-reason",
        "sla",
        "default: {id: score,",
        "unreachable: {attempts: 4}\ndefault: {id: score,",
        "unreachable: {",
        "`unreachable`",
    ),
    Planted(
        "unknown-notify-channel",
        "teams",
        "id: ken, name: Ken,",
        "id: ken, name: Ken, notify: [{channel: chat}],",
        "id: ken",
        "`chat`",
    ),
    Planted(
        "unused-notify-channel",
        "teams",
        "reps:\n",
        "channels: [{id: chat, url: 'env:CHAT'}]\nreps:\n",
        "id: chat",
        "`chat`",
        also=("rep-unreachable",),
    ),
    Planted(
        "manager-loop",
        "teams",
        "id: mori, name: Mori,",
        "id: mori, name: Mori, manager: sato,",
        "id: sato",
        "`sato` → `mori` → `sato`",
    ),
    Planted(
        "return-without-rule",
        "routing",
        "    when: {lead.language: {in: [de, fr]}}\n    pool: languages\n  - id: rest-field\n    legs: [fs]\n    when: {}\n"
        "    pool: field\n  - id: rest-inside\n    legs: [is]\n    when: {}\n    pool: inside",
        "    legs: [fs]\n    when: {}\n    pool: languages",
        "wrong_person",
        "`wrong_person`",
        also=("*",),
    ),
    # points out of reach
    Planted(
        "band-unreachable",
        "scoring",
        "{web: 40, inquiry: 60}",
        "{web: 40, inquiry: 15}",
        "bands:",
        "give 55 at most",
        also=("gate-unreachable",),
    ),
    Planted(
        "band-unreachable",
        "scoring",
        "points: 40, half_life_days: 30, per: campaign",
        "points: 5, half_life_days: 30, per: once",
        "bands:",
        "give 45 at most",
        also=("gate-unreachable",),
    ),
    Planted(
        "band-unreachable",
        "scoring",
        "cap: 100\n  groups",
        "cap: 50\n  groups",
        "bands:",
        "give 50 at most",
        also=("gate-unreachable",),
    ),
    Planted(
        "band-unreachable",
        "scoring",
        "overlays:",
        "account: {surge: 0, depths: 0, departments: 0}\noverlays:",
        "account:",
        "no account reaches band 1",
    ),
    Planted(
        "letter-unreachable",
        "scoring",
        "id: head, points: 40",
        "id: head, points: 20",
        "grades:",
        "no lead reaches fit A, which begins at 70: rules and cap give 60",
        also=("gate-unreachable",),
    ),
    Planted(
        "letter-unreachable",
        "scoring",
        "when: {lead.level: {in: [top, executive, head]}}",
        "when: {lead.size_band: {eq: s1}}",
        "grades:",
        "rules and cap give 40 at most",
        also=("*",),
    ),
    Planted(
        "letter-unreachable",
        "scoring",
        "cap: 100\n  grades",
        "cap: 60\n  grades",
        "grades:",
        "60 at most",
        also=("gate-unreachable",),
    ),
    Planted(
        "gate-unreachable",
        "scoring",
        "id: head, points: 40",
        "id: head, points: 20",
        "mql:",
        "`A1`",
        file="qualification",
        also=("letter-unreachable",),
    ),
    Planted("points-cut", "scoring", "web: 40", "web: 0", "id: pricing", "`groups.web` is 0"),
    # hours
    Planted(
        "pool-never-open",
        "teams",
        "id: ken, name: Ken,",
        "id: ken, name: Ken, absences: [{start: 2026-01-01, end: 2099-12-31}],",
        "id: inside",
        "pool `inside`",
    ),
    Planted(
        "sla-while-closed",
        "teams",
        "name: Ken, manager: sato, languages: [ja]}\n",
        "name: Ken, manager: sato, languages: [ja], calendar: office}\n"
        "calendars: [{id: office, blocks: [{open: '09:00', close: '18:00'}]}]\n",
        "id: inside",
        "closed for 63 h (2026-11-27 18:00 – 2026-11-30 09:00 Asia/Tokyo), longer than leads may take to be accepted: "
        "`hand_raise`, `fair`, `score`",
    ),
    Planted(
        "touch-unsent",
        "sources",
        "  - id: website\n    write_keys: ['env:KEY']\n  - id: crm\n    write_keys: ['env:OTHER_KEY']\n",
        "  - id: crm\n    kind: typeform\n    secrets: [{id: one, value: 'env:SECRET'}]\n",
        "id: fair",
        "no source of this tenant sends `trade_fair_card_scanned`",
        file="sla",
    ),
    Planted(
        "never-comes-back",
        "routing",
        "code: wrong_person, kind: quality, effect: return_to_is",
        "code: wrong_person, kind: quality, effect: on_hold",
        "wrong_person",
        "on hold for ever where the rep names no day",
    ),
    Planted(
        "dead-rule",
        "lifecycle",
        "owner: fs}",
        "owner: fs, entry: {offer.accepted: {eq: true, ne: true}}}",
        "owner: fs",
        "no lead can fit rule `mql`",
    ),
    # deals
    Planted(
        "stage-unreachable",
        "pipeline",
        "field: confirmed.it-met",
        "field: ordered_on",
        "field: ordered_on",
        "no deal comes to `verbal`",
    ),
    Planted(
        "chances-fall",
        "pipeline",
        "probability: 90",
        "probability: 30",
        "probability: 30",
        "stage `verbal` has the `probability` 30, and `discovery` before it 40",
    ),
    Planted("chances-fall", "pipeline", "yomi: A", "yomi: null", "yomi: null", "`verbal` has the `yomi` none"),
    Planted(
        "sql-unheard", "pipeline", "id: verbal", "id: handshake", "id: handshake", "deals in `handshake` are an SQL"
    ),
    Planted(
        "wrong-value",
        "pipeline",
        "field: first_meeting",
        "field: first_meting",
        "first_meting",
        "a deal has no `first_meting`: a criterion asks for",
    ),
    Planted("wrong-value", "pipeline", "sql: discovery", "sql: talks", "type: new", "names the stage `talks`"),
    Planted("wrong-value", "pipeline", "id: verbal", "id: won", "id: won", "no stage may be called `won`"),
    Planted("id-twice", "pipeline", "code: other", "code: price", "code: price, text", "`price` is there already"),
    Planted("id-twice", "pipeline", "id: verbal", "id: discovery", "id: discovery", "`discovery` is there already"),
    # regions and seasons
    Planted(
        "no-catch-all",
        "routing",
        "decline_reasons:",
        "overlays:\n  - {id: kansai, when: {lead.region: {eq: Osaka}}, off: [rest-inside]}\ndecline_reasons:",
        "id: kansai",
        "of region `kansai` that fits no rule of leg `is`",
    ),
    Planted(
        "unknown-rule",
        "routing",
        "decline_reasons:",
        "overlays:\n  - {id: kansai, when: {lead.region: {eq: Osaka}}, off: [rest-insid]}\ndecline_reasons:",
        "id: kansai",
        "`rest-inside`?",
    ),
    Planted(
        "dead-rule",
        "routing",
        "decline_reasons:",
        "overlays:\n  - id: kansai\n    when: {lead.country: {eq: JP}}\n    rules:\n"
        "      - {id: german, when: {lead.country: {eq: DE}}, pool: field}\ndecline_reasons:",
        "id: german",
        "no lead can fit rule `german`",
    ),
    Planted(
        "no-catch-all",
        "routing",
        "  - id: rest-inside\n    legs: [is]\n    when: {}\n",
        "  - id: rest-inside\n    legs: [is]\n    when: {}\n    valid_from: 2026-01-01\n",
        "rules:",
        "no rule of leg `is`",
    ),
    Planted(
        "rule-past",
        "routing",
        "  - id: languages\n",
        "  - {id: fair, when: {}, pool: field, valid_until: 2026-11-01}\n  - id: languages\n",
        "id: fair",
        "ended on 2026-11-01",
    ),
    # promises
    Planted(
        "half-signed",
        "qualification",
        "kind: qualification\n",
        "kind: qualification\nsigned_off: [{by: Ito, role: sales, on: 2026-04-01}]\n",
        "signed_off:",
        "sales has signed off what a ripe lead is, and marketing has not",
    ),
    Planted("criterion-never-met", "qualification", "{N1: [stated]}", "{N1: []}", "need:", "`need`"),
    Planted(
        "bant-never-enough",
        "qualification",
        "minimum_met: 3\n  need: {questions: {N1: [stated]}",
        "minimum_met: 4\n  need: {questions: {N1: []}",
        "minimum_met",
        "4 criteria (by weight) have to be met, and 3 can be",
        also=("criterion-never-met",),
    ),
    Planted(
        "wrong-value", "qualification", "minimum_met: 3", "minimum_met: 5", "minimum_met: 5", "less than or equal to 4"
    ),
    Planted(
        "class-unreachable",
        "sla",
        "[trade_fair_card_scanned]",
        "[demo_requested]",
        "id: fair",
        "make it `hand_raise` already",
    ),
    Planted("class-unreachable", "sla", "[trade_fair_card_scanned]", "[]", "id: fair", "it has no touch types"),
    Planted(
        "business-without-hours",
        "sla",
        "first_touch: 1800}",
        "first_touch: 1800, time: business}",
        "id: hand_raise",
        "leads `hand_raise` count",
    ),
    Planted(
        "touch-claimed",
        "sla",
        "[trade_fair_card_scanned]",
        "[trade_fair_card_scanned, demo_requested]",
        "id: fair",
        "`demo_requested`",
    ),
    Planted(
        "touch-claimed",
        "sla",
        "[trade_fair_card_scanned], accept: 86400, first_touch: 259200}\n",
        "[trade_fair_card_scanned, demo_requested], accept: 86400, first_touch: 259200}\n"
        "  - {id: third, touch_types: [demo_requested, chat_started], accept: 60, first_touch: 90}\n",
        "id: third",
        "`demo_requested` never makes a lead `third`: it makes it `hand_raise` already",
    ),
]


def found_at(problem: Problem) -> str:
    assert problem.line, problem
    return Path(problem.file).read_text().splitlines()[problem.line - 1]


def test_the_tenant_without_a_fault_has_none(base: Path) -> None:
    assert lint(base, NOW) == []


@pytest.mark.parametrize("planted", DEFECTS, ids=str)
def test_a_planted_defect_is_found_on_its_line(planted: Planted, edit: Edit, base: Path) -> None:
    edit(planted.kind, planted.old, planted.new)
    problems = lint(base, NOW)
    told = [problem for problem in problems if problem.code == planted.code]
    assert told, [(problem.code, str(problem)) for problem in problems]
    file = f"policies/base/{planted.file or planted.kind}.yaml"
    matching = [p for p in told if p.file == file and planted.says in p.message]
    assert matching, [problem.message for problem in told]
    assert any(planted.at.split("\n")[0] in found_at(problem) for problem in matching), [str(p) for p in matching]
    assert "*" in planted.also or {problem.code for problem in problems} <= {planted.code, *planted.also}


def test_every_code_of_reasoning_has_a_planted_defect() -> None:
    planted = {defect.code for defect in DEFECTS}
    assert planted <= CODES.keys()
    assert (REASONED.keys() | set(OF_LINT)) - planted == set()
