"""What a budget's mark changes in litellm's requests, on the way by which each leaves."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.instrumentation.conftest import Start
from tests.litellm.conftest import STREAMS, WHOLE, Call
from tests.litellm.routes import CLAUDE, CLAUDE_EVENTS, ROUTES
from tests.litellm.test_native import MESSAGES, asked, native
from tests.replay.changing import changing, the_charge
from tests.replay.server import Received, ReplayServer, as_json

__all__ = ["native"]

CAPS = {
    "anthropic": ("max_tokens",),
    "gemini": ("generationConfig", "max_output_tokens"),
    "cohere": ("max_tokens",),
    "ollama": ("options", "num_predict"),
}
SIGNED = "bedrock"
"""Signed by litellm before it comes to its HTTP client."""


def cap_of(received: Received, route: str) -> Any:
    found = received.json
    for name in CAPS.get(route, ("max_tokens",)):
        found = found[name]
    return found


@pytest.mark.parametrize("call", WHOLE)
@pytest.mark.parametrize("route", [name for name in ROUTES if name != SIGNED])
def test_another_model_and_a_cap_arrive(start: Start, replay: ReplayServer, route: str, call: Call):
    process = changing(start, cap=50, route={"*": "another-model"})
    replay.replies = [ROUTES[route].whole]

    call("completion", **ROUTES[route].arguments(replay.url), max_tokens=900)

    (received,) = replay.received
    assert "another-model" in (received.path if route in ("azure", "gemini") else received.json["model"])
    assert cap_of(received, route) == 50
    assert len(the_charge(process).actions) == 2


@pytest.mark.parametrize("call", STREAMS)
def test_so_they_do_with_a_stream(start: Start, replay: ReplayServer, call: Call):
    process = changing(start, cap=50, route={"*": "claude-haiku-4-5"})
    replay.replies = [CLAUDE_EVENTS]

    call("completion", **ROUTES["anthropic"].arguments(replay.url), max_tokens=900)

    assert replay.received[0].json["model"] == "claude-haiku-4-5"
    assert replay.received[0].json["max_tokens"] == 50
    assert len(the_charge(process).actions) == 2


@pytest.mark.parametrize("call", WHOLE)
def test_what_it_signed_is_not_touched(start: Start, replay: ReplayServer, call: Call):
    process = changing(start, cap=50)
    replay.replies = [ROUTES[SIGNED].whole]

    call("completion", **ROUTES[SIGNED].arguments(replay.url), max_tokens=900)

    assert replay.received[0].json["inferenceConfig"]["maxTokens"] == 900
    assert the_charge(process).actions == ("cap 50: b at 50% (not possible)",)


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("call", MESSAGES)
def test_the_native_route_is_changed_too(start: Start, replay: ReplayServer, call: Any):
    """It names the provider before the model, and so it must be named for the other."""
    process = changing(start, cap=50, route={"*": "claude-haiku-4-5"})
    replay.replies = [as_json({**CLAUDE, "model": "claude-haiku-4-5"})]

    call(**asked(replay))

    assert replay.received[0].json["model"] == "claude-haiku-4-5"
    assert replay.received[0].json["max_tokens"] == 50
    assert len(the_charge(process).actions) == 2


@pytest.mark.usefixtures("native")
@pytest.mark.parametrize("call", MESSAGES)
def test_what_is_rejected_there_is_sent_as_it_was(start: Start, replay: ReplayServer, call: Any):
    process = changing(start, cap=50)
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    replay.replies = [as_json(error, status=400), as_json(CLAUDE)]

    call(**asked(replay))

    assert [json.loads(each.body)["max_tokens"] for each in replay.received] == [50, 200]
    assert the_charge(process).actions == ("cap 50: b at 50% (not possible)",)
