"""Stops and raises by command: what they say, what they put in force, what they keep of who said so."""

import json
from datetime import timedelta

import pytest

from otel_llmcost.core.acts import in_force
from tests.alerting.receiver import Receiver
from tests.cli.conftest import NOW, Shell, texts

BUDGET = '[[budget]]\nname = "all"\nlimit = 5\nwindow = "day"\n'
LIMIT = '[[limit]]\nname = "rpm"\nrequests = 60\nwindow = "1m"\n'


def stops(shell: Shell) -> list[dict[str, object]]:
    return json.loads(shell.run("stops", "list", "--json").stdout)["stops"]


def test_a_stop_holds_until_it_is_ended(shell):
    told = shell.run("stop", "--agent", "scr*", "--reason", "runs away", "--by", "ann")
    (stop,) = stops(shell)

    shell.run("resume", str(stop["id"])[:30])

    assert "Stopped: calls of agent=scr*." in told.stdout
    assert (stop["by"], stop["reason"], stop["scope"]) == ("ann", "runs away", {"agent": ["scr*"]})
    assert stops(shell) == []


def test_a_stop_of_everything_is_said_so_and_ends_by_itself(shell):
    told = shell.run("stop", "--all", "--until", "30m", "--json")

    assert json.loads(told.stdout)["until"] == "2026-11-22T12:30:00Z"
    controls = in_force(shell.store.acts_in_force(NOW), NOW)
    assert controls.stop_of({}, NOW + timedelta(minutes=29)) is not None
    assert controls.stop_of({}, NOW + timedelta(minutes=30)) is None


def test_the_history_shows_who_stopped_what_and_who_ended_it(shell):
    shell.run("stop", "--team", "ops", "--by", "ann")
    shell.run("resume", "--all", "--by", "bob", "--reason", "mended")

    found = json.loads(shell.run("stops", "list", "--history", "--json").stdout)["stops"]

    assert [(each["kind"], each["by"]) for each in found] == [("stop", "ann"), ("resume", "bob")]
    assert "resumed: calls of team=ops" in shell.run("stops", "list", "--history").stdout


def test_a_stop_is_told_to_the_alert_channels_at_once(shell):
    with Receiver() as receiver:
        shell.configure(f'[[alert]]\nname = "ops"\nurl = "{receiver.url}"\nsecret = "whsec_c2VjcmV0"\n')
        shell.run("stop", "--agent", "scraper", "--reason", "runs away", "--by", "ann")

        (received,) = receiver.got
    message = json.loads(received.body)
    assert message["type"] == "stop"
    assert "ann stopped calls of agent=scraper: runs away" in json.dumps(message)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("stop",), "Say which calls to stop", id="nothing-named"),
        pytest.param(("stop", "--all", "--agent", "x"), "Say which calls to stop", id="all-and-one"),
        pytest.param(("stop", "--all", "--until", "2020-01-01"), "is over already", id="over"),
        pytest.param(("stop", "--all", "--until", "soon"), "'soon' is not", id="no-time"),
        pytest.param(("stop", "--all", "--until", "session"), "'session' is not", id="no-end"),
        pytest.param(("resume",), "Say which stop to end", id="resume-what"),
        pytest.param(("resume", "nope"), "no stop in force has the id 'nope'", id="unknown-id"),
        pytest.param(("budgets", "raise", "al", "5", "--until", "8h"), 'perhaps "all" is meant', id="unknown-budget"),
        pytest.param(("budgets", "raise", "all", "0", "--until", "8h"), "expected a number above 0", id="nothing"),
        pytest.param(("budgets", "raise", "all", "much", "--until", "8h"), "expected a number above 0", id="word"),
        pytest.param(("budgets", "raise", "all", "1e10", "--until", "8h"), "up to 1,000,000,000", id="too-much"),
        pytest.param(("budgets", "raise", "rpm", "1.5", "--until", "8h"), "expected a whole number", id="half-a-call"),
        pytest.param(
            ("budgets", "raise", "all", "5", "--until", "soon"), "the end of the present one", id="no-end-time"
        ),
        pytest.param(("stop", "--agent", " "), "it is empty, and would stop nothing", id="empty-pattern"),
    ],
)
def test_wrong_use_is_said_with_what_would_be_right(shell, arguments, said):
    shell.configure(BUDGET + LIMIT)

    result = shell.run(*arguments)

    assert result.exit_code == 2
    assert said in result.output


def test_one_id_that_fits_two_stops_ends_neither(shell):
    shell.run("stop", "--agent", "a")
    shell.run("stop", "--agent", "b")

    result = shell.run("resume", str(stops(shell)[0]["id"])[:6])

    assert "2 stops begin with" in result.output
    assert len(stops(shell)) == 2


def test_nothing_to_show_is_said(shell):
    assert "No stop is in force." in shell.run("stops", "list").stdout
    assert "No stop is in force." in shell.run("resume", "--all").stdout


def test_a_raise_shows_in_the_budgets_limit_until_it_is_ended(shell):
    shell.configure(BUDGET)

    told = shell.run("budgets", "raise", "all", "2.50", "--until", "day", "--reason", "launch", "--by", "ann")
    raised = json.loads(shell.run("budgets", "show", "all", "--json").stdout)["balances"][0]["limit_usd"]
    ended = shell.run("budgets", "lower", "all")
    lowered = json.loads(shell.run("budgets", "show", "all", "--json").stdout)["balances"][0]["limit_usd"]

    assert "all: $2.50 more until 2026-11-23 00:00 UTC." in told.stdout
    assert raised == 7.5
    assert "1 raise ended" in ended.stdout
    assert lowered == 5


def test_a_raise_of_one_balance_is_only_its_own(shell):
    shell.configure(BUDGET + 'per = ["user"]')
    shell.spend("1", user="u-1")
    shell.spend("1", user="u-2")

    shell.run("budgets", "raise", "all", "5", "--until", "2h", "--subject", "user=u-1")

    found = json.loads(shell.run("budgets", "list", "--json").stdout)["balances"]
    assert {each["subject"]: each["limit_usd"] for each in found} == {"user=u-1": 10, "user=u-2": 5}


@pytest.mark.parametrize(
    ("terms", "subject", "said"),
    [
        pytest.param("", "user=u-1", "it has one balance for all: leave it out", id="one-balance"),
        pytest.param('per = ["user"]', "u-1", "they are named user=…", id="name-alone"),
        pytest.param('per = ["user"]', "team=x", "they are named user=…", id="another-dimension"),
        pytest.param('per = ["team", "user"]', "user=u-1", "they are named team=…,user=…", id="half-of-it"),
    ],
)
@pytest.mark.parametrize("command", ["raise all 5 --until 2h", "reset all --yes"])
def test_a_balance_that_cannot_be_is_neither_raised_nor_reset(shell, command, terms, subject, said):
    """Nothing would change, and nobody would hear of it."""
    shell.configure(BUDGET + terms)

    result = shell.run("budgets", *command.split(), "--subject", subject)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_limit_of_calls_is_raised_by_calls(shell):
    shell.configure(LIMIT)

    told = shell.run("budgets", "raise", "rpm", "30", "--until", "2h")
    record = json.loads(shell.run("budgets", "lower", "rpm", "--json").stdout)["ended"][0]

    assert "rpm: 30 requests more" in told.stdout
    assert (record["amount"], record["measure"]) == (30, "requests")


def test_a_reset_is_kept_with_who_and_why(shell):
    shell.configure(BUDGET)
    shell.spend("4")

    shell.run("budgets", "reset", "all", "--yes", "--reason", "a test run", "--by", "ann")

    (act,) = shell.store.acts(NOW, NOW + timedelta(seconds=1))
    assert (act.kind, act.budget, act.by, act.reason) == ("reset", "all", "ann", "a test run")


def test_what_a_budget_does_at_its_marks_is_shown(shell):
    shell.configure(
        BUDGET
        + """carry_over = 2
actions = [
  { at = "warning", route = { "gpt-4o" = "gpt-4o-mini" } },
  { at = 0.8, cap = 500 },
  { at = "critical", refuse = true },
]
"""
    )

    shown = shell.run("budgets", "show", "all").stdout

    assert "carry_over      up to $2.00" in shown
    assert "route gpt-4o to gpt-4o-mini at warning; cap 500 at 80%; pause all calls at critical" in shown


def test_the_doctor_tells_what_people_decided(shell):
    shell.configure(BUDGET)
    shell.run("stop", "--agent", "scraper", "--reason", "runs away", "--by", "ann")
    shell.run("budgets", "raise", "all", "5", "--until", "2h", "--by", "bob")

    assert texts(shell, "decisions", "warning") == ["agent=scraper stopped by ann at 2026-11-22 12:00: runs away"]
    assert texts(shell, "decisions", "note") == [
        "budget all raised by bob at 2026-11-22 12:00, until 2026-11-22 14:00 UTC"
    ]


def test_a_raise_says_all_of_itself_as_json(shell):
    shell.configure(BUDGET)

    record = json.loads(shell.run("budgets", "raise", "all", "5", "--until", "2h", "--json").stdout)

    assert (record["budget"], record["amount"], record["until"]) == ("all", 5, "2026-11-22T14:00:00Z")
