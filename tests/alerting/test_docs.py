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

import pytest

from otel_llmcost.alerting.courier import LEASE, TIMEOUT_SECONDS
from otel_llmcost.alerting.dispatcher import CLOSE_SECONDS
from otel_llmcost.alerting.log import describe
from otel_llmcost.alerting.schedule import LONGEST_PAUSE, LONGEST_RETRY_AFTER, MOST_ATTEMPTS
from otel_llmcost.alerting.send import send
from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.alerting.webhook import TOLERANCE, body
from tests.alerting.makers import ALERT, SECRET, alert, channel

TEXT = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
TOP = (AgentCost("researcher", 6_412_300_000), AgentCost(None, 3_567_700_000))
REFUSED = alert(level="exceeded", spent_nano=9_980_000_000, requested_nano=26_000_000)


def block(language: str) -> str:
    (found,) = re.findall(f"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
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
    assert block("text") == describe(ALERT) + "\n"


@pytest.mark.parametrize(
    "said",
    [
        f"{MOST_ATTEMPTS} attempts, which take about 24 hours",
        f"at most {TIMEOUT_SECONDS:.0f} seconds to connect",
        f"for at most {CLOSE_SECONDS:.0f} seconds",
        f"a lease of {LEASE.total_seconds():.0f} seconds",
        f"up to {LONGEST_RETRY_AFTER / timedelta(hours=1):.0f} hours",
        f"more than {TOLERANCE / timedelta(minutes=1):.0f} minutes before or after",
    ],
)
def test_the_numbers_said_are_the_numbers_kept(said: str):
    assert said in TEXT
    assert timedelta(hours=1) == LONGEST_PAUSE


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
