"""`forecast` says how budgets end, what a month comes to, and what the next task costs."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from inline_snapshot import snapshot

from tests.cli.conftest import NOW, Shell

BUDGETS = """
[[budget]]
name = "support-monthly"
limit = 290
window = "month"
scope = { team = "support" }

[[budget]]
name = "agents-daily"
limit = 100
window = "day"
timezone = "Europe/Berlin"
per = ["agent"]

[[budget]]
name = "rolling"
limit = 1
window = "24h"

[[limit]]
name = "tokens-monthly"
tokens = 1000
window = "month"

[[limit]]
name = "requests-daily"
requests = 10
window = "day"
scope = { agent = "w*" }
"""


@pytest.fixture
def spending(shell: Shell) -> Shell:
    """Ten dollars every day at noon for two months, and a planner that nobody budgets."""
    shell.configure(BUDGETS)
    for ago in range(60):
        shell.spend("10", agent="writer", team="support", at=NOW - timedelta(days=ago, minutes=1))
        shell.spend("1", agent="planner", at=NOW - timedelta(days=ago, minutes=2))
    return shell


def test_budgets_are_forecast_with_an_interval_and_the_day_they_are_gone(spending):
    result = spending.run("forecast")

    assert result.exit_code == 0
    assert [re.sub(" {2,}", "|", line.strip()) for line in result.stdout.splitlines()] == snapshot(
        [
            "Forecast at 2026-11-22 12:00 UTC",
            "",
            "budget|of|limit|spent|expected|low|high|status|gone on (UTC)|ends (UTC)",
            "───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────",
            "tokens-monthly|(all)|1,000 tokens|4,840|6,788|6,582|6,994|over|2026-11-22 12:00|2026-12-01 00:00",
            "support-monthly|(all)|$290.00|$220.00|$308.55|$299.20|$317.91|over|2026-11-29 05:15|2026-12-01 00:00",
            "agents-daily|agent=writer|$100.00|$10.00|$10.05|$10.04|$10.05|on track|2026-11-22 23:00",
            "requests-daily|(all)|10 requests|1|1|1|1|on track|2026-11-23 00:00",
            "agents-daily|agent=planner|$100.00|$1.00|$1.00|$1.00|$1.01|on track|2026-11-22 23:00",
            "",
            "Not forecast, since their windows have no end: rolling.",
        ]
    )


def test_json_holds_all_of_it(spending):
    result = spending.run("forecast", "--budget", "support-monthly", "--json")

    assert json.loads(result.stdout) == snapshot(
        {
            "at": "2026-11-22T12:00:00Z",
            "interval": 0.8,
            "budgets": [
                {
                    "budget": "support-monthly",
                    "measure": "cost",
                    "of": "(all)",
                    "window": {"start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"},
                    "spent_usd": 220.0,
                    "expected_usd": 308.552872317,
                    "low_usd": 299.199494726,
                    "high_usd": 317.906249907,
                    "limit_usd": 290.0,
                    "status": "over",
                    "exhausted_at": "2026-11-29T05:15:34.528750Z",
                }
            ],
        }
    )


@pytest.mark.parametrize(
    ("name", "code"), [("support-monthly", 3), ("agents-daily", 0), ("tokens-monthly", 3), ("rolling", 0)]
)
def test_a_check_exits_with_3_if_a_budget_is_at_risk_or_over(spending, name, code):
    assert spending.run("forecast", "--budget", name, "--check").exit_code == code


def test_a_limit_of_tokens_is_forecast_in_tokens(spending):
    """Two calls of 110 tokens a day."""
    found = json.loads(spending.run("forecast", "--budget", "tokens-monthly", "--json").stdout)["budgets"][0]

    assert (found["measure"], found["spent"], found["limit"], found["status"]) == ("tokens", 4840, 1000, "over")
    assert found["expected"] == pytest.approx(4840 + 8.5 * 220, rel=0.05)


def test_a_limit_of_requests_is_forecast_in_requests(spending):
    found = json.loads(spending.run("forecast", "--budget", "requests-daily", "--json").stdout)["budgets"][0]

    assert (found["measure"], found["spent"], found["expected"]) == ("requests", 1, 1)


@pytest.mark.parametrize("arguments", [["--by", "agent"], ["--window", "month"]])
def test_a_month_is_forecast_by_agent(spending, arguments):
    result = spending.run("forecast", *arguments)

    assert [line.rstrip() for line in result.stdout.splitlines()] == snapshot(
        [
            "This month by agent",
            "",
            " agent      spent  expected      low     high",
            " ────────────────────────────────────────────",
            " writer   $220.00   $308.55  $299.20  $317.91",
            " planner   $22.00    $30.86   $29.92   $31.79",
            "",
            " total    $242.00   $339.41  $329.12  $349.70",
            "",
        ]
    )


def test_without_budgets_the_month_is_forecast(shell):
    shell.spend("1")

    found = json.loads(shell.run("forecast", "--json").stdout)

    assert (found["by"], found["window"], [each["of"] for each in found["groups"]]) == ("agent", "month", ["(none)"])


def test_what_was_called_earlier_but_not_this_week_is_expected_too(shell):
    """On a Monday morning nobody has called yet."""
    shell.now = datetime(2026, 11, 16, 0, 5, tzinfo=UTC)
    for ago in range(1, 30):
        shell.spend("1", team="search", at=shell.now - timedelta(days=ago))

    found = json.loads(shell.run("forecast", "--by", "team", "--window", "week", "--json").stdout)["groups"][0]

    assert (found["of"], found["spent_usd"]) == ("search", 0)
    assert found["expected_usd"] == pytest.approx(7, rel=0.01)


def test_an_empty_ledger_has_nothing_to_forecast_from(shell):
    assert shell.run("forecast").stdout.startswith("No calls to forecast from in sqlite://")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--budget", "rolling", "--by", "agent"], id="budget-or-dimension"),
        pytest.param(["--next-task", "writer", "--window", "day"], id="task-or-window"),
        pytest.param(["--by", "agent", "--check"], id="check-without-budgets"),
        pytest.param(["--model", "gpt-4o"], id="model-of-what"),
        pytest.param(["--budget", "suport-monthly"], id="no-such-budget"),
        pytest.param(["--by", "agnt"], id="no-dimension"),
        pytest.param(["--window", "24h"], id="no-calendar"),
    ],
)
def test_wrong_use_exits_with_2(spending, arguments):
    result = spending.run("forecast", *arguments)

    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.fixture
def tasks(shell: Shell) -> Shell:
    for number, usd in enumerate(("0.05", "0.10", "0.15"), 1):
        shell.spend(usd, agent="scraper", feature="crawl", task=f"t-{number}")
        shell.spend("0.05", agent="planner", feature="crawl", task=f"t-{number}", model="gpt-4o-mini")
    shell.spend(None, agent="scraper", feature="crawl", task="t-4", model="home-grown")
    shell.spend("9", agent="scraper", feature="crawl")
    shell.spend("9", agent="scraper", feature="crawl", task="t-0", at=NOW - timedelta(days=31))
    return shell


@pytest.mark.parametrize(
    ("arguments", "expected", "tokens"),
    [
        pytest.param(["crawl"], 0.18, 264, id="feature-with-all-its-agents"),
        pytest.param(["scraper"], 0.12, 132, id="an-agents-part"),
        pytest.param(["crawl", "--model", "gpt-4o-mini"], 0.06, 132, id="on-one-model"),
        pytest.param(["nobody"], 0.1, 6000, id="ten-cents-where-nothing-is-known"),
        pytest.param(["nobody", "--model", "gpt-4o"], 0.0225, 6000, id="what-a-model-costs"),
        pytest.param(["nobody", "--model", "home-grown"], 0.1, 6000, id="ten-cents-without-a-price"),
    ],
)
def test_the_next_task_costs_the_mean_and_a_fifth_more(tasks, arguments, expected, tokens):
    found = json.loads(tasks.run("forecast", "--next-task", *arguments, "--json").stdout)

    assert (found["expected_usd"], found["expected_tokens"]) == (expected, tokens)


def test_the_next_task_is_told_in_sentences(tasks):
    assert tasks.run("forecast", "--next-task", "crawl").stdout.splitlines() == snapshot(
        [
            "The next task of feature 'crawl': $0.1800, 264 tokens.",
            "That is the mean of 3 tasks of the last 30 days, $0.1500, and a fifth more.",
            "Half of them stayed within $0.1500, 95 of 100 within $0.2000; the dearest cost $0.2000.",
            "1 more are left out, since calls of theirs have no price.",
        ]
    )
    assert tasks.run("forecast", "--next-task", "nobody", "--model", "gpt-4o").stdout.splitlines() == snapshot(
        [
            "No task of 'nobody' on gpt-4o in the last 30 days whose cost is known.",
            "Assume $0.0225, as 5,000 input and 1,000 output tokens on gpt-4o cost.",
        ]
    )
    assert tasks.run("forecast", "--next-task", "nobody").stdout.splitlines() == snapshot(
        ["No task of 'nobody' in the last 30 days whose cost is known.", "Assume $0.1000, to be safe."]
    )
