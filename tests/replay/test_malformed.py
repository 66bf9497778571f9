"""A provider, or what stands before it, may answer anything: the program reads it as it is, and no charge is lost."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.instrumentation.conftest import Start
from tests.replay.server import ReplayServer, as_json, as_sse
from tests.replay.test_openai_compatible import ANSWER, BODY

PIECE = {
    "id": "chatcmpl-9f2",
    "object": "chat.completion.chunk",
    "created": 1789000000,
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}],
}
USAGES = [
    pytest.param({"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": float("inf")}, 8, id="endless-total"),
    pytest.param({"prompt_tokens": float("nan"), "total_tokens": float("nan")}, None, id="not-a-number"),
    pytest.param({"prompt_tokens": 10**30, "completion_tokens": 3}, 3, id="more-than-any-store-holds"),
    pytest.param({"prompt_tokens": -5, "completion_tokens": 3}, 3, id="less-than-nothing"),
    pytest.param({"prompt_tokens": {"text": 1}, "completion_tokens": True}, None, id="no-numbers"),
    pytest.param({"prompt_tokens": 5, "completion_tokens": 3, "cost": 1e300}, 8, id="a-cost-beyond-belief"),
    pytest.param({"prompt_tokens": 5, "completion_tokens": 3, "cost": {"total": [1]}}, 8, id="a-cost-that-is-none"),
]


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize(("usage", "tokens"), USAGES)
def test_what_makes_no_sense_is_not_counted(start: Start, replay: ReplayServer, store: str, usage: Any, tokens: Any):
    """What makes sense beside it is; where nothing does, the call is estimated."""
    process = start(store=store)
    whole = {**ANSWER, "usage": usage}
    replay.replies = [as_json(whole), as_sse([PIECE, {**PIECE, "choices": [], "usage": usage}], done=True)]

    answer = httpx.post(f"{replay.url}/v1/chat/completions", json=BODY)
    with httpx.stream("POST", f"{replay.url}/v1/chat/completions", json={**BODY, "stream": True}) as stream:
        read = "".join(stream.iter_text())

    assert answer.text == json.dumps(whole)
    assert read == as_sse([PIECE], done=True).body.decode()
    assert len(process.charges) == 2
    for charge in process.charges:
        counted = charge.usage.input_tokens + charge.usage.output_tokens
        assert (charge.status, counted) == ("confirmed", tokens) if tokens else charge.status == "estimated"
        assert charge.cost_nano
    assert process.runtime.writer.lost == 0
