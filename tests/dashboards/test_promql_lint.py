"""The lint itself: what it lets pass, and what it finds."""

from __future__ import annotations

import pytest

from tests.dashboards.promql_lint import faults


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        pytest.param("sum(", "no PromQL", id="no-promql"),
        pytest.param("rate(llmcost_alerts_pending)", "no PromQL", id="wrong-type"),
        pytest.param("max(llmcost_cost)", "there is no metric", id="unknown-metric"),
        pytest.param("llmcost_cost_per_call_USD", "there is no metric", id="histogram-without-its-part"),
        pytest.param('last_over_time(llmcost_cost_USD_total{user="a"}[1d])', "has no label 'user'", id="unknown-label"),
        pytest.param(
            "max by (llmcost_team) (llmcost_alerts_pending)", "no series has the label", id="by-unknown-label"
        ),
        pytest.param(
            "llmcost_budget_limit_USD / on (le) llmcost_budget_spent_USD",
            "no series has the label",
            id="on-unknown-label",
        ),
        pytest.param("sum(llmcost_calls_total)", "read as it stands", id="bare-counter"),
        pytest.param("sum(increase(llmcost_cost_USD_total[1d]))", "invents fractions of money", id="stretched-money"),
        pytest.param(
            "rate(llmcost_cost_per_call_USD_sum[5m])", "invents fractions of money", id="stretched-sum-of-money"
        ),
        pytest.param("rate(llmcost_alerts_pending[5m])", "of the gauge", id="rate-of-gauge"),
    ],
)
def test_a_fault_is_found(expr: str, fault: str) -> None:
    """Each kind of fault has its sentence."""
    found = faults(expr)

    assert len(found) == 1
    assert fault in found[0]


@pytest.mark.parametrize(
    "expr",
    [
        pytest.param("sum by (gen_ai_agent_name) (last_over_time(llmcost_cost_USD_total[1d]))", id="money"),
        pytest.param("sum(rate(llmcost_calls_total[5m]))", id="speed"),
        pytest.param(
            "histogram_quantile(0.95, sum by (le) (rate(llmcost_cost_per_call_USD_bucket[5m])))", id="quantile"
        ),
        pytest.param("max by (job) (llmcost_alerts_pending)", id="label-of-the-scrape"),
        pytest.param("topk(3, max by (llmcost_budget_name) (llmcost_budget_limit_USD))", id="largest"),
    ],
)
def test_what_is_right_passes(expr: str) -> None:
    """The lint is not in the way."""
    assert faults(expr) == []
