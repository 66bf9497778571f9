"""`report` adds the ledger up."""

import csv
import io
import json
from datetime import timedelta

import pytest
from inline_snapshot import snapshot

from tests.cli.conftest import NOW, Shell


@pytest.fixture
def spent(shell: Shell) -> Shell:
    shell.spend("3.00", agent="writer", user="ada")
    shell.spend("0.50", agent="writer", user="lin", status="estimated", method="stream-ended-early")
    shell.spend("1.50", agent="planner", user="ada", at=NOW - timedelta(days=2))
    shell.spend(None, user="ada", model="home-grown", usage={"input_tokens": 7, "cache_read_tokens": 5})
    shell.spend("9.00", agent="writer", at=NOW - timedelta(days=8))
    return shell


@pytest.mark.parametrize("command", ["report --by user", "budgets list", "explain --by user"])
def test_nobodys_name_moves_the_terminal(shell, command):
    """Names of users come from outside: what erases a screen or writes a line of its own is left out."""
    shell.configure('[[budget]]\nname = "b"\nlimit = 5\nwindow = "day"\nper = ["user"]\n')
    shell.spend("3.00", user="a\x1b[2Jd\ra")

    result = shell.run(*command.split())

    assert "a [2Jd a" in result.stdout
    assert not {"\x1b", "\r"} & set(result.stdout)


def test_a_name_of_several_lines_takes_one(shell):
    """Names come from outside, and a table's rows are lines."""
    shell.spend("3.00", agent="a\nb")

    assert "a b" in shell.run("report", "--by", "agent").stdout


def test_a_time_that_ends_before_it_begins_is_said(shell):
    """It is no time in which nothing was spent."""
    result = shell.run("report", "--since", "7d", "--until", "9d")

    assert result.exit_code == 2
    assert "2026-11-15 12:00 is not before 2026-11-13 12:00" in result.stderr


def test_a_table_shows_shares_and_what_is_not_sure(spent):
    result = spent.run("report")

    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()] == snapshot(
        [
            "Cost by agent from 2026-11-15 12:00 to 2026-11-22 12:00 UTC",
            "",
            " agent    calls   cost    share  per call  input  cached  output  estimated  unpriced calls",
            " ──────────────────────────────────────────────────────────────────────────────────────────",
            " writer       2  $3.50   70.0 %     $1.75    200       0      20    $0.5000               0",
            " planner      1  $1.50   30.0 %     $1.50    100       0      10      $0.00               0",
            " (none)       1  $0.00    0.0 %                7       5       0      $0.00               1",
            "",
            " total        4  $5.00  100.0 %     $1.67    307       5      30    $0.5000               1",
            "",
        ]
    )


def test_json_holds_all_figures_as_numbers(spent):
    result = spent.run("report", "--by", "user,agent", "--json")

    assert json.loads(result.stdout) == snapshot(
        {
            "since": "2026-11-15T12:00:00Z",
            "until": "2026-11-22T12:00:00Z",
            "by": ["user", "agent"],
            "total": {
                "calls": 4,
                "cost_usd": 5.0,
                "share": 1.0,
                "cost_per_call_usd": 1.666666667,
                "input_tokens": 307,
                "cache_read_tokens": 5,
                "output_tokens": 30,
                "confirmed_usd": 4.5,
                "estimated_usd": 0.5,
                "suspected_usd": 0.0,
                "unpriced_calls": 1,
                "fixed_cost_usd": 0.0,
                "total_cost_usd": 5.0,
                "total_cost_per_call_usd": 1.666666667,
                "users": 2,
                "cost_per_user_usd": 2.5,
                "total_cost_per_user_usd": 2.5,
            },
            "groups": [
                {
                    "user": "ada",
                    "agent": "writer",
                    "calls": 1,
                    "cost_usd": 3.0,
                    "share": 0.6,
                    "cost_per_call_usd": 3.0,
                    "input_tokens": 100,
                    "cache_read_tokens": 0,
                    "output_tokens": 10,
                    "confirmed_usd": 3.0,
                    "estimated_usd": 0.0,
                    "suspected_usd": 0.0,
                    "unpriced_calls": 0,
                    "fixed_cost_usd": 0.0,
                    "total_cost_usd": 3.0,
                    "total_cost_per_call_usd": 3.0,
                },
                {
                    "user": "ada",
                    "agent": "planner",
                    "calls": 1,
                    "cost_usd": 1.5,
                    "share": 0.3,
                    "cost_per_call_usd": 1.5,
                    "input_tokens": 100,
                    "cache_read_tokens": 0,
                    "output_tokens": 10,
                    "confirmed_usd": 1.5,
                    "estimated_usd": 0.0,
                    "suspected_usd": 0.0,
                    "unpriced_calls": 0,
                    "fixed_cost_usd": 0.0,
                    "total_cost_usd": 1.5,
                    "total_cost_per_call_usd": 1.5,
                },
                {
                    "user": "lin",
                    "agent": "writer",
                    "calls": 1,
                    "cost_usd": 0.5,
                    "share": 0.1,
                    "cost_per_call_usd": 0.5,
                    "input_tokens": 100,
                    "cache_read_tokens": 0,
                    "output_tokens": 10,
                    "confirmed_usd": 0.0,
                    "estimated_usd": 0.5,
                    "suspected_usd": 0.0,
                    "unpriced_calls": 0,
                    "fixed_cost_usd": 0.0,
                    "total_cost_usd": 0.5,
                    "total_cost_per_call_usd": 0.5,
                },
                {
                    "user": "ada",
                    "agent": None,
                    "calls": 1,
                    "cost_usd": 0.0,
                    "share": 0.0,
                    "cost_per_call_usd": None,
                    "input_tokens": 7,
                    "cache_read_tokens": 5,
                    "output_tokens": 0,
                    "confirmed_usd": 0.0,
                    "estimated_usd": 0.0,
                    "suspected_usd": 0.0,
                    "unpriced_calls": 1,
                    "fixed_cost_usd": 0.0,
                    "total_cost_usd": 0.0,
                    "total_cost_per_call_usd": None,
                },
            ],
            "fixed_costs": [],
            "unallocated_usd": 0.0,
        }
    )


def test_csv_has_a_row_for_each_group(spent):
    result = spent.run("report", "--by", "model", "--csv")

    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert [(row["model"], row["calls"], row["cost_usd"]) for row in rows] == [
        ("gpt-4o", "3", "5.000000000"),
        ("home-grown", "1", "0.000000000"),
    ]


def test_days_come_in_their_order(spent):
    result = spent.run("report", "--by", "day", "--since", "month", "--json")

    days = [(group["day"], group["cost_usd"]) for group in json.loads(result.stdout)["groups"]]
    assert days == [("2026-11-14", 9.0), ("2026-11-20", 1.5), ("2026-11-22", 3.5)]


@pytest.mark.parametrize(
    ("since", "until", "cost"),
    [
        pytest.param("24h", None, 3.5, id="length"),
        pytest.param("today", None, 3.5, id="today"),
        pytest.param("week", None, 5.0, id="week-from-monday"),
        pytest.param("month", None, 14.0, id="month"),
        pytest.param("2026-11-14", "2026-11-15", 9.0, id="dates"),
        pytest.param("2026-11-14T13:00:00+01:00", "2026-11-14T12:00:01", 9.0, id="instants-in-zones"),
        pytest.param("year", "7d", 9.0, id="until-a-week-ago"),
    ],
)
def test_a_time_may_be_named_in_many_ways(spent, since, until, cost):
    result = spent.run("report", "--since", since, *(["--until", until] if until else []), "--json")

    assert json.loads(result.stdout)["total"]["cost_usd"] == cost


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--since", "yesterdy"], id="no-time"),
        pytest.param(["--since", "session"], id="no-calendar"),
        pytest.param(["--until", "99999999w"], id="before-all-time"),
        pytest.param(["--since", "9" * 40 + "w"], id="beyond-all-clocks"),
        pytest.param(["--by", "agnt"], id="no-group"),
        pytest.param(["--by", "agent,agent"], id="group-twice"),
        pytest.param(["--by", ""], id="nothing"),
    ],
)
def test_wrong_use_says_what_is_right_and_exits_with_2(shell, arguments):
    result = shell.run("report", *arguments)

    assert result.exit_code == 2
    assert "such as" in result.stderr
    assert "Traceback" not in result.output


def test_a_ledger_without_calls_says_so(shell):
    result = shell.run("report", "--since", "today")

    assert result.stdout.startswith("No calls between 2026-11-22 00:00 and 2026-11-22 12:00 UTC in sqlite://")
    assert result.exit_code == 0


def test_a_ledger_of_unpriced_calls_divides_by_nothing(shell):
    shell.spend(None, model="home-grown")

    result = shell.run("report", "--json")

    total = json.loads(result.stdout)["total"]
    assert (total["cost_usd"], total["share"], total["cost_per_call_usd"], total["unpriced_calls"]) == (0, 0, None, 1)
    assert "unpriced calls" in shell.run("report").stdout
