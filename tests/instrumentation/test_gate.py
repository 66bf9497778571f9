"""The gate before HTTP clients lets a request through whatever goes wrong with it."""

from __future__ import annotations

import pytest

from otel_llmcost.instrumentation import contain, gate


@pytest.fixture(autouse=True)
def faults_are_logged(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(contain, "reraise", False)
    yield
    contain.seen.clear()


def test_a_request_that_cannot_be_looked_at_is_sent_all_the_same(caplog: pytest.LogCaptureFixture):
    """It may be of somebody's own making, without what ours have."""

    def target(_args: object, _kwargs: object) -> bytes:
        raise AttributeError("url")

    before = gate.gate("httpx", target, is_async=False)

    assert before(lambda request: f"sent {request}", None, ("it",), {}) == "sent it"
    assert "could not look at a request" in caplog.text


def test_a_request_is_sent_where_what_stands_behind_the_gate_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch):
    """As from a broken installation."""

    def broken(_name: str, *, is_async: bool) -> gate.Wrapper:
        raise ImportError("half of it is missing")

    monkeypatch.setattr(gate, "open_gate", broken)
    before = gate.gate("httpx", lambda _args, _kwargs: b"/v1/chat/completions", is_async=False)

    assert before(lambda request: f"sent {request}", None, ("it",), {}) == "sent it"
