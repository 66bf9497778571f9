"""The example receiver: believes what is rightly signed, and nothing else."""

import base64
import hashlib
import hmac
import http.client
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from examples.webhook_receiver import RejectedError, WebhookReceiver, describe, secret_key, verify

KEY = b"32 bytes that nobody else knows!"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
ROOT = Path(__file__).parents[2]
ALERT: dict[str, Any] = {
    "type": "budget.warning",
    "timestamp": "2026-11-22T10:00:00Z",
    "data": {
        "budget": "research-daily",
        "scope": "user=ada",
        "window": {"start": "2026-11-22T00:00:00Z", "end": "2026-11-23T00:00:00Z"},
        "level": "warning",
        "share": 0.75,
        "spent_usd": 0.0075,
        "limit_usd": 0.01,
        "remaining_usd": 0.0025,
        "projected_usd": 0.018,
        "top": [{"agent": "writer", "cost_usd": 0.005}],
        "trace_id": None,
    },
}
FROM_ALERTMANAGER = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {"status": "firing", "labels": {"alertname": "BudgetWarning"}, "annotations": {"summary": "75 % spent"}},
        {"status": "resolved", "labels": {"alertname": "Unpriced"}, "annotations": {}},
    ],
}


def signed(body: bytes, message_id: str = "msg_1", at: float | None = None, key: bytes = KEY) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(key, b".".join([message_id.encode(), stamp.encode(), body]), hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def post(port: int, path: str, body: bytes, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_published_example_of_the_scheme_is_believed() -> None:
    """Secret, message and signature as the Standard Webhooks reference libraries have them in their tests."""
    headers = {
        "Webhook-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    key = secret_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    assert verify(key, headers, b'{"test": 2432232314}', now=1614265330) == headers["Webhook-Id"]


def test_a_signed_alert_is_taken_once_however_often_it_comes() -> None:
    body = json.dumps(ALERT).encode()
    with WebhookReceiver(SECRET) as receiver:
        answers = [post(receiver.port, "/llmcost", body, signed(body)) for _ in range(2)]
        receiver.wait_for(1)

        assert answers == [200, 200]
        assert receiver.alerts == [ALERT]
        assert [entry["is_repeat"] for entry in receiver.entries] == [False, True]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="unsigned"),
        pytest.param(signed(b"{}", key=b"somebody else's key"), id="another-key"),
        pytest.param(signed(b'{"a": 1}'), id="another-body"),
        pytest.param(signed(b"{}", at=time.time() - 3600), id="an-hour-old"),
        pytest.param(signed(b"{}", at=time.time() + 3600), id="an-hour-ahead"),
        pytest.param(signed(b"{}") | {"webhook-id": "msg_2"}, id="another-id"),
        pytest.param(signed(b"{}") | {"webhook-timestamp": "soon"}, id="no-timestamp"),
    ],
)
def test_what_is_not_rightly_signed_is_refused(headers: dict[str, str]) -> None:
    with WebhookReceiver(SECRET) as receiver:
        assert post(receiver.port, "/llmcost", b"{}", headers) == 401
        assert receiver.alerts == []


def test_any_of_several_signatures_suffices() -> None:
    """A sender that changes its secret signs with the old and the new one for a while."""
    old, new = signed(b"{}", key=b"old key")["webhook-signature"], signed(b"{}")

    assert verify(KEY, new | {"webhook-signature": f"{old} {new['webhook-signature']}"}, b"{}", time.time()) == "msg_1"
    with pytest.raises(RejectedError):
        verify(KEY, new | {"webhook-signature": old}, b"{}", time.time())


def test_without_a_secret_no_signed_message_is_believed() -> None:
    with WebhookReceiver(None) as receiver:
        assert post(receiver.port, "/llmcost", b"{}", signed(b"{}")) == 401


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", base64.b64encode(KEY).decode()])
def test_a_secret_that_is_none_is_said_at_the_start_and_not_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="the webhook secret is not `whsec_` and base64 behind it"):
        WebhookReceiver(secret)


def test_the_first_messages_fail_when_told_to() -> None:
    body = json.dumps(ALERT).encode()
    with WebhookReceiver(SECRET, fail_first=2) as receiver:
        assert [post(receiver.port, "/llmcost", body, signed(body)) for _ in range(3)] == [500, 500, 200]
        assert receiver.alerts == [ALERT]


def test_alertmanagers_messages_need_no_signature() -> None:
    with WebhookReceiver(SECRET) as receiver:
        assert post(receiver.port, "/alertmanager", json.dumps(FROM_ALERTMANAGER).encode(), {}) == 200
        assert receiver.entries[0]["lines"] == ["firing: BudgetWarning  75 % spent", "resolved: Unpriced"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/elsewhere", b"{}", 404), ("/alertmanager", b"{", 400), ("/alertmanager", b"[]", 400)],
)
def test_what_is_no_alert_is_answered_with_an_error(path: str, body: bytes, status: int) -> None:
    with WebhookReceiver(SECRET) as receiver:
        assert post(receiver.port, path, body, {}) == status


def test_an_alert_is_said_in_one_line() -> None:
    refusal = ALERT | {"type": "budget.exceeded", "data": ALERT["data"] | {"refused": True, "requested_usd": 0.003}}
    notice = {"type": "store.failed", "timestamp": "2026-11-22T10:00:00Z", "data": {"message": "disk full"}}

    assert describe(ALERT) == [
        "budget.warning  research-daily user=ada  $0.007500 of $0.010000 (75%)  most by writer $0.005000"
    ]
    assert "a call of about $0.003000 was refused" in describe(refusal)[0]
    assert describe(notice) == ["store.failed  disk full"]


def test_waiting_for_alerts_that_never_come_is_an_error() -> None:
    with WebhookReceiver(SECRET) as receiver, pytest.raises(TimeoutError, match="0 of 1 alerts"):
        receiver.wait_for(1, timeout_seconds=0.01)


def test_the_program_prints_what_it_receives(tmp_path: Path) -> None:
    port_file, body = tmp_path / "port", json.dumps(ALERT).encode()
    command = [sys.executable, "examples/webhook_receiver.py", "--port", "0", "--port-file", str(port_file)]
    with subprocess.Popen([*command, "--secret", SECRET], cwd=ROOT, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        port = int(port_file.read_text())
        assert post(port, "/llmcost", body, signed(body)) == 200
        assert post(port, "/llmcost", body, {}) == 401
        lines = [process.stdout.readline() for _ in range(2)]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/_log")
        entries = json.loads(connection.getresponse().read())
        connection.close()
        process.send_signal(signal.SIGTERM)

    assert said == f"receiving alerts on http://127.0.0.1:{port}/llmcost\n"
    assert "budget.warning  research-daily" in lines[0]
    assert "refused with 401: header missing" in lines[1]
    assert [entry["status"] for entry in entries] == [200, 401]
    assert process.returncode == 0
