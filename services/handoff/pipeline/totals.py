"""What the pipeline is worth: the deals that count, by currency, stage and forecast. Pure, but for the one statement that reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain
from typing import Any

from pydantic import BaseModel, Field

from services.handoff.pipeline.deal import Deal
from shared.kit.database import Pool, tenant_transaction
from shared.schemas.currencies import DECIMALS
from shared.schemas.policies.pipeline import PipelinePolicy
from shared.sight import Sight

# Alike deals in one row each. Who had a deal once and has it no more has nothing of it in their totals.
_ALIKE = """
    SELECT d.type, d.stage, d.currency, d.probability, d.forecast, count(*) AS deals, sum(d.amount)::text AS amount
    FROM handoff.deals d JOIN handoff.opportunities o USING (tenant, opportunity_id)
    WHERE d.tenant = $1 AND d.closed_at IS NULL AND NOT o.is_test
      AND ($2::date IS NULL OR d.expected_close >= $2) AND ($3::date IS NULL OR d.expected_close < $3)
      AND (($4::text IS NULL AND $5) OR EXISTS (
          SELECT FROM handoff.offers f WHERE (f.tenant, f.opportunity_id) = (d.tenant, d.opportunity_id)
          AND f.state IN ('open', 'accepted') AND ($4::text IS NULL OR f.rep_id = $4)
          AND ($5 OR f.rep_id = ANY($6::text[]) OR f.pool_id = ANY($7::text[]))))
    GROUP BY d.type, d.stage, d.currency, d.probability, d.forecast
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deals: those expected to close from a day on and before another one, those that a rep has; None: all."""

    closes_from: date | None = None
    closes_before: date | None = None
    rep_id: str | None = None


@dataclass(frozen=True, slots=True)
class Alike:
    """Deals that differ in nothing that totals tell. amount: of all of them; None where they have none"""

    deal: Deal
    deals: int
    amount: Decimal | None


class Sum(BaseModel):
    deals: int = 0
    amount: str = "0"
    weighted: str = Field(default="0", description="each amount by its probability")


class StageSum(Sum):
    type: str
    stage: str
    label: dict[str, str]


class CurrencyTotals(Sum):
    currency: str
    stages: list[StageSum] = Field(description="in the order of the policy")
    other: Sum = Field(description="deals in stages that the policy has no more: in `amount`, and in none of `stages`")
    forecast: dict[str, Sum] = Field(
        description="`commit` is Aヨミ, `best_case` A and B, `pipeline` A, B and C: each holds the ones before it"
    )


class PipelineView(BaseModel):
    """The deals that count, of those that the token sees. Amounts of different currencies are never added up."""

    counts_from: str = Field(description="`sql`: deals that are an SQL; `sal`: all that field sales has accepted")
    currencies: list[CurrencyTotals]
    without_amount: int = Field(description="deals that count and have no amount")


async def alike(pool: Pool, tenant: str, sight: Sight, wanted: Wanted) -> list[Alike]:
    """The open deals that `sight` shows in the hands of whom it shows."""
    async with tenant_transaction(pool, tenant) as connection:
        rows = await connection.fetch(
            _ALIKE,
            tenant,
            wanted.closes_from,
            wanted.closes_before,
            wanted.rep_id,
            sight.everything,
            list(sight.reps),
            list(sight.led),
        )
    return [_alike(row) for row in rows]


def _alike(row: Any) -> Alike:
    named = {name: row[name] for name in ("type", "stage", "currency", "probability", "forecast")}
    amount = None if row["amount"] is None else Decimal(row["amount"])
    return Alike(Deal.model_validate(named | {"stage_since": 0}), row["deals"], amount)


def totals(groups: Iterable[Alike], policy: PipelinePolicy) -> PipelineView:
    """What those of the groups that count are worth, by today's policy."""
    counted = [group for group in groups if group.deal.counts(policy)]
    priced = [group for group in counted if group.amount is not None]
    currencies = sorted({group.deal.currency or policy.currency for group in priced})
    of_currency = [
        _currency(code, [g for g in priced if (g.deal.currency or policy.currency) == code], policy)
        for code in currencies
    ]
    without = sum(group.deals for group in counted if group.amount is None)
    return PipelineView(counts_from=policy.counts_from, currencies=of_currency, without_amount=without)


def _currency(currency: str, groups: list[Alike], policy: PipelinePolicy) -> CurrencyTotals:
    at: dict[tuple[str, str], list[Alike]] = {}
    for group in groups:
        at.setdefault((group.deal.type, group.deal.stage), []).append(group)
    stages = [
        StageSum(
            type=pipeline.type,
            stage=stage.id,
            label=stage.label.texts(),
            **_sum(found, policy, currency).model_dump(),
        )
        for pipeline in policy.types
        for stage in pipeline.stages
        if (found := at.pop((pipeline.type, stage.id), []))
    ]
    other = _sum(chain.from_iterable(at.values()), policy, currency)
    forecast: dict[str, Sum] = {}
    within: list[Alike] = []
    for category in ("commit", "best_case", "pipeline"):
        within += [g for g in groups if g.deal.category(policy.of(g.deal.type)) == category]
        forecast[category] = _sum(within, policy, currency)
    return CurrencyTotals(
        currency=currency,
        stages=stages,
        other=other,
        forecast=forecast,
        **_sum(groups, policy, currency).model_dump(),
    )


def _sum(groups: Iterable[Alike], policy: PipelinePolicy, currency: str) -> Sum:
    deals, amount, weighted = 0, Decimal(0), Decimal(0)
    for group in groups:
        value = group.amount or Decimal(0)
        deals, amount = deals + group.deals, amount + value
        weighted += value * group.deal.chance(policy.of(group.deal.type)) / 100
    unit = Decimal(1).scaleb(-DECIMALS[currency])
    rounded = [str(value.quantize(unit, ROUND_HALF_UP)) for value in (amount, weighted)]
    return Sum(deals=deals, amount=rounded[0], weighted=rounded[1])
