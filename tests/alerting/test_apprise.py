"""Messages that go through apprise: the real library, to servers of ours that stand for Slack, Teams and the others."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.message import Message as Email
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, suppress_instrumentation

from otel_llmcost.alerting import apprise as module
from otel_llmcost.alerting.apprise import MISSING, Notifier
from otel_llmcost.alerting.bring import bringing
from otel_llmcost.alerting.message import Message
from otel_llmcost.alerting.schedule import DELIVERED, Outcome
from tests.alerting.makers import NOON, channel
from tests.alerting.receiver import Receiver, silence, status, tunnel_to

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise, until 3.13

MESSAGE = Message(
    message_id="msg_1",
    body=b"{}",
    title="budget support-daily of user=u-7: exceeded",
    text="$9.98 of $10.00 spent\nacknowledge: otel-llmcost alerts ack mzghlv2d",
    tone="failure",
)


@pytest.fixture
def as_anybody(
    secure_receiver: Receiver, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Receiver]:
    """A receiver that is taken for whatever host is asked for: behind a tunnel, with a certificate that is trusted."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with tunnel_to(secure_receiver.port) as (port, _):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        yield secure_receiver


def bring(url: str, message: Message = MESSAGE, timeout_seconds: float = 5) -> Outcome:
    return bringing()(channel(url), message, NOON, timeout_seconds)


def test_slack_gets_what_happened(as_anybody: Receiver):
    as_anybody.otherwise = status(200, b"ok")

    outcome = bring(f"slack://T{'A' * 8}/B{'B' * 8}/{'c' * 24}")

    (got,) = as_anybody.got
    assert (outcome, got.headers["host"]) == (DELIVERED, "hooks.slack.com")
    assert got.target == f"/services/T{'A' * 8}/B{'B' * 8}/{'c' * 24}"
    assert b"alerts ack mzghlv2d" in got.body


def test_teams_gets_what_happened(as_anybody: Receiver):
    """Its webhooks are Power Automate workflows now."""
    as_anybody.otherwise = status(202)

    outcome = bring("workflows://prod-1.logic.azure.com:443/workflow-1/signature")

    (got,) = as_anybody.got
    card = json.loads(got.body)["attachments"][0]["content"]
    assert (outcome, got.headers["host"]) == (DELIVERED, "prod-1.logic.azure.com")
    assert got.target.startswith("/workflows/workflow-1/triggers/manual/paths/invoke?")
    assert "budget support-daily of user=u-7: exceeded" in json.dumps(card)


def events(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(got.body) for got in receiver.got]


def test_pagerduty_gets_an_incident(as_anybody: Receiver):
    as_anybody.otherwise = status(202)

    outcome = bring(f"pagerduty://{'i' * 20}@{'k' * 20}")

    (event,) = events(as_anybody)
    assert (outcome, as_anybody.got[0].headers["host"]) == (DELIVERED, "events.pagerduty.com")
    assert (event["event_action"], event["payload"]["severity"]) == ("trigger", "critical")
    assert event["payload"]["summary"].startswith("budget support-daily of user=u-7: exceeded")
    assert (event["client"], "images" in event) == ("otel-llmcost", False)


def test_pagerduty_resolves_the_incident_that_it_was_told_of(
    secure_receiver: Receiver, as_anybody: Receiver, monkeypatch: pytest.MonkeyPatch
):
    """Since all news of an alert has one title."""
    secure_receiver.otherwise = status(202)
    url = f"pagerduty://{'i' * 20}@{'k' * 20}?action=map"
    bring(url)

    with tunnel_to(secure_receiver.port) as (port, _):  # each leads one connection
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        bring(url, replace(MESSAGE, text="recovered: $9.98 of $20.00 spent", tone="success"))

    fired, recovered = events(as_anybody)
    assert [fired["event_action"], recovered["event_action"]] == ["trigger", "resolve"]
    assert fired["dedup_key"] == recovered["dedup_key"]


def test_any_other_notification_url_works_too(receiver: Receiver):
    outcome = bring(f"json://127.0.0.1:{receiver.port}/x")

    (event,) = events(receiver)
    assert (outcome, event["title"], event["type"]) == (DELIVERED, MESSAGE.title, "failure")
    assert event["message"] == MESSAGE.text


@dataclass
class Mailbox:
    """What a mail server took."""

    letters: list[Email]

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd's name
        self.letters.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox([])
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


def test_an_email_is_taken_by_a_mail_server(mailbox: tuple[Mailbox, int]):
    box, port = mailbox

    outcome = bring(f"mailto://127.0.0.1:{port}?from=ops@example.com&to=boss@example.com&format=text")

    (letter,) = box.letters
    assert (outcome, letter["to"]) == (DELIVERED, "boss@example.com")
    assert letter["subject"] == MESSAGE.title
    assert "otel-llmcost alerts ack mzghlv2d" in letter.get_content()


@pytest.mark.parametrize(
    ("answer", "state", "problem", "is_shared"),
    [
        (403, "pending", "answered 403 Forbidden", False),
        (503, "pending", "answered 503 Service Unavailable", True),
        (410, "dead", "answered 410 Gone: it wants no more", False),
    ],
)
def test_a_refusal_says_with_what(receiver: Receiver, answer: int, state: str, problem: str, is_shared: bool):
    receiver.otherwise = status(answer)

    outcome = bring(f"json://127.0.0.1:{receiver.port}/x")

    assert (outcome.state, outcome.problem, outcome.is_shared) == (state, problem, is_shared)


def test_a_receiver_that_is_not_there_is_tried_again(receiver: Receiver):
    assert bring("json://127.0.0.1:1/x") == Outcome(
        state="pending", problem="json: not reached, or not taken", is_shared=True
    )


@pytest.mark.parametrize("url", ["nothing://x", "slack://"])
def test_a_url_that_apprise_knows_nothing_of_is_given_up(url: str):
    assert bring(url) == Outcome(state="dead", problem="its URL is none that apprise can read")


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "apprise", None)

    assert bring("json://127.0.0.1:1/x") == Outcome(state="dead", problem=MISSING)


def test_a_fault_of_a_plugin_is_tried_again_and_says_no_secret(monkeypatch: pytest.MonkeyPatch):
    def fail(_name: str) -> None:
        raise ZeroDivisionError("s3cret")

    monkeypatch.setattr(module, "import_module", fail)

    assert bring("json://127.0.0.1:1/s3cret").problem == "apprise failed: ZeroDivisionError"


def test_a_receiver_that_hangs_is_waited_for_within_the_bound_and_not_asked_again_meanwhile(receiver: Receiver):
    bring(f"json://127.0.0.1:{receiver.port}/x")  # what is imported for it takes a while
    receiver.otherwise = silence
    notifier, ops = Notifier(), channel(f"json://127.0.0.1:{receiver.port}/x?rto=30&timeout=30")

    outcomes = [notifier.send(ops, MESSAGE, now=NOON, timeout_seconds=seconds) for seconds in (0.2, 5)]

    assert [outcome.problem for outcome in outcomes] == [
        "no answer within 0.2 s",
        "the attempt before has not ended yet",
    ]
    assert len(receiver.got) == 2
    assert all(outcome.is_shared for outcome in outcomes)


def test_webhooks_go_without_apprise(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "apprise", raising=False)

    assert bring(receiver.url) == DELIVERED
    assert "apprise" not in sys.modules


def test_what_was_taken_after_all_is_not_sent_again(receiver: Receiver):
    notifier, ops = Notifier(), channel(f"json://127.0.0.1:{receiver.port}/x")

    outcomes = [notifier.send(ops, MESSAGE, now=NOON, timeout_seconds=5) for _ in range(2)]

    assert outcomes == [DELIVERED, DELIVERED]
    assert len(receiver.got) == 1


def test_it_goes_without_a_thread_when_python_is_shutting_down(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(module.threading.Thread, "start", refuse)

    outcome = Notifier().send(channel("json://127.0.0.1:1/x"), MESSAGE, now=NOON, timeout_seconds=1)

    assert outcome.state == "pending"


def test_nothing_that_apprise_says_comes_into_the_log(receiver: Receiver, caplog: pytest.LogCaptureFixture):
    """It logs the URL it posts to, and so does urllib3."""
    caplog.set_level(1)
    receiver.otherwise = status(404, b"no s3cret here")

    outcome = bring(f"json://s3cret:s3cret@127.0.0.1:{receiver.port}/s3cret?s3cret=1")

    assert "s3cret" in receiver.got[0].target
    assert "s3cret" not in f"{caplog.text}{outcome}"


def test_what_the_host_itself_does_with_apprise_is_logged_as_ever(receiver: Receiver, caplog: pytest.LogCaptureFixture):
    bring(f"json://127.0.0.1:{receiver.port}/x")
    caplog.set_level(logging.INFO)

    logging.getLogger("apprise").info("sent by the host")

    assert caplog.messages == ["sent by the host"]


def test_sending_is_not_traced(monkeypatch: pytest.MonkeyPatch):
    seen: list[bool] = []

    def look(_name: str) -> None:
        seen.append(is_instrumentation_enabled())
        raise ImportError

    monkeypatch.setattr(module, "import_module", look)
    with suppress_instrumentation():
        bring("json://127.0.0.1:1/x")

    assert seen == [False]
