"""Cost on spans: ours where nobody else makes one, else theirs."""

from decimal import Decimal

import openai
import pytest
from inline_snapshot import snapshot
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from otel_llmcost import attribute
from otel_llmcost.core.flow import Answer
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.core.usage import Usage
from otel_llmcost.errors import BudgetExceededError, RateLimitedError
from otel_llmcost.telemetry.spans import Spans, link_of
from tests.core.calls import answer, book, call, used
from tests.instrumentation.conftest import EXPORTER

SAYS = {
    "id": "r-1",
    "model": "gpt-4o-mini-2024-07-18",
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500},
}
COST = 1000 * 0.15e-6 + 500 * 0.6e-6
ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say it in 30 words"}]}
CHAT = {"gen_ai.operation.name": "chat"}


def priced(asked, got):
    prices = Pricing(book())
    return prices.charge(asked, got, prices.estimate(asked))


def ended(asked, charge=None, error=None):
    """Let our span of a call come to its end, and return it."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans(provider.get_tracer("otel_llmcost"), "auto")

    spans.end(spans.start(asked, Context(), is_foreign=False), asked, charge, error)

    (span,) = exporter.get_finished_spans()
    return span


def test_our_span_says_what_a_call_used_and_cost():
    asked = call(is_stream=True, max_output_tokens=900, tags={"agent": "planner", "user": "u-7", "trace": "0a"})

    span = ended(asked, priced(asked, answer(1000, 500, served_model="m", response_id="r-1")))

    assert (span.name, span.kind, span.status.status_code) == ("chat m", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes) == snapshot(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "acme",
            "gen_ai.request.model": "m",
            "llmcost.charge.id": "019aab6f-7a00-7000-8000-000000000001",
            "gen_ai.request.stream": True,
            "gen_ai.request.max_tokens": 900,
            "gen_ai.agent.name": "planner",
            "user.id": "u-7",
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 500,
            "gen_ai.response.model": "m",
            "gen_ai.response.id": "r-1",
            "gen_ai.usage.cost": 0.002,
            "llmcost.cost.input": 0.0010000000000000002,
            "llmcost.cost.output": 0.0010000000000000002,
            "llmcost.price.id": "acme/m",
        }
    )


def test_a_span_tells_the_parts_of_a_usage_apart():
    asked = call(tier="batch")
    got = Answer(usage=used(1000, 500, cache_read_tokens=400, cache_write_tokens=100, reasoning_tokens=50))

    attributes = ended(asked, priced(asked, got)).attributes

    usage = {name.removeprefix("gen_ai.usage."): value for name, value in attributes.items() if "tokens" in name}
    costs = [value for name, value in attributes.items() if name.startswith("llmcost.cost.")]
    assert usage == {
        "input_tokens": 1000,
        "output_tokens": 500,
        "cache_read.input_tokens": 400,
        "cache_write.input_tokens": 100,
        "reasoning.output_tokens": 50,
    }
    assert sum(costs) == pytest.approx(attributes["gen_ai.usage.cost"]) == 0.001
    assert attributes["llmcost.price.tier"] == "batch"


def test_a_span_says_where_its_figures_are_estimated():
    asked = call()

    attributes = ended(asked, priced(asked, answer(received_tokens=10, is_complete=False))).attributes

    assert (attributes["llmcost.cost.status"], attributes["llmcost.tokens.method"]) == (
        "estimated",
        "stream-ended-early",
    )


def test_an_estimate_never_stands_where_others_look_for_what_the_provider_told():
    asked = call()

    attributes = ended(asked, priced(asked, answer(received_tokens=10, is_complete=False))).attributes

    assert not any(name.startswith("gen_ai.usage") for name in attributes)
    assert attributes["llmcost.estimated.output_tokens"] > 0
    assert attributes["llmcost.estimated.cost"] > 0


def test_parts_without_a_standard_name_have_one_of_ours():
    asked = call()
    usage = Usage({"input_tokens": 1000, "cache_write_tokens": 100, "cache_write_1h_tokens": 60})

    attributes = ended(asked, priced(asked, Answer(usage=usage))).attributes

    assert attributes["gen_ai.usage.cache_write.input_tokens"] == 100
    assert attributes["llmcost.usage.cache_write_1h_tokens"] == 60


def test_a_call_without_a_price_has_no_cost_on_its_span():
    asked = call(model="nobody-knows")

    attributes = ended(asked, priced(asked, answer(1000, 500))).attributes

    assert attributes["llmcost.cost.status"] == "unpriced"
    assert not any("usage.cost" in name or name.startswith("llmcost.price") for name in attributes)
    assert attributes["gen_ai.usage.input_tokens"] == 1000


def test_a_failed_call_says_why():
    span = ended(call(), error=TimeoutError("too slow"))

    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "too slow")
    assert span.attributes["error.type"] == "TimeoutError"


def test_a_stream_that_broke_off_is_an_error_with_a_cost():
    asked = call()

    span = ended(asked, priced(asked, answer(received_tokens=10, is_complete=False, error_type="ReadError")))

    assert (span.status.status_code, span.attributes["error.type"]) == (StatusCode.ERROR, "ReadError")
    assert span.attributes["llmcost.estimated.cost"] > 0


FACTS = {"scope": "user=u-7", "limit": Decimal(10), "balance": Decimal(9)}
BUDGET = BudgetExceededError.over_limit(
    budget="daily", requested=Decimal(2), window_end=None, retry_after_seconds=None, **FACTS
)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(
            BUDGET,
            {
                "error.type": "BudgetExceededError",
                "llmcost.budget.decision": "refused",
                "llmcost.budget.name": "daily",
                "llmcost.budget.subject": "user=u-7",
            },
            id="budget",
        ),
        pytest.param(
            RateLimitedError("no", name="rpm", retry_after_seconds=1.0, **FACTS),
            {"error.type": "RateLimitedError", "llmcost.budget.decision": "refused", "llmcost.budget.name": "rpm"},
            id="limit",
        ),
    ],
)
def test_a_refused_call_says_who_refused(error, told):
    span = ended(call(), error=error)

    assert told.items() <= dict(span.attributes).items()
    assert span.status.description == str(error)


@pytest.mark.parametrize(
    ("mode", "is_foreign", "is_made"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("own", False, True),
        ("own", True, True),
        ("enrich", False, False),
        ("enrich", True, False),
        ("off", False, False),
        ("off", True, False),
    ],
)
def test_who_makes_a_span_is_a_setting(mode, is_foreign, is_made):
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("otel_llmcost")

    span = Spans(tracer, mode).start(call(), Context(), is_foreign=is_foreign)

    assert (span is not None) is is_made


def others():
    return trace.get_tracer("opentelemetry.instrumentation.openai_v2")


def shown(scope):
    return [span for span in EXPORTER.get_finished_spans() if span.instrumentation_scope.name.startswith(scope)]


def ask(client):
    client.post("/chat/completions", cast_to=object, body=ASK)


def test_a_span_of_another_instrumentor_gets_the_cost_and_ours_is_not_made(process, connect):
    with others().start_as_current_span("chat", attributes=CHAT):
        ask(connect("openai", "https://api.openai.com/v1", SAYS))

    (span,) = shown("opentelemetry.instrumentation")
    assert process.spans == []
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 500,
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": "r-1",
        "llmcost.charge.id": process.charge.charge_id,
        "gen_ai.usage.cost": COST,
        "llmcost.cost.input": pytest.approx(0.00015),
        "llmcost.cost.output": pytest.approx(0.0003),
        "llmcost.price.id": "openai/gpt-4o-mini",
    }


def test_what_the_other_instrumentor_says_of_usage_is_left_as_it_is(process, connect):
    """Its tokens are its own; the cost is ours."""
    with others().start_as_current_span("chat", attributes={**CHAT, "gen_ai.usage.input_tokens": 7}):
        ask(connect("openai", "https://api.openai.com/v1", SAYS))

    (span,) = shown("opentelemetry.instrumentation")
    assert (span.attributes["gen_ai.usage.input_tokens"], span.attributes["gen_ai.usage.output_tokens"]) == (7, 500)
    assert span.attributes["gen_ai.usage.cost"] == pytest.approx(COST)


def test_a_span_that_is_not_current_is_found_by_its_response(process, connect):
    """Some instrumentors make their span when the answer is there."""
    ask(connect("openai", "https://api.openai.com/v1", SAYS))

    others().start_span("chat", attributes={**CHAT, "gen_ai.response.id": "r-1"}).end()
    others().start_span("chat", attributes={**CHAT, "gen_ai.response.id": "r-2"}).end()

    known, unknown = shown("opentelemetry.instrumentation")
    assert known.attributes["gen_ai.usage.cost"] == pytest.approx(COST)
    assert "gen_ai.usage.cost" not in unknown.attributes


def test_a_span_that_ends_before_its_stream_is_kept_until_the_cost_is_known(process, server):
    client = openai.OpenAI(base_url=server.openai_url, api_key="k", max_retries=0)
    span = others().start_span("chat", attributes=CHAT)
    with client, trace.use_span(span):
        stream = client.chat.completions.create(**ASK, stream=True)

        span.end(end_time=span.start_time + 5)
        assert shown("opentelemetry.instrumentation") == []
        list(stream)

    (ended_span,) = shown("opentelemetry.instrumentation")
    assert ended_span.end_time == ended_span.start_time + 5
    assert ended_span.attributes["gen_ai.usage.cost"] == pytest.approx(process.charge.cost_nano / 1e9)


def test_every_span_says_who_it_is_for_and_only_llm_spans_what_they_cost(process, connect):
    with attribute(agent="planner"), trace.get_tracer("app").start_as_current_span("work", attributes={"a": 1}) as work:
        ask(connect("openai", "https://api.openai.com/v1", SAYS))

    (span,) = shown("app")
    assert dict(span.attributes) == {"a": 1, "gen_ai.agent.name": "planner"}
    assert link_of(work) is None
    (own,) = process.spans
    assert own.parent.span_id == span.context.span_id


def test_what_a_span_says_of_itself_is_not_replaced(process):
    with attribute(agent="planner"):
        trace.get_tracer("app").start_span("work", attributes={"gen_ai.agent.name": "theirs"}).end()

    (span,) = shown("app")
    assert dict(span.attributes) == {"gen_ai.agent.name": "theirs"}


def test_off_leaves_all_spans_alone(start, connect):
    process = start(OTEL_LLMCOST_SPANS="off")

    with attribute(agent="planner"), others().start_as_current_span("chat", attributes=CHAT):
        ask(connect("openai", "https://api.openai.com/v1", SAYS))

    (span,) = shown("opentelemetry.instrumentation")
    assert (dict(span.attributes), process.spans, len(process.charges)) == (CHAT, [], 1)
