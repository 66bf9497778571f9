"""`budgets` shows what may still be spent."""

# ruff: noqa: E501 -- tables stand here as they are printed

import json
from datetime import UTC, datetime, timedelta

import pytest
from inline_snapshot import snapshot

from tests.cli.conftest import NOW, Shell

CONFIG = """
[[budget]]
name = "team"
limit = 10
window = "day"
timezone = "Europe/Berlin"
scope = { team = "support", model = ["gpt-*", "o3"] }

[[budget]]
name = "user"
limit = 4
window = "month"
per = ["user"]
on_limit = "alert"
marks = { half = 0.5, full = 1 }

[[budget]]
name = "session"
limit = 1
window = "session"
"""


@pytest.fixture
def spent(shell: Shell) -> Shell:
    shell.configure(CONFIG)
    shell.spend("3.00", team="support", user="ada")
    shell.spend("1.25", team="support", user="lin")
    shell.spend(None, team="support", user="lin", model="gpt-home")
    shell.spend("0", reserved="0.75", team="support", user="lin")
    return shell


def test_the_fullest_balance_comes_first(spent):
    result = spent.run("budgets", "list")

    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()] == snapshot(
        [
            "Budgets at 2026-11-22 12:00 UTC",
            "",
            " budget   of            window    limit  spent  reserved  remaining   share  projected  bound  status    ends (UTC)",
            " ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────",
            " user     user=ada      month     $4.00  $3.00     $0.00      $1.00  75.0 %      $4.19  $0.00  at risk   2026-12-01 00:00",
            " team     (all)         day      $10.00  $4.25   $0.7500      $5.00  42.5 %      $7.85  $0.00  on track  2026-11-22 23:00",
            " user     user=lin      month     $4.00  $1.25   $0.7500      $2.00  31.2 %      $1.74  $0.00  on track  2026-12-01 00:00",
            " session  (nobody yet)  session   $1.00  $0.00     $0.00      $1.00   0.0 %      $0.00  $0.00  on track",
            "",
        ]
    )


def test_json_holds_the_stated_bound_and_the_window(spent):
    result = spent.run("budgets", "list", "--json")

    assert json.loads(result.stdout)["balances"][0] == snapshot(
        {
            "budget": "user",
            "subject": "user=ada",
            "window": {"kind": "month", "start": "2026-11-01T00:00:00Z", "end": "2026-12-01T00:00:00Z"},
            "status": "at_risk",
            "level": "half",
            "measure": "cost",
            "limit_usd": 4.0,
            "spent_usd": 3.0,
            "reserved_usd": 0.0,
            "remaining_usd": 1.0,
            "share": 0.75,
            "projected_usd": 4.186046512,
            "bound_usd": 0.0,
            "settled_usd": 3.0,
            "suspected_usd": 0.0,
            "overrun_usd": 0.0,
            "exposure_usd": 0.0,
            "calls": 1,
            "refused_calls": 0,
            "unpriced_calls": 0,
        }
    )


def test_show_says_what_the_budget_is(spent):
    result = spent.run("budgets", "show", "team")

    assert [line.rstrip() for line in result.stdout.splitlines()] == snapshot(
        [
            "name            team",
            "limit           $10.00",
            "window          day",
            "timezone        Europe/Berlin",
            "scope           team=support model=gpt-*|o3",
            "on_limit        refuse",
            "marks           warning 0.75, critical 0.95, exceeded 1",
            "unpriced        allow",
            "on_store_error  open",
            "",
            " of     window   limit  spent  reserved  remaining   share  projected  bound  status    ends (UTC)",
            " ───────────────────────────────────────────────────────────────────────────────────────────────────────",
            " (all)  day     $10.00  $4.25   $0.7500      $5.00  42.5 %      $7.85  $0.00  on track  2026-11-22 23:00",
            "",
            "",
            " of     settled  suspected  overrun  exposure  calls  refused  unpriced  level",
            " ─────────────────────────────────────────────────────────────────────────────",
            " (all)    $4.25      $0.00    $0.00     $0.00      3        0         1  ok",
            "",
        ]
    )


def test_show_in_json(spent):
    found = json.loads(spent.run("budgets", "show", "user", "--json").stdout)

    assert (found["limit_usd"], found["on_limit"], found["marks"]) == (4.0, "alert", "half 0.5, full 1")
    assert [(each["subject"], each["level"]) for each in found["balances"]] == [
        ("user=ada", "half"),
        ("user=lin", "ok"),
    ]


def test_an_unknown_budget_names_the_one_likely_meant(spent):
    result = spent.run("budgets", "show", "tem")

    assert result.exit_code == 2
    assert 'no budget is called "tem", perhaps "team" is meant' in result.stderr


@pytest.mark.parametrize(
    ("usd", "hours", "code"),
    [
        pytest.param("1", 1, 0, id="on-track"),
        pytest.param("6", 1, 3, id="at-risk-at-this-pace"),
        pytest.param("11", 1, 3, id="over"),
    ],
)
def test_check_exits_with_3_where_a_budget_will_not_last(shell, usd, hours, code):
    shell.configure('[[budget]]\nname = "b"\nlimit = 10\nwindow = "day"\non_limit = "alert"')
    shell.spend(usd, at=NOW - timedelta(hours=hours))

    assert shell.run("budgets", "list", "--check").exit_code == code
    assert shell.run("budgets", "list").exit_code == 0


def test_a_month_half_over_is_projected_to_its_end(shell):
    """The worked example: 452.34 of 1000 dollars after 15 of 30 days are on track to 904.68."""
    shell.configure('[[budget]]\nname = "b"\nlimit = 1000\nwindow = "month"')
    shell.now = datetime(2026, 11, 16, tzinfo=UTC)
    shell.spend("452.34", at=shell.now - timedelta(days=3))

    (found,) = json.loads(shell.run("budgets", "list", "--json").stdout)["balances"]

    assert (found["remaining_usd"], found["share"], found["projected_usd"]) == (547.66, 0.45234, 904.68)
    assert found["status"] == "on_track"


@pytest.mark.parametrize(
    ("marks", "spent", "limit", "level"),
    [
        pytest.param("{ warning = 0.75, critical = 0.95, exceeded = 1.0 }", "7.5", "10", "warning", id="at-the-mark"),
        pytest.param("{ info = 0.5, warning = 0.8, exceeded = 1.0 }", "850", "1000", "warning", id="other-names"),
    ],
)
def test_the_level_is_the_highest_mark_reached(shell, marks, spent, limit, level):
    shell.configure(f'[[budget]]\nname = "b"\nlimit = {limit}\nwindow = "day"\nmarks = {marks}')
    shell.spend(spent)

    (found,) = json.loads(shell.run("budgets", "list", "--json").stdout)["balances"]

    assert found["level"] == level


def test_reset_asks_first(spent):
    refused = spent.run("budgets", "reset", "team", stdin="n\n")
    done = spent.run("budgets", "reset", "team", stdin="y\n")

    assert refused.exit_code == 1
    assert "Set budget 'team' in sqlite://" in refused.stderr
    assert done.stdout == "1 balance of budget 'team' set to 0.\n"
    assert json.loads(spent.run("budgets", "show", "team", "--json").stdout)["balances"][0]["spent_usd"] == 0


def test_reset_of_one_subject_leaves_the_others(spent):
    result = spent.run("budgets", "reset", "user", "--subject", "user=ada", "--yes", "--json")

    assert json.loads(result.stdout) == {"budget": "user", "subject": "user=ada", "reset": 1}
    balances = json.loads(spent.run("budgets", "show", "user", "--json").stdout)["balances"]
    assert {each["subject"]: each["spent_usd"] for each in balances} == {"user=lin": 1.25, "user=ada": 0}


def test_no_budgets_is_said(shell):
    assert shell.run("budgets", "list").stdout == "No budgets: there is no llmcost.toml.\n"
    assert json.loads(shell.run("budgets", "list", "--json").stdout) == {"balances": []}


LIMITS = """
[[limit]]
name = "tokens"
tokens = 9000
window = "day"
per = ["agent"]
marks = { warning = 0.8 }

[[limit]]
name = "calls"
requests = 60
window = "1m"
on_limit = "wait"
max_wait = "5m"
"""


@pytest.fixture
def limited(shell: Shell) -> Shell:
    shell.configure(LIMITS)
    for _ in range(5):
        usage = {"input_tokens": 1450, "output_tokens": 100}
        shell.spend("0", agent="writer", usage=usage, at=NOW - timedelta(seconds=5))
    return shell


def test_limits_are_shown_in_what_they_count_and_not_in_dollars(limited):
    assert [line.rstrip() for line in limited.run("budgets", "list").stdout.splitlines()] == snapshot(
        [
            "Budgets at 2026-11-22 12:00 UTC",
            "",
            " budget  of            window         limit  spent  reserved  remaining   share  projected  bound  status    ends (UTC)",
            " ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────",
            " tokens  agent=writer  day     9,000 tokens  7,750         0      1,250  86.1 %     15,500  7,750  at risk   2026-11-23 00:00",
            " calls   (all)         1m       60 requests      5         0         55   8.3 %          5      5  on track",
            "",
        ]
    )


def test_limits_in_json_name_no_currency(limited):
    (tokens, calls) = json.loads(limited.run("budgets", "list", "--json").stdout)["balances"]

    assert [key for each in (tokens, calls) for key in each if "usd" in key] == []
    assert (tokens["measure"], tokens["limit"], tokens["level"]) == ("tokens", 9000, "warning")
    assert (calls["measure"], calls["spent"], calls["calls"]) == ("requests", 5, 5)


def test_show_says_what_a_limit_is(limited):
    shown = limited.run("budgets", "show", "calls")
    found = json.loads(limited.run("budgets", "show", "calls", "--json").stdout)

    assert [line.rstrip() for line in shown.stdout.splitlines()][:6] == snapshot(
        [
            "name            calls",
            "limit           60 requests",
            "window          1m",
            "on_limit        wait",
            "max_wait        300s",
            "on_store_error  open",
        ]
    )
    assert (found["limit"], found["on_limit"], found["max_wait"]) == (60, "wait", "300s")
