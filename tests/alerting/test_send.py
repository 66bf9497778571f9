from __future__ import annotations

import json
import os
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
import trustme

from otel_llmcost.alerting.schedule import DELIVERED, Outcome
from otel_llmcost.alerting.send import judge, send
from otel_llmcost.alerting.webhook import body, verify
from otel_llmcost.core.alert import Channel
from tests.alerting.makers import ALERT, NOON, SECRET, channel
from tests.alerting.receiver import Receiver, raw, silence, status, tunnel_to


def post(to: Channel, *, timeout_seconds: float = 5, now: datetime = NOON) -> Outcome:
    return send(to, "d-1", body(ALERT), now=now, timeout_seconds=timeout_seconds)


def test_what_arrives_is_signed_and_whole(receiver: Receiver):
    outcome = post(channel(receiver.url + "?to=ops"))

    (got,) = receiver.got
    assert outcome == DELIVERED
    assert (got.method, got.target, got.headers["content-type"]) == ("POST", "/hook?to=ops", "application/json")
    assert verify(SECRET, got.headers, got.body, now=NOON)["data"]["budget"] == "support-daily"


def test_nothing_but_what_is_documented_stands_in_the_headers(receiver: Receiver):
    post(channel(receiver.url))

    assert set(receiver.got[0].headers) == {
        "host", "accept-encoding", "content-length", "content-type", "user-agent", "connection",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "state", "is_shared"),
    [
        (200, "delivered", False),
        (204, "delivered", False),
        (299, "delivered", False),
        (302, "pending", False),
        (400, "pending", False),
        (404, "pending", False),
        (410, "dead", False),
        (429, "pending", True),
        (500, "pending", False),
        (502, "pending", True),
        (503, "pending", True),
        (504, "pending", True),
        (599, "pending", False),
    ],
)
def test_each_answer_has_its_outcome(receiver: Receiver, code: int, state: str, is_shared: bool):
    receiver.otherwise = status(code)

    outcome = post(channel(receiver.url))

    assert (outcome.state, outcome.is_shared) == (state, is_shared)
    assert outcome.problem is None if state == "delivered" else f"answered {code}" in (outcome.problem or "")


def test_a_redirect_is_not_followed(receiver: Receiver):
    with Receiver() as elsewhere:
        receiver.otherwise = status(307, location=elsewhere.url)

        outcome = post(channel(receiver.url))

        assert elsewhere.got == []
    assert outcome.state == "pending"
    assert (
        outcome.problem == "answered 307 Temporary Redirect: redirects are not followed, the URL must be the final one"
    )


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("120", timedelta(minutes=2)),
        ("Sun, 22 Nov 2026 12:10:00 GMT", timedelta(minutes=10)),
        ("Sun, 22 Nov 2026 12:10:00 -0000", timedelta(minutes=10)),
        ("Sun, 22 Nov 2026 11:00:00 GMT", timedelta(0)),
        ("Sun, 22 Nov 99999999999999999999 11:00:00 GMT", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(said: str, asked: timedelta | None):
    assert judge(503, said, NOON).retry_after == asked


def test_retry_after_is_heard(receiver: Receiver):
    receiver.otherwise = status(429, retry_after="30")

    assert post(channel(receiver.url)).retry_after == timedelta(seconds=30)


def test_nobody_there_is_no_error_but_a_problem():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]

    outcome = post(channel(f"http://127.0.0.1:{port}/s3cret"))

    assert outcome == Outcome(
        state="pending", is_shared=True, problem=f"no answer from http://127.0.0.1:{port}: Connection refused"
    )


def test_no_such_host_is_no_error_but_a_problem():
    outcome = post(channel("http://host.invalid/s3cret"))

    assert outcome.state == "pending"
    assert (outcome.problem or "").startswith("no answer from http://host.invalid: ")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silence, id="silence"),
        pytest.param(raw(b"H", again_after_seconds=0.02), id="a status line without end"),
        pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n", again_after_seconds=0.02), id="wait, wait, wait"),
    ],
)
def test_a_slow_receiver_does_not_hold_us_longer_than_the_timeout(receiver: Receiver, answer):
    """A socket's own timeout would begin anew with every byte."""
    receiver.otherwise = answer
    began = monotonic()

    outcome = post(channel(receiver.url), timeout_seconds=0.2)

    assert monotonic() - began < 2
    assert (outcome.state, outcome.is_shared) == ("pending", True)
    assert (outcome.problem or "").endswith("timed out")


def test_a_body_without_end_is_not_read_to_its_end(receiver: Receiver):
    """What the receiver says after its status does not matter; 1 MB pieces would fill memory."""
    piece = b"x" * 1024 * 1024
    receiver.answers.append(raw(b"HTTP/1.1 200 OK\r\n\r\n" + piece, again_after_seconds=0))

    assert post(channel(receiver.url)) == DELIVERED


def test_a_body_that_does_not_come_does_not_undo_the_delivery(receiver: Receiver):
    receiver.answers.append(raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n.", again_after_seconds=5))

    assert post(channel(receiver.url), timeout_seconds=0.2) == DELIVERED


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(raw(b""), id="nothing"),
        pytest.param(raw(b"SSH-2.0-s3cret\r\n"), id="another protocol"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nx: " + b"s3cret" * 20_000), id="a header too long"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n" + b"x: s3cret\r\n" * 1000 + b"\r\n"), id="too many headers"),
    ],
)
def test_an_answer_that_is_not_http_is_a_problem_that_does_not_quote_it(receiver: Receiver, answer):
    receiver.otherwise = answer

    outcome = post(channel(receiver.url))

    assert (outcome.state, outcome.is_shared) == ("pending", True)
    assert "s3cret" not in (outcome.problem or "")


@pytest.mark.parametrize("code", [302, 404, 410, 503])
def test_no_problem_shows_the_secret_parts_of_a_url(receiver: Receiver, code: int):
    """Many services know their users by the URL's path alone."""
    receiver.otherwise = status(code, b"/s3cret not found")

    outcome = post(channel(f"http://user:s3cret@127.0.0.1:{receiver.port}/s3cret?token=s3cret"))

    assert outcome.problem
    assert "s3cret" not in outcome.problem


def test_user_and_password_of_a_url_become_basic_authentication(receiver: Receiver):
    post(channel(f"http://us%40er:p%3Aw@127.0.0.1:{receiver.port}/"))

    assert receiver.got[0].headers["authorization"] == "Basic dXNAZXI6cDp3"
    assert receiver.got[0].headers["host"] == f"127.0.0.1:{receiver.port}"


def trust(authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(folder / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))


def test_a_receiver_with_an_unknown_certificate_gets_nothing(secure_receiver: Receiver):
    outcome = post(channel(f"https://localhost:{secure_receiver.port}/"))

    assert secure_receiver.got == []
    assert "certificate verify failed" in (outcome.problem or "")


def test_a_receiver_with_a_certificate_of_another_host_gets_nothing(
    secure_receiver: Receiver, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trust(authority, tmp_path, monkeypatch)

    outcome = post(channel(f"https://127.0.0.1:{secure_receiver.port}/"))

    assert secure_receiver.got == []
    assert "certificate verify failed" in (outcome.problem or "")


def test_a_receiver_with_a_trusted_certificate_gets_it(
    secure_receiver: Receiver, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trust(authority, tmp_path, monkeypatch)

    assert post(channel(f"https://localhost:{secure_receiver.port}/")) == DELIVERED


def test_plain_webhooks_go_through_the_proxy_of_the_environment(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{receiver.port}")

    assert post(channel("http://hooks.invalid/x")) == DELIVERED
    assert receiver.got[0].target == "http://hooks.invalid/x"
    assert receiver.got[0].headers["host"] == "hooks.invalid"


def test_no_proxy_is_heard(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    assert post(channel(receiver.url)) == DELIVERED


def test_secure_webhooks_go_through_a_tunnel(
    secure_receiver: Receiver, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trust(authority, tmp_path, monkeypatch)

    with tunnel_to(secure_receiver.port) as (port, asked):
        monkeypatch.setenv("https_proxy", f"user:word@127.0.0.1:{port}")
        outcome = post(channel("https://localhost/x"))

    assert outcome == DELIVERED
    assert asked[0].startswith(b"CONNECT localhost:443 HTTP/1.")
    assert b"Basic dXNlcjp3b3Jk" in asked[0]
    assert json.loads(secure_receiver.got[0].body)["type"] == "budget.warning"


def test_a_system_without_certificates_is_a_problem_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(tmp_path / "empty.pem"))

    assert post(channel("https://127.0.0.1:1/"), now=datetime.now(UTC)).state == "pending"
