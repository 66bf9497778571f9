"""What a limit promises: a call that does not fit is refused before anything is sent, whatever runs beside it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from examples.provider_server import ProviderServer
from examples.provider_server.script import Rule
from otel_llmcost import BudgetExceededError, attribute
from otel_llmcost.errors import RefusedError
from tests.instrumentation.conftest import EXPORTER, Start

# The server reports 1,000 input and 1,000 output tokens of gpt-4o-mini: 0.15 + 0.60 per million, 0.00075 USD a call.
COST = 0.00075
ASK: Any = {
    "model": "gpt-4o-mini",
    "messages": [{"role": "user", "content": "word " * 990}],
    "max_tokens": 1000,
}


@pytest.fixture(autouse=True)
def dear_answers(server: ProviderServer) -> None:
    server.script.add(Rule(usage={"prompt_tokens": 1000, "completion_tokens": 1000, "total_tokens": 2000}))


def budget(limit: float, **more: str) -> str:
    extra = "\n".join(f"{key} = {value}" for key, value in more.items())
    return f'[[budget]]\nname = "b"\nlimit = {limit:.8f}\nwindow = "day"\n{extra}\n'


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_of_twenty_concurrent_tasks_exactly_two_fit_a_limit_for_two_and_a_half(
    store: str, start: Start, server: ProviderServer
) -> None:
    """Rivals send all twenty and complain afterwards."""
    process = start(budget(2.5 * COST), store=store)

    async def main() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
            calls = [client.chat.completions.create(**ASK) for _ in range(20)]
            return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(main())

    assert len(server.requests) == 2
    assert sum(isinstance(result, BudgetExceededError) for result in results) == 18
    balance = process.balance("b")
    assert balance.settled_nano == 2 * 750_000
    assert balance.refused == 18
    assert balance.held_nano <= balance.limit_nano + balance.bound_nano


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_calls_in_a_thread_pool_are_attributed_and_held(store: str, start: Start, server: ProviderServer) -> None:
    """A pool's threads do not inherit context variables by themselves."""
    process = start(budget(2.5 * COST, scope='{ team = "support" }', per='["user"]'), store=store)
    client = openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0)

    def call(_: int) -> bool:
        try:
            client.chat.completions.create(**ASK)
        except BudgetExceededError:
            return False
        return True

    with client, attribute(team="support", user="u-7"), ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(call, range(20)))

    assert sum(sent) == len(server.requests) == 2
    assert {charge.tags["user"] for charge in process.charges} == {"u-7"}


def test_a_refused_call_sends_nothing_and_says_why(start: Start, server: ProviderServer) -> None:
    """The error tells budget, limit, balance and when to try again; the span tells it too."""
    process = start(budget(0.5 * COST))
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client, pytest.raises(RefusedError) as refusal:
        client.chat.completions.create(**ASK)

    assert server.requests == []
    assert refusal.value.name == "b"
    assert refusal.value.balance == 0
    assert 0 < refusal.value.retry_after_seconds <= 86400
    (span,) = process.spans
    assert span.attributes["llmcost.budget.decision"] == "refused"
    assert process.runtime.tracing.meters.alerts == {("b", "exceeded"): 1}


def test_a_refused_stream_is_refused_before_it_opens(start: Start, server: ProviderServer) -> None:
    """The refusal comes from the call, not from the first chunk."""
    start(budget(0.5 * COST))
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client, pytest.raises(BudgetExceededError):
        client.chat.completions.create(**ASK, stream=True)

    assert server.requests == []


def test_calls_of_others_are_not_held(start: Start, server: ProviderServer) -> None:
    """A budget's scope is its scope."""
    start(budget(0.5 * COST, scope='{ team = "support" }'))
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client, attribute(team="sales"):
        client.chat.completions.create(**ASK)

    assert len(server.requests) == 1


def test_an_unknown_model_is_unpriced_and_never_free(start: Start, server: ProviderServer) -> None:
    """No rate, no cost: not zero, and counted as such."""
    process = start(budget(1.0))
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        client.chat.completions.create(**{**ASK, "model": "house-llm-7"})

    assert process.charge.status == "unpriced"
    assert process.charge.cost_nano is None
    assert process.balance("b").unpriced == 1
    assert "gen_ai.usage.cost" not in process.spans[0].attributes


def test_a_budget_may_refuse_unpriced_calls(start: Start, server: ProviderServer) -> None:
    """`unpriced = "refuse"`: what cannot be counted is not sent."""
    start(budget(1.0, unpriced='"refuse"'))
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client, pytest.raises(BudgetExceededError):
        client.chat.completions.create(**{**ASK, "model": "house-llm-7"})

    assert server.requests == []


def test_a_budget_may_count_unpriced_calls_at_another_models_price(start: Start, server: ProviderServer) -> None:
    """`unpriced = "assume:gpt-4o-mini"`: held and counted as if it were that model, yet the ledger knows no cost."""
    process = start(budget(1.5 * COST, unpriced='"assume:gpt-4o-mini"'))
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        client.chat.completions.create(**{**ASK, "model": "house-llm-7"})
        with pytest.raises(BudgetExceededError):
            client.chat.completions.create(**{**ASK, "model": "house-llm-7"})

    assert process.balance("b").settled_nano == 750_000
    assert process.charge.cost_nano is None


def test_a_budget_that_only_alerts_refuses_nothing(start: Start, server: ProviderServer) -> None:
    """`on_limit = "alert"`."""
    process = start(budget(0.5 * COST, on_limit='"alert"'))
    with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
        client.chat.completions.create(**ASK)

    assert process.balance("b").settled_nano == 750_000


def test_the_provider_never_sees_for_whom_a_call_is(start: Start, server: ProviderServer) -> None:
    """Baggage travels to downstream services, not to an LLM provider; other people's baggage is none of ours."""
    import anthropic
    from opentelemetry import baggage, context

    process = start()
    token = context.attach(baggage.set_baggage("theirs", "kept"))
    try:
        with attribute(user="alice@corp", team="support", agent="a", task="t", session="s"):
            with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
                client.chat.completions.create(**ASK)
            with anthropic.Anthropic(base_url=server.anthropic_url, api_key="k", max_retries=0) as other:
                other.messages.create(
                    model="claude-3-haiku-20240307", max_tokens=5, messages=[{"role": "user", "content": "hi"}]
                )
    finally:
        context.detach(token)

    wire = "".join(f"{name}:{value}" for request in server.requests for name, value in request.headers.items())
    assert "alice" not in wire
    assert "llmcost" not in wire
    assert [charge.tags["user"] for charge in process.charges] == ["alice@corp", "alice@corp"]


def test_a_call_inside_a_call_is_charged_once(start: Start, server: ProviderServer) -> None:
    """A library that calls an SDK from inside an accounted call is accounted by the outer one."""
    from opentelemetry import context

    from otel_llmcost.telemetry.spans import CALL_KEY, CallMark

    process = start()
    token = context.attach(context.set_value(CALL_KEY, CallMark()))
    try:
        with openai.OpenAI(base_url=server.openai_url, api_key="k") as client:
            client.chat.completions.create(**ASK)
    finally:
        context.detach(token)

    assert process.charges == []


def test_attribution_is_on_every_span_inside(start: Start) -> None:
    """A trace can be searched by user and agent."""
    from opentelemetry import trace

    start()
    with attribute(agent="planner", user="u-7"), trace.get_tracer("app").start_as_current_span("work"):
        pass

    (span,) = EXPORTER.get_finished_spans()
    assert span.attributes["gen_ai.agent.name"] == "planner"
    assert span.attributes["user.id"] == "u-7"


@pytest.fixture(autouse=True)
def context_in_threads() -> Any:
    ThreadingInstrumentor().instrument()
    yield
    ThreadingInstrumentor().uninstrument()
