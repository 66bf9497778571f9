"""What a budget's mark changes in a request arrives at the provider, whatever SDK sends it, and what cannot is said."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import anthropic
import openai
import pytest

from otel_llmcost.adapters.changes import Applied
from otel_llmcost.instrumentation import contain, shaping
from tests.instrumentation.conftest import Process, Start
from tests.replay.changing import changing, the_charge
from tests.replay.server import ReplayServer, Reply, as_json, as_sse

CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "What is a fjord?"}]}
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
SAID = {"role": "assistant", "content": "A narrow arm of the sea."}
needs_responses = pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this openai has no Responses API")


@pytest.fixture
def replay():
    with ReplayServer() as server:
        yield server


def answer(model: str) -> Reply:
    choice = {"index": 0, "message": SAID, "finish_reason": "stop"}
    return as_json(
        {"id": "c-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": USAGE}
    )


def events(model: str) -> Reply:
    base = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    choice = {"index": 0, "delta": SAID, "finish_reason": "stop"}
    return as_sse([{**base, "choices": [choice]}, {**base, "choices": [], "usage": USAGE}], done=True)


def rejected(status: int = 400, message: str = "no") -> Reply:
    return as_json({"error": {"message": message, "type": "invalid_request_error"}}, status=status)


def chat(replay: ReplayServer, **asked: Any) -> Any:
    with openai.OpenAI(base_url=f"{replay.url}/v1", api_key="k", max_retries=1) as client:
        found = client.chat.completions.create(**CHAT, **asked)
        return list(found) if asked.get("stream") else found


def achat(replay: ReplayServer, **asked: Any) -> Any:
    async def ask() -> Any:
        async with openai.AsyncOpenAI(base_url=f"{replay.url}/v1", api_key="k", max_retries=1) as client:
            found = await client.chat.completions.create(**CHAT, **asked)
            return [each async for each in found] if asked.get("stream") else found

    return asyncio.run(ask())


@pytest.fixture(params=[chat, achat])
def ask(request):
    return request.param


def actions(process: Process) -> list[str]:
    """Return the words in which the ledger tells what was done."""
    return list(the_charge(process).actions)


def test_another_model_and_a_cap_arrive_and_the_model_that_served_is_paid(start: Start, replay: ReplayServer, ask: Any):
    """gpt-4o-mini: 1,000 at 0.15 and 100 at 0.60 per million."""
    process = changing(start, cap=50, route={"gpt-4o": "gpt-4o-mini"})
    replay.replies = [answer("gpt-4o-mini")]

    ask(replay, model="gpt-4o", temperature=0.5)

    assert replay.received[0].json == {**CHAT, "model": "gpt-4o-mini", "max_tokens": 50, "temperature": 0.5}
    assert the_charge(process).cost_nano == 210_000
    assert actions(process) == ["cap 50: b at 50%", "route gpt-4o to gpt-4o-mini: b at 50%"]
    assert process.runtime.tracing.meters.actions == {("b", "cap"): 1, ("b", "route"): 1}


def test_so_they_do_with_a_stream_that_is_asked_for_its_usage(start: Start, replay: ReplayServer, ask: Any):
    process = changing(start, cap=50, route={"gpt-4o": "gpt-5-mini"})
    replay.replies = [events("gpt-5-mini")]

    found = ask(replay, model="gpt-4o", stream=True, max_tokens=900)

    body = replay.received[0].json
    assert (body["model"], body["max_completion_tokens"]) == ("gpt-5-mini", 50)
    assert "max_tokens" not in body
    assert body["stream_options"] == {"include_usage": True}
    assert len(found) == 1
    assert the_charge(process).status == "confirmed"


def test_a_repeated_attempt_is_changed_too(start: Start, replay: ReplayServer, ask: Any):
    changing(start, cap=50, route={"gpt-4o": "gpt-4o-mini"})
    busy = as_json({"error": {"message": "busy"}}, status=503, headers=(("retry-after-ms", "1"),))
    replay.replies = [busy, answer("gpt-4o-mini")]

    ask(replay, model="gpt-4o")

    first, second = replay.received
    assert first.json == second.json == {**CHAT, "model": "gpt-4o-mini", "max_tokens": 50}


def test_who_asks_for_less_gets_less_and_nothing_was_done(start: Start, replay: ReplayServer, ask: Any):
    process = changing(start, cap=50)
    replay.replies = [answer("gpt-4o")]

    ask(replay, model="gpt-4o", max_tokens=20)

    assert replay.received[0].json["max_tokens"] == 20
    assert actions(process) == []


def test_the_fields_that_the_program_gave_stay_its_own(start: Start, replay: ReplayServer):
    """What is beside the SDK's own arguments is overlaid on them as it is sent, and so must be changed too."""
    changing(start, cap=50)
    replay.replies = [answer("gpt-4o")] * 2
    given = {"max_tokens": 900, "user_tier": {"a": 1}}

    chat(replay, model="gpt-4o", max_tokens=700, extra_body=given)

    assert given == {"max_tokens": 900, "user_tier": {"a": 1}}
    assert replay.received[0].json == {**CHAT, "model": "gpt-4o", "max_tokens": 50, "user_tier": {"a": 1}}


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_change_that_the_server_rejects_is_taken_back_and_not_tried_again_at_once(
    start: Start, replay: ReplayServer, ask: Any, status: int
):
    """A misspelt model in the operator's file must break no call, nor send each twice."""
    process = changing(start, route={"gpt-4o": "gpt-4o-mimi"})
    replay.replies = [rejected(status), answer("gpt-4o")]

    ask(replay, model="gpt-4o")
    assert [each.json["model"] for each in replay.received] == ["gpt-4o-mimi", "gpt-4o"]
    assert actions(process) == ["route gpt-4o to gpt-4o-mimi: b at 50% (not possible)"]
    assert process.runtime.tracing.meters.actions == {}

    replay.replies = [answer("gpt-4o")]
    ask(replay, model="gpt-4o")
    assert replay.received[-1].json["model"] == "gpt-4o"
    assert len(replay.received) == 3


def test_after_a_while_it_is_tried_again(start: Start, replay: ReplayServer, ask: Any):
    """What was rejected may have been the one request."""
    process = changing(start, cap=50)
    replay.replies = [rejected(), answer("gpt-4o"), answer("gpt-4o")]
    ask(replay, model="gpt-4o")

    process.runtime.driver.now = lambda: datetime.now(UTC) + timedelta(minutes=5)
    ask(replay, model="gpt-4o")

    assert [each.json.get("max_tokens") for each in replay.received] == [50, None, 50]


def test_what_is_wrong_without_the_change_too_is_the_program_s_to_hear(start: Start, replay: ReplayServer, ask: Any):
    """And the change is tried again with the next request."""
    changing(start, cap=50)
    replay.replies = [rejected(), rejected(message="the context is too long"), answer("gpt-4o")]

    with pytest.raises(openai.BadRequestError, match="the context is too long"):
        ask(replay, model="gpt-4o")
    ask(replay, model="gpt-4o")

    assert replay.received[-1].json["max_tokens"] == 50


def test_a_server_that_knows_no_usage_of_streams_gets_the_change_without(start: Start, replay: ReplayServer, ask: Any):
    changing(start, cap=50)
    replay.replies = [rejected(message="stream_options is unknown"), events("gpt-4o")]

    ask(replay, model="gpt-4o", stream=True)

    first, second = replay.received
    assert first.json["stream_options"] == {"include_usage": True}
    assert second.json == {**CHAT, "model": "gpt-4o", "max_tokens": 50, "stream": True}


def test_a_server_that_knows_neither_gets_what_the_program_wrote(start: Start, replay: ReplayServer, ask: Any):
    process = changing(start, cap=50)
    replay.replies = [rejected(), rejected(message="stream_options"), rejected(message="max_tokens"), events("gpt-4o")]

    ask(replay, model="gpt-4o", stream=True)

    assert replay.received[-1].json == {**CHAT, "model": "gpt-4o", "stream": True}
    assert actions(process) == ["cap 50: b at 50% (not possible)"]


@pytest.mark.parametrize("deployment", [None, "large"])
def test_azure_is_asked_for_another_deployment(start: Start, replay: ReplayServer, deployment: str | None):
    """Its URL names the model, be it that the client knows it or the call."""
    process = changing(start, cap=50, route={"large": "small"})
    replay.replies = [answer("gpt-4o-mini-2024-07-18")]
    known = {} if deployment is None else {"azure_deployment": deployment}

    with openai.AzureOpenAI(azure_endpoint=replay.url, api_key="k", api_version="2024-10-21", **known) as client:
        client.chat.completions.create(model="large", **CHAT)

    assert replay.received[0].path == "/openai/deployments/small/chat/completions?api-version=2024-10-21"
    assert replay.received[0].json["max_tokens"] == 50
    assert actions(process) == ["cap 50: b at 50%", "route large to small: b at 50%"]


@needs_responses
def test_responses_have_a_name_of_their_own_for_it(start: Start, replay: ReplayServer):
    process = changing(start, cap=50, route={"gpt-5": "gpt-5-nano"})
    usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    replay.replies = [as_json({"id": "r-1", "object": "response", "model": "gpt-5-nano", "output": [], "usage": usage})]

    with openai.OpenAI(base_url=replay.url, api_key="k") as client:
        client.responses.create(model="gpt-5", input="What is a fjord?", max_output_tokens=4000)

    assert replay.received[0].json == {"model": "gpt-5-nano", "input": "What is a fjord?", "max_output_tokens": 50}
    assert len(actions(process)) == 2


def test_embeddings_take_another_model_and_need_no_cap(start: Start, replay: ReplayServer):
    process = changing(start, cap=50, route={"*-large": "text-embedding-3-small"})
    found = {"object": "embedding", "index": 0, "embedding": [0.5]}
    replay.replies = [as_json({"data": [found], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 9}})]

    with openai.OpenAI(base_url=replay.url, api_key="k") as client:
        client.embeddings.create(model="text-embedding-3-large", input="fjord", encoding_format="float")

    assert replay.received[0].json["model"] == "text-embedding-3-small"
    assert actions(process) == ["route text-embedding-3-large to text-embedding-3-small: b at 50%"]


def test_a_cap_where_none_can_be_said_is_told_to_be_impossible(start: Start, replay: ReplayServer):
    process = changing(start, cap=50)
    replay.replies = [
        as_json({"id": "t", "object": "text_completion", "created": 1, "model": "m", "choices": [], "usage": USAGE})
    ]

    with openai.OpenAI(base_url=replay.url, api_key="k") as client:
        client.completions.create(model="davinci-002", prompt="What is a fjord?")

    assert "max_tokens" not in replay.received[0].json
    assert actions(process) == ["cap 50: b at 50% (not possible)"]


CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-4-5",
    "content": [{"type": "text", "text": "A narrow arm of the sea."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1000, "output_tokens": 100},
}


def test_claude_s_thinking_stays_below_its_cap(start: Start, replay: ReplayServer):
    """Haiku 4.5: 1,000 at 1 and 100 at 5 per million."""
    process = changing(start, cap=2048, route={"claude-opus-*": "claude-haiku-4-5"})
    replay.replies = [as_json(CLAUDE)]
    thinking = {"type": "enabled", "budget_tokens": 6000}

    with anthropic.Anthropic(base_url=replay.url, api_key="k") as client:
        client.messages.create(model="claude-opus-4-5", max_tokens=8192, **CHAT, extra_body={"thinking": thinking})

    body = replay.received[0].json
    assert (body["model"], body["max_tokens"]) == ("claude-haiku-4-5", 2048)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 1500}
    assert the_charge(process).cost_nano == 1_500_000


def test_a_fault_of_ours_lets_the_request_out_as_it_was_made(
    start: Start, replay: ReplayServer, ask: Any, monkeypatch: pytest.MonkeyPatch
):
    process = changing(start, cap=50)
    replay.replies = [answer("gpt-4o")]
    monkeypatch.setattr(contain, "reraise", False)

    def breaks(*_: Any) -> Applied:
        raise ZeroDivisionError

    monkeypatch.setattr(shaping, "apply", breaks)
    ask(replay, model="gpt-4o")

    assert replay.received[0].json == {**CHAT, "model": "gpt-4o"}
    assert actions(process) == ["cap 50: b at 50% (not possible)"]
    contain.seen.clear()


httpx = [
    import_module(name)
    for name in ("httpx", "httpx2")
    if name == "httpx" or int(openai.__version__.partition(".")[0]) > 2
]
URL = "/v1/chat/completions"
SIGNED = {"content-digest": "sha-256=:x:"}


def by_hand(module: Any, url: str, **sent: Any) -> Any:
    with module.Client() as client:
        return client.post(url, **sent)


def aby_hand(module: Any, url: str, **sent: Any) -> Any:
    async def ask() -> Any:
        async with module.AsyncClient() as client:
            return await client.post(url, **sent)

    return asyncio.run(ask())


@pytest.mark.parametrize("post", [by_hand, aby_hand])
@pytest.mark.parametrize("module", httpx)
def test_what_is_sent_by_hand_is_written_anew_with_its_length(
    start: Start, replay: ReplayServer, module: Any, post: Any
):
    process = changing(start, cap=50, route={"gpt-4o": "gpt-4o-mini"})
    replay.replies = [answer("gpt-4o-mini")]

    post(module, f"{replay.url}{URL}?a=b", json={**CHAT, "model": "gpt-4o"}, headers={"x-mine": "1"})

    (received,) = replay.received
    assert received.json == {**CHAT, "model": "gpt-4o-mini", "max_tokens": 50}
    assert int(received.headers["content-length"]) == len(received.body)
    assert (received.path, received.headers["x-mine"]) == (f"{URL}?a=b", "1")
    assert the_charge(process).cost_nano == 210_000


@pytest.mark.parametrize("post", [by_hand, aby_hand])
def test_what_is_sent_by_hand_is_sent_as_it_was_where_the_change_is_rejected(
    start: Start, replay: ReplayServer, post: Any
):
    process = changing(start, cap=50)
    replay.replies = [rejected(404), answer("gpt-4o")]

    found = post(httpx[0], replay.url + URL, json={**CHAT, "model": "gpt-4o"})

    assert found.status_code == 200
    assert replay.received[1].json == {**CHAT, "model": "gpt-4o"}
    assert actions(process) == ["cap 50: b at 50% (not possible)"]


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "AWS4-HMAC-SHA256 Credential=AKID"},
        SIGNED,
        {"Signature": "sig1=:x:"},
    ],
)
def test_what_is_signed_is_not_touched(start: Start, replay: ReplayServer, headers: dict[str, str]):
    """It would be rejected."""
    process = changing(start, cap=50)
    replay.replies = [answer("gpt-4o")]

    by_hand(httpx[0], replay.url + URL, content=json.dumps({**CHAT, "model": "gpt-4o"}), headers=headers)

    assert "max_tokens" not in replay.received[0].json
    assert actions(process) == ["cap 50: b at 50% (not possible)"]


@pytest.mark.parametrize("post", [by_hand, aby_hand])
def test_a_model_in_a_url_is_exchanged_even_beside_a_body_that_is_not_read(
    start: Start, replay: ReplayServer, post: Any
):
    """The cap is not: nobody knows what the body says."""
    process = changing(start, cap=50, route={"gemini-2.5-pro": "gemini-2.5-flash"})
    usage = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}
    replay.replies = [as_json({"candidates": [], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"})]
    path = "/v1beta/models/{}:generateContent?key=a%2Fb"

    post(
        httpx[0],
        replay.url + path.format("gemini-2.5-pro"),
        content=b"\x1f\x8b...",
        headers={"content-encoding": "gzip"},
    )

    (received,) = replay.received
    assert (received.path, received.body) == (path.format("gemini-2.5-flash"), b"\x1f\x8b...")
    assert actions(process) == [
        "cap 50: b at 50% (not possible)",
        "route gemini-2.5-pro to gemini-2.5-flash: b at 50%",
    ]


def streamed_by_hand(url: str, body: dict[str, Any]) -> bytes:
    with httpx[0].Client() as client, client.stream("POST", url, json=body) as found:
        return bytes(found.read())


def astreamed_by_hand(url: str, body: dict[str, Any]) -> bytes:
    async def ask() -> bytes:
        async with httpx[0].AsyncClient() as client, client.stream("POST", url, json=body) as found:
            return bytes(await found.aread())

    return asyncio.run(ask())


@pytest.mark.parametrize("post", [streamed_by_hand, astreamed_by_hand])
def test_of_a_stream_by_hand_only_that_is_taken_back_which_is_rejected(start: Start, replay: ReplayServer, post: Any):
    """First the question for its usage, then the change."""
    process = changing(start, cap=50)
    asked = {**CHAT, "model": "gpt-4o", "stream": True}
    replay.replies = [rejected(message="stream_options"), rejected(message="max_tokens"), events("gpt-4o")]

    assert b"[DONE]" in post(replay.url + URL, asked)

    first, second, third = [each.json for each in replay.received]
    assert first == {**asked, "max_tokens": 50, "stream_options": {"include_usage": True}}
    assert second == {**asked, "max_tokens": 50}
    assert third == asked
    assert actions(process) == ["cap 50: b at 50% (not possible)"]


@pytest.mark.parametrize("post", [streamed_by_hand, astreamed_by_hand])
def test_an_error_that_has_nothing_to_do_with_us_is_the_program_s(start: Start, replay: ReplayServer, post: Any):
    start()
    replay.replies = [rejected(message="no such model")]

    assert b"no such model" in post(replay.url + URL, {**CHAT, "model": "gpt-9", "stream": True})
    assert len(replay.received) == 1


def test_nor_is_its_usage_asked_for(start: Start, replay: ReplayServer):
    """A signed request for a stream stays what it is too."""
    start()
    replay.replies = [events("gpt-4o")]
    body = json.dumps({**CHAT, "model": "gpt-4o", "stream": True})

    with httpx[0].Client() as client, client.stream("POST", replay.url + URL, content=body, headers=SIGNED) as found:
        found.read()

    assert replay.received[0].body == body.encode()


def pieces() -> Any:
    yield b'{"contents": []}'


def test_what_is_read_as_it_is_sent_is_not_touched(start: Start, replay: ReplayServer):
    """It could not be sent again."""
    process = changing(start, route={"gemini-2.5-pro": "gemini-2.5-flash"})
    replay.replies = [as_json({"usageMetadata": {"promptTokenCount": 1000}})]
    path = "/v1beta/models/gemini-2.5-pro:generateContent"

    by_hand(httpx[0], replay.url + path, content=pieces())

    assert replay.received[0].path == path
    assert actions(process) == ["route gemini-2.5-pro to gemini-2.5-flash: b at 50% (not possible)"]
