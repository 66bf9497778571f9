"""Every query of every board, on a real Prometheus, against what really happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from dashboards.builder import promql
from tests.real.boards import check_board, load_boards
from tests.real.conftest import import_scrapes
from tests.real.fleet import BUDGETS, NOW, TICK, History
from tests.real.grafana import View, ask, expand, view_of
from tests.real.openmetrics import balance_lines
from tests.real.servers import get_json, prometheus
from tests.real.truth import DAY, Balance, cost_of, group

pytestmark = pytest.mark.real

BOARDS = load_boards()


@pytest.mark.parametrize("name", BOARDS)
def test_a_board_shows_what_happened(name: str, fleet: History, fleet_prometheus: str) -> None:
    """Money to six digits, whatever was born, restarted, crashed, or not scraped in between."""
    check_board(BOARDS[name], fleet_prometheus, fleet.truth, now=NOW, scrape_seconds=TICK)


@pytest.mark.parametrize("plan", BUDGETS, ids=lambda plan: f"{plan.name}-{plan.subject}")
def test_every_budget_can_be_chosen(plan: Any, fleet: History, fleet_prometheus: str) -> None:
    """With a subject and without; on track, at risk and over."""
    choice = {"budget": plan.name, "subject": plan.subject or ""}

    check_board(BOARDS["budget-status"], fleet_prometheus, fleet.truth, now=NOW, scrape_seconds=TICK, choice=choice)


@pytest.mark.parametrize("seconds", [3600, 5 * DAY + 7 * TICK], ids=["an-hour", "five-odd-days"])
@pytest.mark.parametrize("name", ["overview", "by-agent", "by-model"])
def test_any_time_range_adds_up(name: str, seconds: int, fleet: History, fleet_prometheus: str) -> None:
    """Ranges that begin in the middle of a process' life."""
    check_board(BOARDS[name], fleet_prometheus, fleet.truth, now=NOW, seconds=seconds, scrape_seconds=TICK)


@pytest.mark.parametrize("range_", ["$__range", "1d"])
def test_the_fleet_is_hard_enough_to_tell_right_from_wrong(range_: str, fleet: History, fleet_prometheus: str) -> None:
    """`increase()`, a look-back of five minutes, and no eye for corrections get this fleet's money wrong."""
    midnight_gap = datetime(2026, 4, 21, tzinfo=UTC).timestamp() + DAY
    end, seconds = (NOW, 14 * DAY) if range_ == "$__range" else (midnight_gap, DAY)
    money = "llmcost_cost_USD_total"
    short_sighted = (
        f"(last_over_time({money}[{range_}]) - {money} offset {range_}) or last_over_time({money}[{range_}])"
    )
    happened = float(group(fleet.truth.between(end - seconds, end), cost_of)[()])

    def asked(expr: str) -> float:
        query = expand(f"sum({expr})", {}, View(end - seconds, end, TICK, end), TICK)
        found = get_json(f"{fleet_prometheus}/api/v1/query", query=query, time=str(end))
        return float(found["data"]["result"][0]["value"][1])

    back = promql.added("llmcost_cost_reversed_USD_total", range_)
    assert isclose(asked(promql.net(promql.added(money, range_), back)), happened, rel_tol=1e-9)
    assert not isclose(asked(promql.added(money, range_)), happened, rel_tol=1e-4)
    assert not isclose(asked(promql.net(f"increase({money}[{range_}])", back)), happened, rel_tol=1e-4)
    if range_ == "1d":
        assert not isclose(asked(promql.net(f"({short_sighted})", back)), happened, rel_tol=1e-4)


def test_the_days_of_a_month_add_up_to_it(fleet: History, fleet_prometheus: str) -> None:
    """Neighbouring windows neither miss a cent nor count one twice."""
    midnights = [NOW // DAY * DAY - days * DAY for days in range(14)]
    money = "llmcost_cost_USD_total"

    def spent(window: str, at: float) -> float:
        found = get_json(f"{fleet_prometheus}/api/v1/query", query=f"sum({promql.added(money, window)})", time=str(at))
        return float(found["data"]["result"][0]["value"][1])

    assert isclose(sum(spent("1d", midnight) for midnight in midnights), spent("14d", midnights[0]), rel_tol=1e-12)


@pytest.fixture
def reports(tmp_path: Path) -> Any:
    """Start a Prometheus that knows some reports of balances: (instant, instance) -> balances."""

    def start(scrapes: Mapping[tuple[float, str], list[Balance]]) -> Any:
        families: dict[str, list[str]] = {}
        for (at, instance), balances in scrapes.items():
            for family, line in balance_lines(balances, instance, at):
                families.setdefault(family, []).append(line)
        text = "".join(f"# TYPE {family} gauge\n{''.join(lines)}" for family, lines in families.items())
        (tmp_path / "scrapes.txt").write_text(f"{text}# EOF\n")
        (tmp_path / "prometheus.yml").write_text("global: {}\n")
        import_scrapes(tmp_path / "scrapes.txt", tmp_path / "tsdb")
        return prometheus(tmp_path, tmp_path / "prometheus.yml")

    return start


def figures(prometheus_url: str, now: float) -> dict[str, float]:
    board = BOARDS["budget-status"]
    answers = ask(board, prometheus_url, view_of(board, now, 15))
    return {answer.panel: next(iter(answer.values.values())) for answer in answers if answer.values and not answer.step}


def test_budget_status_shows_the_documents_figures(reports: Any) -> None:
    """1000 USD a month, 452.34 spent after 15 of 30 days; the document's own projection of 905.8 is a wrong sum."""
    start, now, end = (datetime(2026, month, day, tzinfo=UTC).timestamp() for month, day in ((4, 1), (4, 16), (5, 1)))
    balance = Balance(
        budget="monthly", window="month", limit=Decimal(1000), spent=Decimal("452.34"), start=start, end=end
    )

    with reports({(now - 15, "one"): [balance], (now, "one"): [balance]}) as url:
        found = figures(url, now)

    assert found["Budget"] == 1000
    assert isclose(found["Spent so far"], 452.34)
    assert isclose(found["Remaining"], 547.66)
    assert isclose(found["Percentage used"], 0.45234)
    assert found["Days into window"] == 15
    assert isclose(found["Daily average"], 30.156)
    assert isclose(found["Projected end of window"], 904.68)
    assert (found["Status"], found["Alert level"]) == (0, 0)


def test_a_budget_stays_on_the_board_while_no_process_runs(reports: Any) -> None:
    """The last report of an open window is shown, its pace carried on; what yesterday's window held is not."""
    start = datetime(2026, 4, 16, tzinfo=UTC).timestamp()
    now = start + 12 * 3600

    def balance(spent: str, day: int) -> Balance:
        begin = start + day * DAY
        return Balance(
            budget="daily", window="day", limit=Decimal(10), spent=Decimal(spent), start=begin, end=begin + DAY
        )

    with reports({(start - 600, "old"): [balance("9", -1)], (start + 3600, "new"): [balance("4", 0)]}) as url:
        found = figures(url, now)

    assert found["Spent so far"] == 4
    assert found["Remaining"] == 6
    assert found["Reserved"] == 0
    assert found["Projected end of window"] == 8


def test_boards_say_nought_where_nothing_happened(tmp_path: Path) -> None:
    """On an empty Prometheus no query fails, and every figure that counts or adds up is 0."""
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {}\n")

    with prometheus(tmp_path, config) as url:
        answers = [answer for board in BOARDS.values() for answer in ask(board, url, view_of(board, NOW, 15))]

    shown = {value for answer in answers for value in answer.values.values()}
    assert {value for value in shown if value not in {20, 30}} == {0}
    assert {"Cost", "Calls", "Cost per call", "Total", "Refused calls"} <= {
        each.panel for each in answers if each.values
    }
