"""The figures of a policy's quality as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.table import Table

NAMES = {"auc": "AUC", "precision": "won among the best tenth", "lift": "lift of the best tenth"}
WORDS = """AUC: how often one that was won stands above one that was not (0.5 is chance).
Lift: how many times more often the best tenth was won than all.
In brackets: of the policy, the range of the figure in 95 % of samples of the same leads;
of policies drawn by lot, the range of 95 % of them."""


def tables(found: dict[str, Any]) -> Iterator[Table | str]:
    """What there is to say, in order."""
    cut, brier = found["cut"], found["brier"]
    yield (
        f"{found['data']}: {found['question']}, scored at {found['scored_at']}.\n"
        f"Learnt from {cut['learnt_from']:,} of the {cut['leads_before']:,} leads before {cut['day']} and the "
        f"{cut['deals_known_that_day']:,} deals known that day; judged on {cut['judged']:,} leads from then on, "
        f"{cut['won']:,} won ({found['rate']:.1%}); {cut['undecided']:,} not decided by {cut['observed_until']}.\n"
        + (
            ""
            if found["policy_is_as_derived"]
            else "The policy is NOT what `baton scoring fit` derives: with `--write` that puts its points in.\n"
        )
    )
    figures = Table("", "policy", f"{found['random']['policies']} by lot", "regression", box=None)
    for name, words in NAMES.items():
        figures.add_row(
            words, _words(found["policy"][name]), _words(found["random"][name]), f"{found['reference'][name]:.3f}"
        )
    figures.add_row("Brier score", f"{brier['policy']:.4f}", "", f"{found['reference']['brier']:.3f}")
    figures.add_row("  one rate for all", f"{brier['one_rate_for_all']:.4f}")
    yield figures
    yield WORDS
    grades = Table("fit", "leads", "won", "rate", box=None, title="By grade of fit", title_justify="left")
    for row in found["grades"]:
        grades.add_row(row["fit"], f"{row['leads']:,}", f"{row['won']:,}", _words(row["rate"]) if row["rate"] else "")
    yield grades
    gains = Table("best", "hold of those won", box=None, title="Gains", title_justify="left")
    for share, *interval in found["gains"]:
        if round(share * 100) % 10 == 0:
            gains.add_row(f"{share:.0%}", _words(interval))
    yield gains


def _words(interval: list[float]) -> str:
    value, low, high = interval
    return f"{value:.3f} ({low:.2f}–{high:.2f})"
