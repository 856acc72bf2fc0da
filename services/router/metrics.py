"""What the router measures, beside what every service does."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

DECISIONS = Counter("baton_router_decisions_total", "Decisions made", ["outcome"])  # routed, parked, below_gate
BY_ACCOUNT = Counter("baton_router_by_account_total", "Leads that a check before any pool gave to a rep", ["check"])
EXPLORED = Counter(
    "baton_router_explored_total", "Leads below the gate that inside sales looked at on purpose", ["outcome"]
)  # routed, accepted, declined, passed_on
STALE = Counter("baton_router_stale_scores_total", "Scores that were not newer than what is known")
UNKNOWN = Counter("baton_router_unknown_leads_total", "Handoff events of leads that were never scored here")
WITHDRAWN = Counter("baton_router_withdrawn_total", "Leads taken back from whom they were offered to")
FREED = Counter("baton_router_freed_total", "Waiting leads that the sweep found an owner for")
PARKED = Gauge("baton_router_parked_leads", "Ripe leads that nobody could be given", ["reason"])
PARKED_AGE = Gauge(
    "baton_router_parked_age_seconds", "How long the longest parked lead has waited, working hours apart"
)
FAIRNESS = Gauge(
    "baton_router_fairness_deviation_leads",
    "The furthest that anybody of a pool is from the weighted share while eligible",
    ["tenant", "pool"],  # bounded by the policies
)
UNDECIDABLE = Counter("baton_router_undecidable_total", "Times that trying a waiting lead again failed")
TRACES_REMOVED = Counter("baton_router_traces_removed_total", "Decisions that were removed because of their age")
LEFT_BEHIND = Gauge("baton_router_left_behind_leads", "Leads of reps who have left that nobody else can take yet")
SWEEPS = Counter("baton_router_sweeps_total", "Sweeps over what waits")
