"""`alerts` shows what was told, and tries the channels."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from otel_llmcost.alerting.webhook import verify
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
    shell.configure(BUDGET + channel("ops", receiver.url) + channel("gone", "slack://a/b"))
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
            "problem": "slack: cannot be delivered by this version, only http and https",
        },
    ]


def test_test_of_an_unknown_channel_names_the_one_likely_meant(told):
    result = told.run("alerts", "test", "op")

    assert result.exit_code == 2
    assert 'no channel is called "op", perhaps "ops" is meant' in result.stderr


def test_test_without_channels_fails(shell):
    result = shell.run("alerts", "test")

    assert (result.exit_code, result.stderr) == (1, "There is no alert channel: add an [[alert]] to llmcost.toml.\n")


def test_list_shows_what_is_to_be_delivered(told):
    told.spend("9.60")
    deliveries(told)

    found = json.loads(told.run("alerts", "list", "--json").stdout)
    lines = told.run("alerts", "list", "--state", "pending").stdout

    assert {(each["level"], each["channel"], each["state"]) for each in found} == {
        ("warning", "ops", "pending"),
        ("critical", "ops", "pending"),
    }
    assert (found[0]["budget"], found[0]["spent_usd"], found[0]["limit_usd"]) == ("b", 9.6, 10.0)
    assert lines.count(" ops ") == 2
    assert told.run("alerts", "list", "--state", "dead").stdout == "No alerts.\n"


def deliveries(shell: Shell) -> None:
    """Make deliveries of the alerts, as a dispatcher does that comes for them."""
    levels = {channel.name: channel.levels for channel in shell.settings.channels if channel.name == "ops"}
    shell.store.claim_deliveries(levels, NOW, lease=timedelta(seconds=1))
