"""`alerts` shows what was told, and tries the channels."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from otel_llmcost.alerting.webhook import verify
from otel_llmcost.core.alert import Delivery
from tests.alerting.receiver import Receiver, status
from tests.cli.conftest import NOW, Shell

SECRET = "whsec_YSBzZWNyZXQgdGhhdCBpcyBmb3IgdGVzdHMgb25seQ=="
BUDGET = '[[budget]]\nname = "b"\nlimit = 10\nwindow = "day"\non_limit = "alert"\n'


@pytest.fixture
def receiver(monkeypatch) -> Iterator[Receiver]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Receiver() as running:
        yield running


def channel(name: str, url: str) -> str:
    return f'[[alert]]\nname = "{name}"\nurl = "{url}"\nsecret = "env:SECRET"\n'


@pytest.fixture
def told(shell: Shell, receiver: Receiver) -> Shell:
    shell.environ["SECRET"] = SECRET
    shell.configure(BUDGET + channel("ops", receiver.url) + channel("gone", "https:///x"))
    return shell


def test_test_sends_a_signed_message_and_shows_the_answer(told, receiver):
    result = told.run("alerts", "test", "ops")

    message = verify(SECRET, receiver.got[0].headers, receiver.got[0].body, now=NOW)
    assert (result.exit_code, result.stdout) == (0, "ops: delivered\n")
    assert (message["type"], message["data"]["level"]) == ("budget.test", "test")


def test_test_of_all_channels_fails_if_one_does(told, receiver):
    receiver.answers.append(status(401))

    result = told.run("alerts", "test", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {"channel": "ops", "state": "pending", "problem": "answered 401 Unauthorized"},
        {
            "channel": "gone",
            "state": "dead",
            "problem": "its URL needs a host, and to be ASCII without spaces",
        },
    ]


def test_test_of_an_unknown_channel_names_the_one_likely_meant(told):
    result = told.run("alerts", "test", "op")

    assert result.exit_code == 2
    assert 'no channel is called "op", perhaps "ops" is meant' in result.stderr


def test_test_without_channels_fails(shell):
    result = shell.run("alerts", "test")

    assert (result.exit_code, result.stderr) == (1, "There is no alert channel: add an [[alert]] to llmcost.toml.\n")


def test_list_shows_what_was_fired_and_whom_it_was_told(told):
    told.spend("9.60")
    claimed(told)

    found = json.loads(told.run("alerts", "list", "--json").stdout)
    lines = told.run("alerts", "list", "--state", "pending").stdout

    assert [(each["type"], each["state"]) for each in found] == [
        ("budget.critical", "fired"),
        ("budget.warning", "fired"),
    ]
    assert (found[0]["budget"], found[0]["spent_usd"], found[0]["limit_usd"]) == ("b", 9.6, 10.0)
    assert lines.count("ops: fired, pending") == 2
    assert told.run("alerts", "list", "--state", "dead").stdout == "No alerts.\n"


def test_deliveries_shows_each_way_to_a_channel(told):
    told.spend("9.60")
    claimed(told)

    found = json.loads(told.run("alerts", "deliveries", "--json").stdout)
    lines = told.run("alerts", "deliveries", "--state", "pending").stdout

    assert {(each["news"], each["channel"], each["state"]) for each in found} == {("fired", "ops", "pending")}
    assert [lines.count(each["delivery_id"]) for each in found] == [1, 1]
    assert told.run("alerts", "deliveries", "--state", "dead").stdout == "No deliveries.\n"


def test_ack_writes_down_who_takes_care_and_tells_it(told, receiver):
    told.spend("8")
    alert_id = fired(told)

    result = told.run("alerts", "ack", alert_id.upper(), "--by", "eva")

    states = [json.loads(got.body)["data"]["state"] for got in receiver.got]
    assert (result.exit_code, result.stdout) == (0, f"{alert_id.upper()}: acknowledged by eva\n")
    assert "acknowledged by eva" in told.run("alerts", "list").stdout
    assert states == ["fired", "acknowledged"]


def test_ack_of_what_is_acknowledged_says_by_whom(told):
    told.spend("8")
    alert_id = fired(told)
    told.run("alerts", "ack", alert_id, "--by", "eva")

    result = told.run("alerts", "ack", alert_id, "nosuchid", "--by", "tom")

    assert result.exit_code == 1
    assert result.stdout == f"{alert_id}: was acknowledged before by eva\nnosuchid: there is no such alert\n"


def test_ack_without_a_name_is_the_users_own(told, monkeypatch):
    monkeypatch.setenv("LOGNAME", "kim")
    told.spend("8")

    found = json.loads(told.run("alerts", "ack", fired(told), "--json").stdout)

    assert [(each["acknowledged"], each["by"]) for each in found] == [(True, "kim")]


def test_resend_brings_what_was_given_up(told, receiver):
    told.spend("8")
    (dead,) = given_up(told)

    result = told.run("alerts", "resend", "--all")

    assert (result.exit_code, result.stdout) == (0, f"{dead.delivery_id} to ops: delivered\n")
    assert receiver.ids == [dead.delivery_id]


def test_resend_of_an_alert_that_is_refused_again_fails(told, receiver):
    receiver.otherwise = status(410)
    told.spend("8")
    (dead,) = given_up(told)

    result = told.run("alerts", "resend", dead.alert.alert_id, "--json")

    assert result.exit_code == 1
    assert [(each["state"], each["attempts"]) for each in json.loads(result.stdout)] == [("dead", 1)]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        ((), 2, "Say either IDs or --all."),
        (("--all", "msg_1"), 2, "Say either IDs or --all."),
        (("--all",), 0, "There is nothing to send again."),
        (("msg_1",), 1, "There is nothing to send again."),
    ],
)
def test_resend_of_nothing_says_so(told, arguments, exit_code, said):
    result = told.run("alerts", "resend", *arguments)

    assert result.exit_code == exit_code
    assert said in result.stderr


def fired(shell: Shell) -> str:
    """The id of the newest alert."""
    return shell.store.alerts()[0].alert.alert_id


def claimed(shell: Shell) -> list[Delivery]:
    """Make deliveries of the alerts, as a dispatcher does that comes for them."""
    ops = [channel for channel in shell.settings.channels if channel.name == "ops"]
    return shell.store.claim_deliveries(ops, NOW, lease=timedelta(seconds=1))


def given_up(shell: Shell) -> list[Delivery]:
    deliveries = claimed(shell)
    for each in deliveries:
        shell.store.finish_delivery(replace(each, state="dead", attempts=36))
    return deliveries
