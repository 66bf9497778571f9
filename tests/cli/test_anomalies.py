"""`anomalies` finds days that cost unusually much, and what was not there before."""

import json
from datetime import timedelta

import pytest
from inline_snapshot import snapshot

from tests.cli.conftest import NOW, Shell

DAY = timedelta(days=1)


@pytest.fixture
def months(shell: Shell) -> Shell:
    """Three months at ten dollars a day, with a spike in each, and a new model today."""
    for days_ago in range(90, 0, -1):
        shell.spend("40" if days_ago % 30 == 5 else f"{10 + days_ago % 3}", at=NOW - DAY * days_ago, agent="writer")
    shell.spend("2.50", agent="writer", model="claude-opus-4-6")
    return shell


def days(shell: Shell, *arguments: str) -> list[tuple[str, str]]:
    findings = json.loads(shell.run("anomalies", *arguments, "--json").stdout)["findings"]
    return [(each["day"], each["kind"]) for each in findings]


def test_a_table_says_what_was_found(months):
    result = months.run("anomalies", "--by", "agent,model")

    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()] == snapshot(
        [
            "Anomalies between 2026-10-23 12:00 and 2026-11-22 12:00 UTC",
            "",
            " day                what                     cost  expected  usual up to  score  found",
            " ──────────────────────────────────────────────────────────────────────────────────────────",
            " 2026-11-17         model gpt-4o           $40.00    $11.00       $16.28    8.3  robust",
            " 2026-11-17         agent writer           $40.00    $11.00       $16.28    8.3  robust",
            " 2026-11-22 so far  model claude-opus-4-6   $2.50                                first seen",
            "",
        ]
    )


def test_json_holds_all_that_is_known(months):
    result = months.run("anomalies", "--by", "agent", "--json")

    assert json.loads(result.stdout) == snapshot(
        {
            "since": "2026-10-23T12:00:00Z",
            "until": "2026-11-22T12:00:00Z",
            "by": ["agent"],
            "method": "robust",
            "findings": [
                {
                    "kind": "anomaly",
                    "by": "agent",
                    "value": "writer",
                    "day": "2026-11-17",
                    "so_far": False,
                    "continued": False,
                    "cost_usd": 40.0,
                    "expected_usd": 11.0,
                    "usual_from_usd": 7.383743132,
                    "usual_up_to_usd": 16.275026505,
                    "score": 8.34,
                    "method": "robust",
                    "text": "agent writer cost $40.00 on 2026-11-17: $11.00 was to be expected, up to $16.28 is usual",
                }
            ],
            "alerts": [],
        }
    )


def test_all_of_the_ledger_may_be_looked_at(months):
    spikes = [("2026-09-18", "anomaly"), ("2026-10-18", "anomaly"), ("2026-11-17", "anomaly")]

    assert days(months, "--since", "all", "--by", "agent") == spikes
    assert days(months, "--since", "0001-01-01", "--by", "agent") == spikes
    assert days(months, "--since", "2026-10-01", "--until", "2026-11-01", "--by", "agent") == spikes[1:2]
    assert days(months, "--since", "all", "--by", "all").count(spikes[0]) == len(
        ["total", "agent", "model", "provider"]
    )


@pytest.mark.parametrize("method", ["window", "overall", "robust"])
def test_the_method_can_be_chosen(months, method):
    assert ("2026-11-17", "anomaly") in days(months, "--by", "agent", "--method", method)


def test_what_is_little_or_usual_can_be_said(months):
    assert days(months, "--by", "agent", "--least", "50") == []
    assert days(months, "--by", "agent", "--threshold", "99") == []
    assert days(months, "--by", "agent", "--method", "window", "--threshold", "99") == []


def test_check_exits_with_3_if_anything_is_found(months):
    assert months.run("anomalies", "--check").exit_code == 3
    assert months.run("anomalies", "--check", "--json", "--since", "2d", "--by", "agent").exit_code == 0


def test_nothing_found_is_said(shell):
    result = shell.run("anomalies", "--check", "--alert")

    assert (result.exit_code, result.stdout) == (
        0,
        "Nothing unusual between 2026-10-23 12:00 and 2026-11-22 12:00 UTC.\n0 alerts fired.\n",
    )
    assert shell.run("anomalies", "--since", "all").stdout == "Nothing unusual until 2026-11-22 12:00 UTC.\n"


def test_alert_tells_each_once(months):
    months.configure('[[alert]]\nname = "ops"\nurl = "https://hooks.example.com"\n')

    first, again = (months.run("anomalies", "--alert", "--json") for _ in range(2))

    assert len(json.loads(first.stdout)["alerts"]) == 1
    assert json.loads(again.stdout)["alerts"] == []
    assert months.run("anomalies", "--alert").stdout.endswith("0 alerts fired.\n")


def test_what_the_settings_say_holds_until_the_command_says_otherwise(months):
    months.configure('[anomalies]\nby = ["agent"]\nfirst_seen = []\nmethod = "window"\nthreshold = 99\n')

    assert days(months) == []
    assert days(months, "--threshold", "3") == [("2026-11-17", "anomaly")]
    assert days(months, "--method", "robust") == [("2026-11-17", "anomaly")]


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--by", "agnt"], id="no-dimension"),
        pytest.param(["--by", "agent,agent"], id="twice"),
        pytest.param(["--by", "task"], id="soon-over"),
        pytest.param(["--since", "yesterdy"], id="no-time"),
        pytest.param(["--method", "magic"], id="no-method"),
        pytest.param(["--threshold", "0"], id="no-threshold"),
        pytest.param(["--threshold", "nan"], id="no-number"),
        pytest.param(["--least", "inf"], id="no-amount"),
    ],
)
def test_wrong_use_exits_with_2(shell, arguments):
    result = shell.run("anomalies", *arguments)

    assert result.exit_code == 2
    assert "Traceback" not in result.output
