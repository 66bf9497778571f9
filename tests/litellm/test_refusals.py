"""A refusal leaves litellm as what it is, and nothing that litellm does about failures is done about it."""

from __future__ import annotations

import asyncio
from typing import Any

import litellm
import pytest

from otel_llmcost import BudgetExceededError
from otel_llmcost.errors import RefusedError
from tests.instrumentation.conftest import Process, Start
from tests.litellm.conftest import STREAMS, WHOLE, Call, awaited, plain, streamed_async
from tests.litellm.routes import ASK, ROUTES, Route
from tests.replay.exchange import told
from tests.replay.server import ReplayServer, as_json

SPENT = '[[budget]]\nname = "b"\nlimit = 0.0000000001\nwindow = "day"\n'
PRICED = [pytest.param(route, id=name) for name, route in ROUTES.items() if route.expected.status != "unpriced"]


@pytest.fixture
def spent(start: Start) -> Process:
    return start(SPENT)


def check_refused(process: Process, replay: ReplayServer) -> None:
    assert replay.received == []
    assert process.charges == []
    (span,) = process.spans
    assert told(span)["llmcost.budget.decision"] == "refused"


@pytest.mark.parametrize("call", [*WHOLE, *STREAMS])
@pytest.mark.parametrize("route", PRICED)
def test_a_refusal_comes_out_whole(spent: Process, replay: ReplayServer, route: Route, call: Call):
    with pytest.raises(BudgetExceededError) as raised:
        call("completion", max_tokens=50, **route.arguments(replay.url))

    assert raised.value.budget == "b"
    check_refused(spent, replay)


@pytest.mark.parametrize("call", [*WHOLE, *STREAMS])
@pytest.mark.parametrize("more", [{"num_retries": 3}, {"fallbacks": ["openai/gpt-4o-mini"]}], ids=["retry", "fallback"])
def test_it_is_neither_tried_again_nor_elsewhere(spent: Process, replay: ReplayServer, call: Call, more: Any):
    with pytest.raises(BudgetExceededError):
        call("completion", **more, **ROUTES["openai"].arguments(replay.url))

    check_refused(spent, replay)


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "embedding": ("embedding", {"model": "openai/text-embedding-3-small", "input": ["x"] * 100}),
    "responses": ("responses", {"model": "openai/gpt-4o", "input": "x"}),
    "text-completion": (
        "text_completion",
        {"model": "text-completion-openai/gpt-3.5-turbo-instruct", "prompt": "x"},
    ),
    "rerank": ("rerank", {"model": "cohere/rerank-v3.5", "query": "x", "documents": ["a", "b"]}),
    "images": ("image_generation", {"model": "openai/gpt-image-1", "prompt": "a fjord"}),
    "speech": ("speech", {"model": "openai/tts-1", "input": "Hello", "voice": "alloy"}),
    "ocr-natively": (
        "ocr",
        {"model": "mistral/mistral-ocr-latest", "document": {"type": "document_url", "document_url": "https://x/a"}},
    ),
}


@pytest.mark.parametrize("call", WHOLE)
@pytest.mark.parametrize(("name", "asked"), OTHERS.values(), ids=OTHERS)
def test_so_it_is_for_whatever_litellm_does(spent: Process, replay: ReplayServer, name: str, asked: Any, call: Call):
    with pytest.raises(BudgetExceededError):
        call(name, api_base=f"{replay.url}/v1", api_key="k", **asked)

    check_refused(spent, replay)


@pytest.mark.parametrize("rust", ["0", "1"], ids=["python", "native"])
def test_so_it_is_for_anthropic_s_messages(spent: Process, replay: ReplayServer, monkeypatch: Any, rust: str):
    monkeypatch.setenv("LITELLM_RUST", rust)
    asked = {"model": "anthropic/claude-sonnet-4-5", "messages": ASK, "max_tokens": 50, "api_base": replay.url}

    with pytest.raises(BudgetExceededError):
        asyncio.run(litellm.anthropic_messages(api_key="k", **asked))

    check_refused(spent, replay)


def router(url: str) -> litellm.Router:
    deployments = [
        {"model_name": name, "litellm_params": {"model": f"openai/{model}", "api_base": f"{url}/v1", "api_key": "k"}}
        for name, model in (("first", "gpt-4o"), ("second", "gpt-4o-mini"))
    ]
    return litellm.Router(model_list=deployments, num_retries=2, fallbacks=[{"first": ["second"]}])


def test_a_router_lets_it_through_and_cools_nothing_down(spent: Process, replay: ReplayServer):
    asked = router(replay.url)

    for _ in range(3):
        with pytest.raises(BudgetExceededError):
            asked.completion(model="first", messages=ASK)

    assert replay.received == []
    assert len(asked.get_available_deployment(model="first", messages=ASK)) > 0


@pytest.mark.parametrize("stream", [False, True])
def test_so_does_its_asynchronous_side(spent: Process, replay: ReplayServer, stream: bool):
    with pytest.raises(BudgetExceededError):
        asyncio.run(router(replay.url).acompletion(model="first", messages=ASK, stream=stream))

    check_refused(spent, replay)


def test_a_router_s_fallback_is_one_charge_under_its_own_name(process: Process, replay: ReplayServer):
    failed = as_json({"error": {"message": "no"}}, status=401)
    replay.replies = [failed, ROUTES["openai"].whole, ROUTES["openai"].whole]

    router(replay.url).completion(model="first", messages=ASK)

    assert process.charge.requested_model in ("gpt-4o", "gpt-4o-mini")
    assert len(process.charges) == 1


def test_a_budget_for_one_model_leaves_others_alone(start: Start, replay: ReplayServer):
    process = start(SPENT + 'scope = { model = "gpt-4o" }\n')
    replay.replies = [ROUTES["mistral"].whole]

    with pytest.raises(BudgetExceededError):
        plain("completion", **ROUTES["openai"].arguments(replay.url))
    plain("completion", **ROUTES["mistral"].arguments(replay.url))

    assert process.charge.requested_model == "mistral-large-latest"


def test_a_later_error_is_not_taken_for_the_refusal_before_it(start: Start, replay: ReplayServer):
    start(SPENT + 'scope = { model = "gpt-4o" }\n')
    replay.replies = [as_json({"error": {"message": "no"}}, status=401)]

    def ask_one_then_the_other() -> None:
        try:
            plain("completion", **ROUTES["openai"].arguments(replay.url))
        except RefusedError:
            plain("completion", **ROUTES["mistral"].arguments(replay.url))

    with pytest.raises(litellm.AuthenticationError):
        ask_one_then_the_other()


def test_what_a_task_of_its_own_asks_is_refused_to_that_task(spent: Process, replay: ReplayServer):
    """A context that was copied inside litellm outlives the call: an ordinary error is what is due there."""
    seen: list[BaseException] = []

    async def run() -> None:
        results = await asyncio.gather(
            *(litellm.acompletion(**ROUTES[name].arguments(replay.url)) for name in ("openai", "gemini")),
            return_exceptions=True,
        )
        seen.extend(each for each in results if isinstance(each, BaseException))

    asyncio.run(run())

    assert [type(each) for each in seen] == [BudgetExceededError] * 2


@pytest.mark.parametrize("call", [awaited, streamed_async])
def test_after_it_litellm_works_on(start: Start, replay: ReplayServer, call: Call):
    process = start(SPENT + 'scope = { user = "u-1" }\n')
    route = ROUTES["gemini"]
    assert route.stream is not None
    replay.replies = [route.whole if call is awaited else route.stream]

    with pytest.raises(BudgetExceededError):
        call("completion", user="u-1", **route.arguments(replay.url))
    call("completion", user="u-2", **route.arguments(replay.url))

    assert process.charge.tags["user"] == "u-2"
