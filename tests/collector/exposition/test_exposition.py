"""`/metrics` as a whole: named as in agents, exact, and readable by Prometheus' own parsers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from dashboards.builder.metrics import METRICS
from otel_llmcost.core.budget import Balance
from otel_llmcost.core.fixed import FixedCost
from otel_llmcost.telemetry.metrics import StoreState
from otel_llmcost_collector.accounting.series import labels_of
from otel_llmcost_collector.exposition.epoch import LONGEST_GAP_SECONDS
from otel_llmcost_collector.exposition.names import SOURCE
from otel_llmcost_collector.exposition.rendering import Exposition, Sources
from otel_llmcost_collector.exposition.text import OPENMETRICS, TEXT
from otel_llmcost_collector.ledger.base import SERIES_AMOUNTS
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.self_metrics import ALERTS, LEDGER_LAG, SELF_METRICS, STORE_ERRORS, Counters, Figures
from tests.collector.exposition.charges import CALL, NOTHING, Ledger, call, series_of

START, END = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
BALANCE = Balance(
    budget="daily",
    subject="team=research",
    limit_nano=10_000_000_000,
    settled_nano=2_500_000_001,
    window_start=START,
    window_end=END,
)
STATE = StoreState(
    balances=[("month", BALANCE)],
    limits=[("1m", BALANCE)],
    stops=1,
    fixed_costs=[FixedCost(name="rtx-4090", kind="gpu", amount_nano=100_000_000, period=timedelta(days=1))],
    now=START + timedelta(days=3),
)
OF_AGENTS_ALONE = {"llmcost_requests_refused_total", "llmcost_actions_total", "llmcost_limit_waited_seconds"}
"""What happens before a call is sent."""
FULL = call(
    tags={"agent": "planner", "team": "research", "feature": "search", "environment": "prod"}, error_type="Timeout"
)


def everything() -> Figures:
    """Count once whatever there is to be counted."""
    counters = Counters()
    for metric in SELF_METRICS:
        if metric.kind == "histogram":
            counters.took(metric, metric.labels, 1)
        else:
            counters.add(metric, metric.labels)
    return counters.figures()


def exposition(ledger: Ledger, figures: Figures = NOTHING, most_series: int = 100) -> Exposition:
    return Exposition(Sources(series=ledger, figures=lambda: figures), most_series=most_series)


def full() -> Exposition:
    ledger = Ledger()
    made = exposition(ledger, everything(), most_series=25)
    calls = [FULL, *(call(requested_model=f"model-{number}", tags={}) for number in range(40))]
    ledger.series = {labels_of(each): (1,) * len(SERIES_AMOUNTS) for each in calls}
    made.add(calls)
    return made


def value(text: str, name: str) -> float:
    return next(sample.value for family in read_text(text) for sample in family.samples if sample.name == name)


def test_metrics_have_the_names_and_labels_that_they_have_in_agents() -> None:
    """So boards and rules work on a collector as they are; only the dialect is a label more."""
    content, _ = full().render("", STATE)

    for family in read_text(content.decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        if not name.startswith("llmcost_collector_"):
            labels = set[str]().union(*(sample.labels for sample in family.samples)) - {"le", "otel_metric_overflow"}
            assert family.type == METRICS[name].kind
            assert labels - {SOURCE} == METRICS[name].labels - {"otel_metric_overflow"}


def test_nothing_is_missing_that_a_collector_can_know() -> None:
    content, _ = full().render("", STATE)

    shown = {f"{each.name}_total" if each.type == "counter" else each.name for each in read_text(content.decode())}

    own = {f"{metric.name}_total" if metric.kind == "counter" else metric.name for metric in SELF_METRICS}
    assert shown == (METRICS.keys() - OF_AGENTS_ALONE) | own


def test_both_formats_say_the_same() -> None:
    made = full()

    (old, old_kind), (new, new_kind) = (made.render(accept, STATE) for accept in ("", "application/openmetrics-text"))

    samples = [
        sorted((each.name, sorted(each.labels.items()), each.value) for family in families for each in family.samples)
        for families in (read_text(old.decode()), read_openmetrics(new.decode()))
    ]
    assert samples[0] == samples[1]
    assert (old_kind, new_kind) == (TEXT, OPENMETRICS)


def test_the_last_call_is_named_behind_its_cost() -> None:
    made = full()

    content, _ = made.render("application/openmetrics-text")

    named = [
        sample.exemplar.labels
        for family in read_openmetrics(content.decode())
        for sample in family.samples
        if sample.name == "llmcost_cost_USD_total" and sample.exemplar
    ]
    assert {"trace_id": "a" * 32, "span_id": "b" * 16} in named


@given(
    st.lists(
        st.builds(
            call,
            cost_nano=st.none() | st.integers(0, 10**12),
            requested_model=st.sampled_from("abcdef"),
            tags=st.sampled_from([{}, {"agent": "x"}, {"agent": "y", "team": "z"}]),
            status=st.sampled_from(["confirmed", "estimated", "suspected"]),
            source=st.sampled_from(["openinference", "openllmetry"]),
        )
    ),
    st.integers(1, 8),
)
def test_whatever_comes_the_sums_are_exact(calls: list[Observed], most_series: int) -> None:
    """To the nano-dollar, with and without room for all series."""
    ledger = Ledger()
    made = exposition(ledger, most_series=most_series)
    ledger.series = series_of(calls)

    lines = made.render("")[0].decode().splitlines()

    cost = sum((Decimal(line.rpartition(" ")[2]) for line in lines if line.startswith("llmcost_cost_USD")), Decimal(0))
    count = sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith("llmcost_calls_total"))
    assert cost == Decimal(sum(each.cost_nano or 0 for each in calls)).scaleb(-9)
    assert count == len(calls)


def test_sums_go_on_over_a_restart(tmp_path: Path) -> None:
    """What was written and never scraped is shown by the next run, in the same series."""
    sources = Sources(series=Ledger(), figures=lambda: NOTHING)
    before = Exposition(sources, epoch_file=tmp_path / "epoch.json").render("")[0].decode()
    after = Exposition(
        Sources(series=Ledger(series_of([CALL])), figures=lambda: NOTHING), epoch_file=tmp_path / "epoch.json"
    )

    lines = after.render("")[0].decode().splitlines()

    instance = next(line for line in before.splitlines() if line.startswith("llmcost_metrics_overflow")).split('"')[1]
    assert [line for line in lines if line.startswith("llmcost_cost_USD") and instance in line]


def test_who_looks_again_after_a_long_time_sees_a_new_beginning() -> None:
    now = 1_800_000_000.0
    made = Exposition(Sources(series=Ledger(series_of([CALL])), figures=lambda: NOTHING), clock=lambda: now)
    now += LONGEST_GAP_SECONDS + 1

    text = made.render("")[0].decode()

    assert "llmcost_cost_USD" not in text


def test_where_not_all_series_have_room_a_restart_begins_anew(tmp_path: Path) -> None:
    """Which ones had lines of their own is not known any more, and none may count twice."""
    ledger, file = Ledger(), tmp_path / "epoch.json"
    sources = Sources(series=ledger, figures=lambda: NOTHING)
    Exposition(sources, epoch_file=file, most_series=1)
    ledger.series = series_of([CALL, call(tags={})])

    text = Exposition(sources, epoch_file=file, most_series=1).render("")[0].decode()

    assert "llmcost_cost_USD" not in text


def test_of_too_many_balances_the_fullest_are_shown() -> None:
    balances = [
        (
            "day",
            Balance(
                budget=f"b{number}", subject="", limit_nano=100, settled_nano=number, window_start=None, window_end=None
            ),
        )
        for number in range(5)
    ]

    content, _ = exposition(Ledger(), most_series=2).render("", StoreState(balances=balances, now=START))

    shown = [line for line in content.decode().splitlines() if line.startswith("llmcost_budget_spent_USD{")]
    assert [line.split('"')[1] for line in shown] == ["b4", "b3"]


def test_failures_of_any_store_are_counted_as_in_agents_too() -> None:
    counters = Counters()
    counters.add(STORE_ERRORS, ("ledger",), 2)
    counters.add(STORE_ERRORS, ("balances",))
    counters.add(ALERTS, ("daily", "warning"))

    text = exposition(Ledger(), counters.figures()).render("")[0].decode()

    assert value(text, "llmcost_store_errors_total") == 3
    assert value(text, "llmcost_alerts_total") == 1


def test_times_are_in_seconds() -> None:
    counters = Counters()
    counters.took(LEDGER_LAG, (), 1500)

    text = exposition(Ledger(), counters.figures()).render("")[0].decode()

    assert value(text, "llmcost_collector_ledger_lag_seconds_sum") == 0.0015
    assert 'llmcost_collector_ledger_lag_seconds_bucket{service_instance_id="' in text
