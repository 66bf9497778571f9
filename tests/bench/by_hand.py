"""The floor: what a careful engineer would write around a call, one span, 12 attributes, two histogram records."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from answers import MODELS
from opentelemetry import metrics, trace
from opentelemetry.util.types import AnyValue
from subjects import Workload

Call = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class ByHand:
    """What the engineer knows of an SDK."""

    told: Callable[[Any, Any], tuple[str | None, str | None, str, int, int]]
    """Answer, or the first and the last chunk kept → id, model, finish reason, input and output tokens."""
    keeps: Callable[[Any, Any], bool]
    """Whether a chunk is worth keeping, beside the first that was. Asking an event of Anthropic's for a field that it
    lacks costs 24 thousand instructions, so its type is asked first."""
    provider: str
    operation: str = "chat"


def by_hand(workload: Workload, call: Call) -> Call:
    """Return the call, traced and metered."""
    row, model = BY_HAND[workload.sdk], MODELS[workload.sdk]
    tracer, meter = trace.get_tracer("by-hand"), metrics.get_meter("by-hand")
    duration = meter.create_histogram("gen_ai.client.operation.duration", "s")
    tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}")
    common: dict[str, AnyValue] = {
        "gen_ai.operation.name": row.operation,
        "gen_ai.provider.name": row.provider,
        "gen_ai.request.model": model,
    }
    asked: dict[str, AnyValue] = {
        **common,
        "gen_ai.request.max_tokens": 256,
        "gen_ai.output.type": "text",
        "gen_ai.request.stream": bool(workload.chunks),
        "server.address": "api.example.com",
    }
    name = f"{row.operation} {model}"

    def finish(span: Any, begin: float, first: Any, last: Any) -> None:
        answer_id, served, reason, input_tokens, output_tokens = row.told(first, last)
        span.set_attributes(
            {
                "gen_ai.response.id": answer_id or "",
                "gen_ai.response.model": served or model,
                "gen_ai.response.finish_reasons": (reason,),
                "gen_ai.usage.input_tokens": input_tokens,
                "gen_ai.usage.output_tokens": output_tokens,
            }
        )
        duration.record(perf_counter() - begin, common)
        tokens.record(input_tokens + output_tokens, common)

    def plain() -> Any:
        begin = perf_counter()
        with tracer.start_as_current_span(name, kind=trace.SpanKind.CLIENT, attributes=asked) as span:
            answer = call()
            finish(span, begin, answer, answer)
        return answer

    def streamed() -> Iterator[Any]:
        begin = perf_counter()
        span = tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=asked)
        with trace.use_span(span, end_on_exit=True):
            first = last = None
            for chunk in call():
                if row.keeps(chunk, first):
                    first, last = first or chunk, chunk
                yield chunk
            finish(span, begin, first, last)

    return streamed if workload.chunks else plain


def _openai(first: Any, last: Any) -> Any:
    return first.id, first.model, "stop", last.usage.prompt_tokens, last.usage.completion_tokens


def _anthropic(first: Any, last: Any) -> Any:
    message = first.message if first.type == "message_start" else first
    return message.id, message.model, "end_turn", message.usage.input_tokens, last.usage.output_tokens


def _gemini(_: Any, last: Any) -> Any:
    usage = last.usage_metadata
    return last.response_id, last.model_version, "stop", usage.prompt_token_count, usage.candidates_token_count


def _mistral(first: Any, last: Any) -> Any:
    return _openai(getattr(first, "data", first), getattr(last, "data", last))


def _cohere(first: Any, last: Any) -> Any:
    end = getattr(last, "delta", last)
    return first.id, None, end.finish_reason, int(end.usage.tokens.input_tokens), int(end.usage.tokens.output_tokens)


def _bedrock(_: Any, last: Any) -> Any:
    last = last.get("metadata", last)
    return None, None, "end_turn", last["usage"]["inputTokens"], last["usage"]["outputTokens"]


def _groq(first: Any, last: Any) -> Any:
    usage = last.usage if first is last else last.x_groq.usage
    return first.id, first.model, "stop", usage.prompt_tokens, usage.completion_tokens


def _ollama(_: Any, last: Any) -> Any:
    return None, last.model, last.done_reason, last.prompt_eval_count, last.eval_count


BY_HAND: Mapping[str, ByHand] = {
    "openai": ByHand(_openai, lambda chunk, first: first is None or chunk.usage is not None, "openai"),
    "anthropic": ByHand(_anthropic, lambda chunk, _: chunk.type in {"message_start", "message_delta"}, "anthropic"),
    "google-genai": ByHand(_gemini, lambda _chunk, _first: True, "gcp.gemini", "generate_content"),
    "mistralai": ByHand(_mistral, lambda chunk, first: first is None or bool(chunk.data.usage), "mistral_ai"),
    "cohere": ByHand(_cohere, lambda chunk, _: chunk.type in {"message-start", "message-end"}, "cohere"),
    "bedrock": ByHand(_bedrock, lambda chunk, _: "metadata" in chunk, "aws.bedrock"),
    "groq": ByHand(_groq, lambda chunk, first: first is None or chunk.x_groq is not None, "groq"),
    "ollama": ByHand(_ollama, lambda chunk, _: chunk.done, "ollama"),
    "litellm": ByHand(
        _openai, lambda chunk, first: first is None or getattr(chunk, "usage", None) is not None, "openai"
    ),
}
