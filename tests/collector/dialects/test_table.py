"""Dialects whose programs are not at hand, by the attributes they are documented to write; and traps of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from otel_llmcost_collector.dialects.base import Around, Telling, Value
from otel_llmcost_collector.dialects.directory import reader_for
from tests.collector.dialects.corpus import read

STD = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5-mini", "gen_ai.provider.name": "openai"}
CLAUDE = STD | {"gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.provider.name": "anthropic"}
IN, OUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"
TOTAL = "gen_ai.usage.total_tokens"
READ, CREATED = "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"
TRACELOOP = "opentelemetry.instrumentation."


def tell(scope: str, attributes: Mapping[str, Value], *, name: str = "chat", **resource: Value) -> Telling | None:
    return read(Around(scope, resource), name, attributes)


def told(scope: str, attributes: Mapping[str, Value], *, name: str = "chat", **resource: Value) -> Telling:
    found = tell(scope, attributes, name=name, **resource)
    assert found is not None
    return found


CASES = [
    pytest.param(
        "opentelemetry.instrumentation.openai_v2",
        {"gen_ai.operation.name": "chat", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o", IN: 12, OUT: 3},
        {"source": "openai-v2", "provider": "openai", "counts": {"input_tokens": 12, "output_tokens": 3}},
        id="openai-v2",
    ),
    pytest.param(
        "opentelemetry.instrumentation.openai_v2",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            IN: 2000,
            OUT: 3,
        },
        {"status": "estimated", "method": "cached-tokens-not-told"},
        id="openai-v2-may-have-read-a-long-input-from-a-cache",
    ),
    pytest.param(
        TRACELOOP + "openai.v1",
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-08-06",
            "gen_ai.usage.prompt_tokens": 900,
            "gen_ai.usage.completion_tokens": 50,
            "gen_ai.usage.cache_read_input_tokens": 512,
            "llm.usage.total_tokens": 950,
            "traceloop.association.properties.user_id": "u-7",
            "traceloop.workflow.name": "ask",
        },
        {
            "source": "traceloop",
            "provider": "openai",
            "served_model": "gpt-4o-2024-08-06",
            "counts": {"input_tokens": 900, "output_tokens": 50, "cache_read_tokens": 512},
            "tags": {"user": "u-7", "workflow": "ask"},
        },
        id="traceloop-as-it-was-before",
    ),
    pytest.param(
        TRACELOOP + "openai.v1",
        STD | {"gen_ai.provider.name": "openrouter", "gen_ai.request.model": "claude-sonnet-4", IN: 1, OUT: 2},
        {"provider": "openrouter", "requested_model": "anthropic/claude-sonnet-4"},
        id="traceloop-cuts-off-what-openrouter-has-before-a-model",
    ),
    pytest.param(
        TRACELOOP + "bedrock",
        STD | {"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "nova-lite-v1:0", IN: 1, OUT: 2},
        {"provider": "aws.bedrock", "requested_model": "amazon.nova-lite-v1:0", "status": "confirmed"},
        id="traceloop-cuts-off-what-bedrock-has-before-a-model",
    ),
    pytest.param(
        "@traceloop/instrumentation-openai",
        STD | {"gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.completion_tokens": 2, "llm.usage.total_tokens": 11},
        {"source": "traceloop", "counts": {"input_tokens": 9, "output_tokens": 2}},
        id="traceloop-for-node",
    ),
    pytest.param(
        "semantic_kernel.utils.telemetry.model_diagnostics.decorators",
        STD | {"gen_ai.operation.name": "chat.streaming_completions", IN: 9, OUT: 2},
        {"source": "standard", "operation": "chat", "counts": {"input_tokens": 9, "output_tokens": 2}},
        id="semantic-kernel-names-operations-its-own-way",
    ),
    pytest.param(
        "lmnr.tracer",
        {
            "lmnr.span.type": "LLM",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.usage.input_tokens": 3000,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.usage.cache_read_input_tokens": 2048,
            "gen_ai.usage.reasoning_tokens": 10,
            "gen_ai.usage.cost": 9.9,
            "lmnr.association.properties.user_id": "u-7",
            "lmnr.association.properties.session_id": "s-1",
        },
        {
            "source": "laminar",
            "cost_nano": None,
            "counts": {
                "input_tokens": 3000,
                "output_tokens": 20,
                "cache_read_tokens": 2048,
                "reasoning_tokens": 10,
            },
            "tags": {"user": "u-7", "session": "s-1"},
        },
        id="laminar",
    ),
    pytest.param(
        "openinference.instrumentation.bedrock",
        {
            "openinference.span.kind": "LLM",
            "llm.provider": "aws",
            "llm.model_name": "us.amazon.nova-pro-v1:0",
            "llm.token_count.prompt": 100,
            "llm.token_count.completion": 5,
            "llm.token_count.prompt_details.cache_read": 60,
        },
        {"input_semantics": "exclusive", "counts": {"input_tokens": 160, "output_tokens": 5, "cache_read_tokens": 60}},
        id="openinference-leaves-out-what-nova-read-from-a-cache",
    ),
    pytest.param(
        "openinference.instrumentation.openai",
        {
            "openinference.span.kind": "DECISION",
            "decision.provider": "openai",
            "decision.model_name": "gpt-5-mini",
            "decision.token_count.input": 7,
            "decision.token_count.output": 1,
        },
        {"counts": {"input_tokens": 7, "output_tokens": 1}, "requested_model": "gpt-5-mini"},
        id="openinference-decision",
    ),
    pytest.param(
        "litellm",
        STD
        | {
            "litellm.call_id": "c-1",
            "litellm.cost.total": 1.0,
            "litellm.team.alias": "support",
            "litellm.end_user.id": "u-7",
            IN: 10,
            OUT: 5,
            READ: 4,
        },
        {
            "source": "litellm",
            "cost_nano": None,
            "counts": {"input_tokens": 10, "output_tokens": 5, "cache_read_tokens": 4},
            "tags": {"team": "support", "user": "u-7"},
        },
        id="litellm-of-today",
    ),
    pytest.param(
        "langfuse-sdk",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "claude-sonnet-4-5",
            "langfuse.observation.usage_details": '{"input": 100, "cache_read_input_tokens": 2000, "output": 16}',
            "langfuse.observation.cost_details": '{"total": 9.9}',
            "user.id": "u-7",
        },
        {
            "source": "langfuse",
            "provider": "anthropic",
            "requested_model": "claude-sonnet-4-5",
            "counts": {"input_tokens": 2100, "cache_read_tokens": 2000, "output_tokens": 16},
            "tags": {"user": "u-7"},
        },
        id="langfuse",
    ),
    pytest.param(
        "langsmith",
        {
            "langsmith.span.kind": "llm",
            "langsmith.trace.session_name": "bot",
            "gen_ai.system": "az.ai.openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.service_tier": "flex",
            IN: 3000,
            OUT: 20,
            TOTAL: 3020,
            "gen_ai.usage.input_token_details": '{"cache_read": 2048}',
            "gen_ai.usage.output_token_details": '{"reasoning": 10}',
        },
        {
            "source": "langsmith",
            "provider": "azure.ai.openai",
            "tier": "flex",
            "counts": {"input_tokens": 3000, "output_tokens": 20, "cache_read_tokens": 2048, "reasoning_tokens": 10},
            "tags": {"project": "bot"},
        },
        id="langsmith",
    ),
    pytest.param(
        "strands.telemetry.tracer",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "strands-agents",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.usage.prompt_tokens": 3000,
            IN: 3000,
            "gen_ai.usage.completion_tokens": 20,
            OUT: 20,
            TOTAL: 3020,
            READ: 2048,
        },
        {
            "source": "strands",
            "provider": "openai",
            "counts": {"input_tokens": 3000, "output_tokens": 20, "cache_read_tokens": 2048},
        },
        id="strands",
    ),
    pytest.param(
        "somebody",
        CLAUDE | {"agento11y.sdk.name": "python", "gen_ai.token.semantics": "inclusive", IN: 2100, OUT: 16, READ: 2000},
        {"source": "agento11y", "counts": {"input_tokens": 2100, "output_tokens": 16, "cache_read_tokens": 2000}},
        id="agento11y-says-inclusive",
    ),
    pytest.param(
        "somebody",
        CLAUDE | {"agento11y.sdk.name": "python", IN: 3000, OUT: 16, "gen_ai.usage.cache_read_input_tokens": 2000},
        {
            "input_semantics": "exclusive",
            "counts": {"input_tokens": 5000, "output_tokens": 16, "cache_read_tokens": 2000},
        },
        id="agento11y-says-nothing",
    ),
    pytest.param(
        "sentry-sdk",
        CLAUDE | {"sentry.op": "gen_ai.chat", IN: 2100, OUT: 16, "gen_ai.usage.input_tokens.cached": 2000},
        {"source": "sentry", "counts": {"input_tokens": 2100, "output_tokens": 16, "cache_read_tokens": 2000}},
        id="sentry",
    ),
    pytest.param(
        "ddtrace",
        STD | {"_ml_obs.span_kind": "llm", IN: 30, OUT: 16, "gen_ai.usage.reasoning_output_tokens": 10},
        {"source": "datadog", "counts": {"input_tokens": 30, "output_tokens": 16, "reasoning_tokens": 10}},
        id="datadog",
    ),
    pytest.param(
        "ai",
        {
            "ai.operationId": "ai.streamText.doStream",
            "ai.model.provider": "amazon-bedrock",
            "ai.model.id": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "ai.usage.inputTokens": 3000,
            "ai.usage.outputTokens": 16,
            "ai.usage.cachedInputTokens": 2000,
        },
        {"provider": "aws.bedrock", "input_semantics": "exclusive"},
        id="vercel-5-leaves-out-what-bedrock-read-from-a-cache",
    ),
    pytest.param(
        "com.anthropic.sdk.python",
        CLAUDE
        | {
            IN: 100,
            OUT: 16,
            "anthropic.usage.compaction.input_tokens": 4000,
            "anthropic.usage.compaction.output_tokens": 0,
        },
        {"counts": {"input_tokens": 4100, "output_tokens": 16}},
        id="anthropic-is-paid-for-compaction-beside-its-totals",
    ),
    pytest.param(
        "my.own",
        CLAUDE | {IN: 100, OUT: 16, READ: 2000},
        {
            "source": "standard",
            "input_semantics": "inferred",
            "counts": {"input_tokens": 2100, "output_tokens": 16, "cache_read_tokens": 2000},
        },
        id="more-is-cached-than-there-is-input",
    ),
    pytest.param(
        "my.own",
        CLAUDE | {IN: 3000, OUT: 16, READ: 2000, TOTAL: 5016},
        {
            "input_semantics": "inferred",
            "counts": {"input_tokens": 5000, "output_tokens": 16, "cache_read_tokens": 2000},
        },
        id="a-total-gives-away-that-cached-tokens-are-beside",
    ),
    pytest.param(
        "my.own",
        STD | {IN: 30, OUT: 10, "gen_ai.usage.audio.input_tokens": 50},
        {"counts": {"input_tokens": 50, "output_tokens": 10, "input_audio_tokens": 50}},
        id="a-part-is-more-than-its-total",
    ),
    pytest.param(
        "langfuse-sdk",
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "claude-sonnet-4-5",
            "langfuse.observation.usage_details": '{"input": 100, "cache_creation_input_tokens": 500, "output": 16}',
        },
        {"status": "estimated", "method": "cache-duration-not-told"},
        id="langfuse-does-not-tell-how-long-a-cache-is-kept",
    ),
    pytest.param(
        "litellm",
        CLAUDE
        | {
            IN: 600,
            OUT: 16,
            "metadata.usage_object": "{'prompt_tokens': 600, 'cache_creation_input_tokens': 500, 'x': None}",
        },
        {
            "status": "estimated",
            "counts": {"input_tokens": 600, "output_tokens": 16, "cache_write_tokens": 500},
        },
        id="litellm-of-before-tells-what-was-written-to-a-cache",
    ),
    pytest.param(
        "my.own",
        STD | {IN: 30, OUT: 10, TOTAL: 90},
        {"counts": {"input_tokens": 30, "output_tokens": 60, "reasoning_tokens": 50}},
        id="a-total-gives-away-reasoning",
    ),
    pytest.param(
        "my.own",
        STD | {IN: 30, OUT: 10, "gen_ai.usage.reasoning_tokens": 50},
        {"counts": {"input_tokens": 30, "output_tokens": 60, "reasoning_tokens": 50}},
        id="more-reasoning-than-there-is-output",
    ),
]


@pytest.mark.parametrize(("scope", "attributes", "expected"), CASES)
def test_each_dialect_means_what_it_says(scope: str, attributes: dict[str, Value], expected: dict[str, Any]) -> None:
    """What is cached, what reasoning is, who is paid, and for whom, in one canonical form."""
    name = "bedrock.invoke_model_with_response_stream" if "bedrock" in scope else "chat"

    found = told(scope, attributes, name=name)

    assert {each: getattr(found, each) for each in expected} == expected


@pytest.mark.parametrize(
    ("scope", "attributes"),
    [
        pytest.param("opentelemetry.instrumentation.genai.openai", {"gen_ai.operation.name": each}, id=each)
        for each in ("invoke_agent", "create_agent", "invoke_workflow", "plan", "execute_tool", "fetch_response")
    ]
    + [
        pytest.param(
            "opentelemetry.instrumentation.genai.mem", {"gen_ai.operation.name": "search_memory"}, id="memory"
        ),
        pytest.param("openinference.instrumentation.langchain", {"openinference.span.kind": "CHAIN"}, id="chain"),
        pytest.param("ai", {"ai.operationId": "ai.generateText"}, id="vercel-outer"),
        pytest.param("langfuse-sdk", {"langfuse.observation.type": "agent"}, id="langfuse-agent"),
        pytest.param("langsmith", {"langsmith.span.kind": "chain"}, id="langsmith-chain"),
        pytest.param("strands.telemetry", {"gen_ai.operation.name": "execute_event_loop_cycle"}, id="strands-loop"),
        pytest.param("my.own", {"gen_ai.operation.name": 7}, id="no-name"),
    ],
)
def test_what_holds_calls_is_none(scope: str, attributes: dict[str, Value]) -> None:
    """Agents and workflows repeat what their calls used: priced too, all would be paid twice."""
    used = {"gen_ai.request.model": "gpt-5-mini", IN: 30, OUT: 10, "llm.model_name": "m", "ai.model.id": "m"}

    assert tell(scope, used | attributes) is None


@pytest.mark.parametrize(
    "broken", [-1, 1.5, "many", True, 10**13, float("nan"), float("inf"), (1, 2), "9" * 5000, "²"], ids=repr
)
def test_a_count_that_is_none_leaves_the_whole_usage_unknown(broken: Value) -> None:
    """No figure is better than a wrong one: what else the span counts is only a part of it."""
    found = told("my.own", STD | {OUT: 10, IN: broken})

    assert found.counts == {}


@pytest.mark.parametrize("nothing", [None, "", "0", 0, 0.0, False], ids=repr)
def test_a_count_of_nothing_is_one(nothing: Value | None) -> None:
    """Some write what was not used."""
    found = read(Around("my.own"), "chat", {**STD, OUT: 10, IN: nothing})  # type: ignore[dict-item]

    assert found is not None
    assert found.counts == {"output_tokens": 10}


def test_counts_may_come_as_another_type() -> None:
    """OpenLIT tells Cohere's as floats, some write texts."""
    found = told("my.own", STD | {IN: 8.0, OUT: "14"})

    assert found.counts == {"input_tokens": 8, "output_tokens": 14}


@pytest.mark.parametrize(
    ("asked", "model"), [('{"model": "gpt-4o"}', "gpt-4o"), ('{"model": "gpt-4o"}' + " " * 20_000, "")]
)
def test_a_model_may_stand_in_the_parameters(asked: str, model: str) -> None:
    """A stream of Groq's is told by OpenInference without it; what is too long to be parameters is not searched."""
    attributes = {"openinference.span.kind": "LLM", "llm.provider": "groq", "llm.invocation_parameters": asked}

    assert told("openinference.instrumentation.groq", attributes).requested_model == model


@pytest.mark.parametrize(
    ("tools", "status"),
    [
        ('[{"type": "web_search_20250305", "name": "web_search"}]', "estimated"),
        ('[{"google_search": {}}]', "estimated"),
        ('[{"codeExecution": {}}]', "estimated"),
        ('[{"type": "function", "name": "web_search", "parameters": {}}]', "confirmed"),
        ('[{"name": "weather", "input_schema": {}}]', "confirmed"),
        (7, "confirmed"),
    ],
)
def test_tools_that_a_provider_runs_are_paid_untold(tools: Value, status: str) -> None:
    """Searches are paid by the search, and what tools find is put into the input; a program's own are not."""
    found = told("my.own", CLAUDE | {IN: 100, OUT: 16, "gen_ai.tool.definitions": tools})

    assert found.status == status
    assert told("my.own", CLAUDE | {"gen_ai.tool.definitions": tools}).status == "confirmed"


def test_a_span_without_usage_is_a_call_of_which_nothing_is_known() -> None:
    """A stream that was not asked for its usage, or an error: its error is kept."""
    found = told("my.own", STD | {"error.type": "RateLimitError"})

    assert (found.counts, found.error_type) == ({}, "RateLimitError")


def test_who_tells_more_is_richer() -> None:
    """Certain figures before guesses, those before none; then who tells; then how much."""
    ours, claude = {"llmcost.charge.id": "c-1"}, "com.anthropic.sdk.python"
    figures = CLAUDE | {IN: 100, OUT: 16}
    order = [
        told("otel_llmcost", figures | ours),
        told(claude, figures | {READ: 50}),
        told(claude, figures),
        told("opentelemetry.instrumentation.genai.anthropic", figures | {READ: 50}),
        told(TRACELOOP + "anthropic", figures | {"gen_ai.is_streaming": True}),
        told(claude, CLAUDE),
    ]

    ranks = [each.richness for each in order]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(ranks)


def test_a_span_goes_before_its_resource() -> None:
    """Whoever is named nearer to the call is meant; long names are cut, `default` is nobody's."""
    attributes = STD | {IN: 1, "llmcost.team": "b" * 300, "user.id": 7, "deployment.environment": "default"}
    resource: dict[str, Value] = {"llmcost.team": "a", "deployment.environment.name": "prod", "service.name": "bot"}

    found = read(Around("my.own", resource), "chat", attributes)

    assert found is not None
    assert found.tags == {"team": "b" * 256, "user": "7", "environment": "prod"}


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('{"team": "support", "user_id": "u-7", "feature": 3, "other": "x"}', {"team": "support", "user": "u-7"}),
        ('{"llmcost.team": "billing"}', {"team": "billing"}),
        ('{"team"', {}),
        ("[1]", {}),
        ('{"team": "support"}' + " " * 5000, {}),
    ],
    ids=["own", "ours", "broken", "no-object", "long"],
)
def test_dimensions_may_stand_in_metadata(text: str, tags: dict[str, str]) -> None:
    """As OpenInference and LangSmith attach it to a call; an attribute of its own goes before."""
    attributes = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "metadata": text, "session.id": "s-1"}

    assert told("openinference.instrumentation.openai", attributes).tags == {**tags, "session": "s-1"}


def test_one_reader_serves_spans_of_several_programs() -> None:
    """Resources change from request to request, shapes do not."""
    attributes: dict[str, Value] = {**STD, IN: 1, "user.id": "u-7"}
    reader = reader_for("my.own", frozenset(attributes))
    assert reader is not None
    values = [attributes[name] for name in reader.wanted]
    programs = [Around("my.own", {"llmcost.team": team}) for team in ("a", "b")]

    told = [reader.read("chat", values, programs[at]) for at in (0, 0, 1, 0)]

    assert [each and each.tags["team"] for each in told] == ["a", "a", "b", "a"]


ROUTED = '{"id": "gen-17-abc", "model": "openai/gpt-4o-mini", "usage": {"prompt_tokens": 9, "cost": 0.0012345}}'


def test_openrouter_is_known_by_its_ids_and_states_what_it_charged() -> None:
    """It is asked through openai's SDK, and where it stands is not told by all."""
    logfire = STD | {"gen_ai.response.id": "gen-17-abc", "gen_ai.usage.raw": '{"prompt_tokens": 9, "cost": 0.5}'}
    tellings = [
        told("openinference.instrumentation.openai", {"openinference.span.kind": "LLM", "output.value": ROUTED}),
        told("logfire.openai", logfire),
        told("my.own", STD | {"gen_ai.response.id": "gen-17-abc", IN: 9}),
        told("my.own", STD | {"gen_ai.provider.name": "groq", "gen_ai.response.id": "gen-17-abc", IN: 9}),
    ]

    assert [each.provider for each in tellings] == ["openrouter", "openrouter", "openrouter", "groq"]
    assert [each.cost_nano for each in tellings] == [1_234_500, 500_000_000, None, None]


def test_a_cost_that_a_usage_states_is_believed_of_openrouter_only() -> None:
    """Proxies write what they think it costs into the same place."""
    attributes = STD | {"gen_ai.response.id": "chatcmpl-1", "gen_ai.usage.raw": '{"prompt_tokens": 9, "cost": 0.5}'}

    assert told("logfire.openai", attributes).cost_nano is None
