"""Spans of other instrumentors, made as they make them, get the cost of the call they are about, and only those.

The instrumentors themselves stand beside us in tests/beside; here are their ways, one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan

import otel_llmcost
from examples.provider_server import ProviderServer
from otel_llmcost.config import load
from otel_llmcost.instrumentation import contain
from tests.instrumentation.conftest import EXPORTER, Process, Start

ASK: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say it in 30 words"}]}
INNER = trace.get_tracer("opentelemetry.instrumentation.genai.openai")
OUTER = trace.get_tracer("openinference.instrumentation.openai")
CHAT = {"gen_ai.operation.name": "chat"}
LLM = {"openinference.span.kind": "LLM"}


@pytest.fixture
def client(process: Process, server: ProviderServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as made:
        yield made


def ended() -> dict[str, ReadableSpan]:
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def test_nested_spans_of_several_all_carry_it(client: openai.OpenAI, process: Process) -> None:
    """Two instrumentors on one SDK: one span inside the other, neither knows of it."""
    with OUTER.start_as_current_span("outer", attributes=LLM), INNER.start_as_current_span("inner", attributes=CHAT):
        client.chat.completions.create(**ASK)

    assert {name: span.attributes["llmcost.charge.id"] for name, span in ended().items()} == {
        "outer": process.charge.charge_id,
        "inner": process.charge.charge_id,
    }


def test_an_agents_span_is_no_call(client: openai.OpenAI, process: Process) -> None:
    """It holds many calls: with a cost on it, sums over spans would count them twice. The call has a span of ours."""
    with INNER.start_as_current_span("agent", attributes={"gen_ai.operation.name": "invoke_agent"}):
        client.chat.completions.create(**ASK)

    assert "gen_ai.usage.cost" not in ended()["agent"].attributes
    assert ended()["chat gpt-4o-mini"].attributes["llmcost.charge.id"] == process.charge.charge_id


def test_a_span_that_turns_out_to_be_an_agents_is_left_alone(client: openai.OpenAI) -> None:
    """Some say what they are only at their end."""
    with INNER.start_as_current_span("agent") as span:
        client.chat.completions.create(**ASK)
        span.set_attribute("gen_ai.operation.name", "invoke_agent")

    assert "gen_ai.usage.cost" not in ended()["agent"].attributes


def test_a_span_that_is_not_made_the_current_one_gets_the_cost_of_the_call_after_it(
    client: openai.OpenAI, process: Process
) -> None:
    """Some open theirs, call the SDK beside it, and close it: there is no second span of ours."""
    span = OUTER.start_span("beside", attributes=LLM)
    client.chat.completions.create(**ASK)
    span.end()

    assert {name: span.attributes["llmcost.charge.id"] for name, span in ended().items()} == {
        "beside": process.charge.charge_id
    }


def test_a_span_beside_is_of_one_call(client: openai.OpenAI) -> None:
    """It may stay open with its stream while others are made."""
    beside = OUTER.start_span("beside", attributes=LLM)
    for _ in range(2):
        client.chat.completions.create(**ASK)
    beside.end()

    assert list(ended()) == ["chat gpt-4o-mini", "beside"]


def test_a_span_elsewhere_is_not_beside(client: openai.OpenAI) -> None:
    """What stands open in one place says nothing of a call in another, and an agent's nothing of any."""
    elsewhere = OUTER.start_span("elsewhere", attributes=LLM)
    with trace.get_tracer("app").start_as_current_span("work"):
        client.chat.completions.create(**ASK)
    elsewhere.end()
    agent = OUTER.start_span("agent")
    agent.set_attribute("openinference.span.kind", "AGENT")
    client.chat.completions.create(**ASK)
    agent.end()

    assert [name for name in ended() if "gen_ai.usage.cost" not in ended()[name].attributes] == [
        "work",
        "elsewhere",
        "agent",
    ]


def test_a_span_that_stands_for_one_left_open_gets_its_cost(client: openai.OpenAI, process: Process) -> None:
    """Some never end the span they began a stream with, and begin another one when it is over."""
    lost = OUTER.start_span("chat", attributes=LLM)
    with trace.use_span(lost):
        stream = client.chat.completions.create(**ASK, stream=True)
    list(stream)
    OUTER.start_span("chat", attributes=LLM).end()
    OUTER.start_span("other", attributes=LLM).end()

    assert {name: span.attributes.get("llmcost.charge.id") for name, span in ended().items()} == {
        "chat": process.charge.charge_id,
        "other": None,
    }


def test_who_gives_the_program_our_context_back_hides_no_call(start: Start, server: ProviderServer) -> None:
    """Some end the span that they made current with the stream they handed out, when ours has long left the context."""
    process = start()
    seen: list[Context] = []
    hooks: Any = {"request": [lambda _request: seen.append(context.get_current())]}
    http = openai.DefaultHttpxClient(event_hooks=hooks)
    with openai.OpenAI(base_url=server.openai_url, api_key="k", http_client=http) as client:
        with otel_llmcost.attribute(user="u-7"):
            client.chat.completions.create(**ASK)
        token = context.attach(seen[0])
        try:
            with OUTER.start_as_current_span("next", attributes=LLM), otel_llmcost.attribute(agent="planner"):
                client.chat.completions.create(**ASK)
        finally:
            context.detach(token)

    first, second = process.charges
    assert (second.tags["user"], second.tags["agent"]) == ("u-7", "planner")
    assert ended()["next"].attributes["llmcost.charge.id"] == second.charge_id != first.charge_id


def test_a_span_that_ends_before_its_stream_waits_for_the_cost(client: openai.OpenAI, process: Process) -> None:
    """Its end is the time it was ended at, not the time the cost was known."""
    with OUTER.start_as_current_span("early", attributes=LLM) as span:
        stream = client.chat.completions.create(**ASK, stream=True)
    assert ended() == {}

    list(stream)

    (early,) = ended().values()
    assert early.attributes["llmcost.charge.id"] == process.charge.charge_id
    assert early.context == span.get_span_context()
    assert early.end_time < process.charge.at.timestamp() * 1e9 + process.charge.duration_seconds * 1e9


@pytest.mark.parametrize(
    "told",
    [{"gen_ai.response.id": "{id}"}, {"output.value": '{{"choices": [{{"id": "call_1"}}], "id":"{id}"}}'}],
    ids=str,
)
def test_a_span_that_was_never_current_is_known_by_the_answers_id(
    told: dict[str, str], client: openai.OpenAI, process: Process
) -> None:
    """Said as an attribute, or within the answer's JSON."""
    answer = client.chat.completions.create(**ASK)
    span = OUTER.start_span("later")
    span.set_attributes({name: value.format(id=answer.id) for name, value in told.items()})
    span.end()

    assert ended()["later"].attributes["llmcost.charge.id"] == process.charge.charge_id


def test_an_sdk_that_others_patched_first_is_accounted_for(
    start: Start, server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who wraps a method of a subclass keeps a copy of the base's, made before we came."""
    monkeypatch.setattr(openai.OpenAI, "request", openai.OpenAI.request, raising=False)
    process = start()

    with openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0) as client:
        client.chat.completions.create(**ASK)

    assert process.charge.status == "confirmed"


def test_taking_us_out_leaves_the_sdk_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where we stand in several classes."""
    monkeypatch.setattr(openai.OpenAI, "request", openai.OpenAI.request, raising=False)
    classes = (openai.OpenAI, openai.AsyncOpenAI)
    otel_llmcost.instrument(load({"OTEL_LLMCOST_STORE": "memory://"}, cwd=tmp_path, home=tmp_path))
    assert all(hasattr(each.request, "__wrapped__") for each in classes)

    otel_llmcost.uninstrument()

    assert not any(hasattr(each.request, "__wrapped__") for each in classes)


def test_a_fault_of_ours_reaches_nobody_who_makes_a_span(
    process: Process, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The host's span starts and ends as if we were not there."""
    monkeypatch.setattr(contain, "reraise", False)
    monkeypatch.setattr(process.runtime.tracing.spans, "charge_of", "not to be called")
    tracer = trace.get_tracer("openinference.instrumentation.openai")

    with tracer.start_as_current_span("LLM") as span:
        assert span.is_recording()

    assert not span.is_recording()
    assert "could not add the cost to a span" in caplog.text
    contain.seen.clear()
