"""How well matching does on the labelled set, printed and floored: a wrong account is worse than none."""

from __future__ import annotations

import random
import sys
from collections import Counter

from services.router.domain.matching.keys import asked
from services.router.domain.matching.ladder import match
from tests.matching_set import Labelled, book, companies, leads

PRECISION, RECALL = 0.99, 0.94  # recall: as measured, less a little


def test_few_hundred_leads_find_their_accounts_and_no_others(capsys):
    found = book([one.account for one in companies()])
    labelled = leads()
    wrong, missed = [], []
    by_code: Counter[str] = Counter()
    right = 0
    for lead in labelled:
        matched = match(asked(lead.told, lead.phone), found)
        if matched.account_id is not None:
            by_code[matched.code or ""] += 1
        if matched.account_id in {lead.right, lead.also} - {None}:
            right += 1
        elif matched.account_id is not None:
            wrong.append((lead, matched))
        if lead.right is not None and matched.account_id is None:
            missed.append(lead)
    there = sum(lead.right is not None for lead in labelled)
    precision, recall = right / (right + len(wrong)), right / there
    with capsys.disabled():
        sys.stdout.write(
            f"\nmatching: {len(labelled)} leads, {there} of known companies; precision {precision:.4f}, recall {recall:.4f}\n"
            f"  found by {dict(by_code.most_common())}\n"
            f"  missed: {dict(Counter(lead.made_by for lead in missed).most_common())}\n"
        )
    assert len(labelled) > 500
    assert precision >= PRECISION, _told(wrong)
    assert recall >= RECALL, Counter(lead.made_by for lead in missed)


def _told(wrong: list[tuple[Labelled, object]]) -> str:
    return "\n".join(f"{lead.made_by}: {lead.told} is {lead.right}, not {matched}" for lead, matched in wrong)


def test_the_order_in_which_accounts_are_found_changes_no_match():
    accounts = [one.account for one in companies()]
    told = [asked(lead.told, lead.phone) for lead in leads()]
    before = book(accounts)
    random.Random(7).shuffle(accounts)
    after = book(accounts)
    assert [match(one, after).account_id for one in told] == [match(one, before).account_id for one in told]
