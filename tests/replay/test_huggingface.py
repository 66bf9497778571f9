"""huggingface-hub against its router, the providers behind it, and the tasks of its own servers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Start
from tests.replay.exchange import Expected, check, told
from tests.replay.server import ReplayServer, Reply, as_json, as_sse
from tests.replay.twice import run, twice

Ask = Callable[..., Any]
HELLO = [{"role": "user", "content": "What is a fjord?"}]
TEXT = "Ein Fjord ist ein schmaler Meeresarm."
MODEL = "deepseek-ai/DeepSeek-V3:together"
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


def sync(url: str, name: str, **asked: Any) -> Any:
    with InferenceClient(base_url=url, token="hf_k") as opened:
        found = getattr(opened, name)(**asked)
        return list(found) if isinstance(found, Iterator) else found


def asynchronous(url: str, name: str, **asked: Any) -> Any:
    async def ask() -> Any:
        async with AsyncInferenceClient(base_url=url, token="hf_k") as opened:
            found = await getattr(opened, name)(**asked)
            return [each async for each in found] if isinstance(found, AsyncIterator) else found

    return run(ask)


@pytest.fixture(params=[sync, asynchronous])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


def answer(usage: Any = USAGE) -> dict[str, Any]:
    said = {"role": "assistant", "content": TEXT, "tool_calls": None}
    return {
        "id": "oEtr1",
        "object": "chat.completion",
        "created": 1789000000,
        "model": "deepseek-ai/DeepSeek-V3",
        "choices": [{"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}],
        "usage": usage,
        "system_fingerprint": None,
    }


def spoken(*pieces: str, usage: Any = USAGE) -> list[dict[str, Any]]:
    base = {"id": "oEtr1", "object": "chat.completion.chunk", "created": 1789000000, "model": "deepseek-ai/DeepSeek-V3"}
    said = [{"index": 0, "delta": {"role": "assistant", "content": each}, "finish_reason": None} for each in pieces]
    last = {"choices": [], "usage": usage}
    return [*(base | {"choices": [each]} for each in said), *([base | last] if usage is not None else [])]


def expected(**more: Any) -> Expected:
    return Expected(
        provider="huggingface",
        model=more.pop("model", MODEL),
        usage={"input_tokens": 1000, "output_tokens": 100},
        cost_usd=more.pop("cost_usd", "0.001375"),  # 1100 x 1.25 per million, as together sells it there
        response_id="oEtr1",
        **more,
    )


SAID: dict[str, Any] = {"model": MODEL, "messages": HELLO}
ANY: dict[str, Any] = {"model": "deepseek-ai/DeepSeek-V3", "messages": HELLO}
UNKNOWN = {"model": "deepseek-ai/DeepSeek-V3", "cost_usd": None, "status": "unpriced"}


@pytest.mark.parametrize(
    ("path", "asked", "must"),
    [
        pytest.param("/v1", SAID, expected(), id="the seller is named with the model"),
        pytest.param("/v1", ANY, expected(**UNKNOWN), id="who sells it is not known"),
        pytest.param("/together/v1", ANY, expected(), id="the seller is named in the path"),
        pytest.param(
            "/groq/openai/v1",
            ANY | {"model": "openai/gpt-oss-120b"},
            expected(model="openai/gpt-oss-120b:groq", cost_usd="0.000225"),
            id="the seller has a path of its own",
        ),  # 1000 x 0.15 + 100 x 0.75
    ],
)
def test_an_answer_is_charged_once(
    start: Start, replay: ReplayServer, ask: Ask, path: str, asked: dict[str, Any], must: Expected
):
    body = answer() | ({} if must.cost_usd is None or must.model == MODEL else {"model": "openai/gpt-oss-120b"})

    process = twice(start, replay, [as_json(body)], lambda: ask(replay.url + path, "chat_completion", **asked))

    check(process.charge, must)
    (span,) = process.spans
    assert told(span)["gen_ai.provider.name"] == "huggingface"
    assert told(span)["gen_ai.usage.output_tokens"] == 100


def test_a_stream_is_asked_for_its_usage_which_stays_hidden(start: Start, replay: ReplayServer, ask: Ask):
    """Without us it is not asked for it, and shows none: with us it must look just the same."""
    process = start()
    replay.replies = [as_sse(spoken("Ein Fjord ", "ist ein Meeresarm."), done=True)]

    found = ask(f"{replay.url}/v1", "chat_completion", **SAID, stream=True)

    assert replay.received[0].json["stream_options"] == {"include_usage": True}
    assert [type(each).__name__ for each in found] == ["ChatCompletionStreamOutput"] * 2
    assert not any(each.usage for each in found)
    check(process.charge, expected())


def test_a_stream_that_is_asked_for_its_usage_by_the_program_shows_it(start: Start, replay: ReplayServer, ask: Ask):
    asked = SAID | {"stream": True, "stream_options": {"include_usage": True}}
    reply = as_sse(spoken("Ein Fjord ", "ist ein Meeresarm."), done=True)

    process = twice(start, replay, [reply], lambda: ask(f"{replay.url}/v1", "chat_completion", **asked))

    check(process.charge, expected())


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("status", [401, 404, 422, 429, 500, 529])
def test_an_error_is_no_charge_but_a_span(
    start: Start, replay: ReplayServer, ask: Ask, status: int, *, is_stream: bool
):
    process = start()
    replay.replies = [as_json({"error": "no"}, status=status)]

    with pytest.raises(Exception, match=r"."):
        ask(f"{replay.url}/v1", "chat_completion", **SAID, stream=is_stream)

    assert process.charges == []
    (span,) = process.spans
    assert told(span)["error.type"] == str(status)


def test_a_cut_connection_is_charged_for_what_came(start: Start, replay: ReplayServer, ask: Ask):
    process = start()
    reply = as_sse(spoken(*[TEXT] * 9), done=True)
    replay.replies = [Reply(content_type=reply.content_type, body=reply.body, breaks_after=len(reply.body) - 300)]

    with pytest.raises(Exception, match=r"."):
        ask(f"{replay.url}/v1", "chat_completion", **SAID, stream=True)

    assert (process.charge.status, process.charge.method) == ("estimated", "stream-ended-early")
    assert process.charge.usage.output_tokens >= 40


def test_a_refusal_reaches_the_program_and_nothing_is_sent(start: Start, replay: ReplayServer, ask: Ask):
    process = start('[[budget]]\nname = "b"\nlimit = 0\nwindow = "day"\n')

    for is_stream in (False, True):
        with pytest.raises(BudgetExceededError):
            ask(f"{replay.url}/v1", "chat_completion", **SAID, stream=is_stream)

    assert replay.received == []
    assert process.charges == []


def test_tasks_of_its_own_servers_have_no_price_but_are_told(start: Start, replay: ReplayServer, ask: Ask):
    url = f"{replay.url}/hf-inference/models/intfloat/e5-large/pipeline/feature-extraction"
    reply = as_json([[0.1, 0.2], [0.3, 0.4]])

    process = twice(start, replay, [reply], lambda: ask(url, "feature_extraction", text="What is a fjord?"))

    charge = process.charge
    assert (charge.operation, charge.requested_model, charge.cost_nano) == ("embeddings", "intfloat/e5-large", None)
    assert len(process.spans) == 1


def test_text_is_generated(start: Start, replay: ReplayServer, ask: Ask):
    url = f"{replay.url}/hf-inference/models/bigcode/starcoder2-3b"
    body = [{"generated_text": TEXT, "details": {"finish_reason": "length", "generated_tokens": 20, "prefill": []}}]

    process = twice(start, replay, [as_json(body)], lambda: ask(url, "text_generation", prompt="What?", details=True))

    charge = process.charge
    assert (charge.operation, charge.requested_model, charge.cost_nano) == (
        "text_completion",
        "bigcode/starcoder2-3b",
        None,
    )
    assert charge.usage.output_tokens == 20
