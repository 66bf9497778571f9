"""What docs/alerts.md shows is what happens."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner

from otel_llmcost.alerting.courier import LEASE, TIMEOUT_SECONDS
from otel_llmcost.alerting.dispatcher import CLOSE_SECONDS
from otel_llmcost.alerting.log import describe
from otel_llmcost.alerting.message import message_of
from otel_llmcost.alerting.schedule import LONGEST_PAUSE, LONGEST_RETRY_AFTER, MOST_ATTEMPTS
from otel_llmcost.alerting.send import send
from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.alerting.webhook import TOLERANCE, body
from otel_llmcost.cli.alerts import alerts
from otel_llmcost.cli.main import cli
from otel_llmcost.cli.tools import Tools
from otel_llmcost.config import load
from otel_llmcost.core.alert import BUDGET, KINDS, AlertState
from otel_llmcost.core.lifecycle import STALE
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost.storage.outbox import MOST_IN_GROUP
from tests.alerting.makers import ALERT, NOON, SECRET, alert, channel, delivery

TEXT = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
TOP = (AgentCost("researcher", 6_412_300_000), AgentCost(None, 3_567_700_000))
REFUSED = alert(level="exceeded", spent_nano=9_980_000_000, requested_nano=26_000_000)


def blocks(language: str) -> list[str]:
    return re.findall(f"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def block(language: str) -> str:
    (found,) = blocks(language)
    return found


def test_the_body_shown_is_the_body_sent():
    shown = json.loads(block("json"), parse_float=Decimal)

    assert json.loads(body(REFUSED, TOP), parse_float=Decimal) == shown


def test_the_fields_of_the_body_are_all_explained():
    (table,) = re.findall(r"^\| field \|.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    message = json.loads(body(REFUSED, TOP))

    explained = {name for row in table.strip().splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert explained == {*message, *message["data"]} - {"data"}


def test_the_line_shown_is_the_line_logged():
    assert blocks("text")[0] == describe(ALERT) + "\n"


def test_the_words_shown_are_those_that_people_are_told():
    message = message_of([delivery(alert=REFUSED)], lambda _: TOP)

    assert blocks("text")[1] == f"{message.title}\n\n{message.text}\n"


ENVIRON = {
    "LLMCOST_WEBHOOK_SECRET": SECRET,
    "LLMCOST_PAGERDUTY_URL": "pagerduty://i@a?action=map",
    "LLMCOST_SLACK_URL": "slack://a/b/c",
}


def test_the_channels_shown_are_right(tmp_path: Path):
    (tmp_path / "llmcost.toml").write_text(block("toml"))

    settings = load(ENVIRON, cwd=tmp_path, home=tmp_path)

    assert (settings.problems, settings.notices) == ((), ())
    assert [channel.name for channel in settings.channels] == ["ops", "on-call", "team"]


def test_every_key_of_a_channel_is_explained(tmp_path: Path):
    (tmp_path / "llmcost.toml").write_text('[[alert]]\nname = "a"\nurl = "https://h.example"\nno_key = 1')

    (problem,) = load({}, cwd=tmp_path, home=tmp_path).problems

    (table,) = re.findall(r"^\| key \|.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == re.findall(r'"(\w+)"', problem.expected)


def test_every_state_is_explained():
    (table,) = re.findall(r"^\| state \|.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)

    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(get_args(AlertState))


def test_every_kind_is_explained():
    (table,) = re.findall(r"^\| kind \|.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)

    assert {BUDGET, *KINDS} == set(re.findall(r"`([\w.]+)`", table))


def test_every_command_is_explained():
    table = TEXT[TEXT.index("## The command") :]

    assert set(re.findall(r"^\| `alerts (\w+)", table, re.MULTILINE)) == set(alerts.commands)


def test_the_commands_shown_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With the alert that the page is about."""
    monkeypatch.setattr("otel_llmcost.cli.alerts._DELIVER_SECONDS", 0)
    store = MemoryStore()
    store.fire(REFUSED)
    tools = Tools(
        settings=load({}, cwd=tmp_path, home=tmp_path),
        environ={},
        now=lambda: NOON,
        store=lambda: store,
        book=PriceBook,
    )

    commands = [line.removeprefix("$ otel-llmcost ").split() for line in block("console").splitlines()]
    results = [CliRunner().invoke(cli, command, obj=tools) for command in commands]

    assert [result.exit_code for result in results] == [0, 0]
    assert REFUSED.alert_id in results[0].stdout
    assert results[1].stdout == f"{REFUSED.alert_id}: acknowledged by eva\n"


@pytest.mark.parametrize(
    "said",
    [
        f"{MOST_ATTEMPTS} attempts, which take about 24 hours",
        f"at most {TIMEOUT_SECONDS:.0f} seconds to connect",
        f"for at most {CLOSE_SECONDS:.0f} seconds",
        f"a lease of {LEASE.total_seconds():.0f} seconds",
        f"of {MOST_IN_GROUP} alerts at most",
        f"up to {LONGEST_RETRY_AFTER / timedelta(hours=1):.0f} hours",
        f"more than {TOLERANCE / timedelta(minutes=1):.0f} minutes before or after",
    ],
)
def test_the_numbers_said_are_the_numbers_kept(said: str):
    assert said in TEXT
    assert timedelta(hours=1) == LONGEST_PAUSE
    assert timedelta(days=7) == STALE


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]):
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_the_receiver_shown_believes_us_once_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("LLMCOST_WEBHOOK_SECRET", SECRET)
    names: dict[str, object] = {"__name__": "receiver"}
    exec(compile(block("python"), "docs/alerts.md", "exec"), names)
    message, now = body(REFUSED, TOP), datetime.now(UTC)

    with serving(names["Receiver"]) as url:  # type: ignore[arg-type]
        ours, strangers = channel(url), channel(url, secret="a guess")
        first, again, wrong = (
            send(to, "msg_1", message, now=now, timeout_seconds=5) for to in (ours, ours, strangers)
        )  # fmt: skip

    assert (first.state, again.state) == ("delivered", "delivered")
    assert wrong.problem == "answered 400 Bad Request"
    assert capsys.readouterr().out == "budget.exceeded user=u-7 9.98\n"
