"""Amazon's InvokeModel: the model maker's own bodies, with the counts in headers and in a stream's last event."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace

from examples.provider_server import anthropic_messages, bedrock_converse
from examples.provider_server.cohere_texts import embed as cohere_embed
from examples.provider_server.cohere_texts import rerank as cohere_rerank
from examples.provider_server.frames import CONTENT_TYPE, Frame
from examples.provider_server.numbers import vector
from examples.provider_server.tokens import compact, count
from examples.provider_server.wire import Blob, Event, Json, Prompt, Reply, Request, Stream, WireError, segment

_HEADERS = {
    "input_tokens": "x-amzn-bedrock-input-token-count",
    "output_tokens": "x-amzn-bedrock-output-token-count",
    "cache_read_input_tokens": "x-amzn-bedrock-cache-read-input-token-count",
    "cache_creation_input_tokens": "x-amzn-bedrock-cache-write-input-token-count",
}
_METRICS = {
    "input_tokens": "inputTokenCount",
    "output_tokens": "outputTokenCount",
    "cache_read_input_tokens": "cacheReadInputTokenCount",
    "cache_creation_input_tokens": "cacheWriteInputTokenCount",
}
_SIZE = 1024


def invoke(request: Request) -> Reply:
    """Answer `POST /model/{model}/invoke`."""
    answer = _served(request)
    if not isinstance(answer, Reply):
        raise WireError(400, "This model answers in one piece only if it is not told to stream.")
    counts = _counts(answer.usage or {})
    headers = {_HEADERS[name]: str(tokens) for name, tokens in counts.items()}
    return replace(answer, headers=headers | {"x-amzn-bedrock-invocation-latency": "42"})


def stream(request: Request) -> Stream:
    """Answer `POST /model/{model}/invoke-with-response-stream`: a maker's events, each wrapped in a frame."""
    answer = _served(replace(request, body=request.body | {"stream": True}))
    if not isinstance(answer, Stream):
        raise WireError(400, "The model is unsupported for streaming.")
    metrics = {_METRICS[name]: tokens for name, tokens in _counts(answer.usage).items()}
    last = answer.events[-1]
    ended = _data(last) | {
        "amazon-bedrock-invocationMetrics": {**metrics, "invocationLatency": 42, "firstByteLatency": 7}
    }
    events = [*map(_data, answer.events[:-1]), ended]
    return Stream(tuple(Chunk(each, "chunk") for each in events), answer.usage, CONTENT_TYPE)


class Chunk(Frame):
    """A frame around a maker's own event."""

    def encode(self) -> bytes:
        """Write the event inside a frame, as base64."""
        inner = base64.b64encode(compact(self.data).encode()).decode()
        return Frame({"bytes": inner, "p": "abcdefgh"}, self.name).encode()


def _data(event: Event) -> Json:
    return event.data if isinstance(event.data, dict) else {}


def _counts(usage: Json) -> dict[str, int]:
    """Return the counts under Anthropic's names, whoever made the model; none of those that are not there."""
    names = {"inputTokens": "input_tokens", "outputTokens": "output_tokens", "prompt_token_count": "input_tokens",
             "generation_token_count": "output_tokens", "inputTextTokenCount": "input_tokens"}  # fmt: skip
    renamed = {names.get(name, name): tokens for name, tokens in usage.items()}
    return {name: renamed[name] for name in _HEADERS if name in renamed}


def _served(request: Request) -> Reply | Blob | Stream:
    model = request.body["model"]
    return next((serve for part, serve in _MAKERS.items() if part in model), _llama)(request)


def _anthropic(request: Request) -> Reply | Stream:
    request.required("anthropic_version")
    return anthropic_messages.messages(request)


def _nova(request: Request) -> Reply | Stream:
    """Converse's own bodies, but that a stream's events stand under their names."""
    if not request.body.get("stream"):
        return bedrock_converse.converse(request)
    answer = bedrock_converse.stream(request)
    return replace(answer, events=tuple(Event({event.name or "": event.data}) for event in answer.events))


def _titan_embedding(request: Request) -> Reply:
    text = request.required("inputText")
    size = request.body.get("dimensions") or _SIZE
    usage = {"inputTextTokenCount": count(text)}
    return Reply({"embedding": vector(text, size), **usage}, usage)


def _llama(request: Request) -> Reply | Stream:
    text = request.required("prompt")
    prompt = Prompt(model=request.body["model"], ask=text, segments=(segment(text),))
    answer = request.answer(prompt).fitted(request.body.get("max_gen_len") or request.body.get("max_tokens"))
    usage = {"prompt_token_count": prompt.input_tokens, "generation_token_count": answer.output_tokens}
    whole = {"generation": answer.text, **usage, "stop_reason": "length" if answer.is_cut else "stop"}
    return Stream((Event(whole),), usage) if request.body.get("stream") else Reply(whole, usage)


def _cohere(request: Request) -> Reply:
    """Without the counts that Cohere itself gives: here only the headers have them."""
    is_ranking = "query" in request.body
    answer = (cohere_rerank if is_ranking else cohere_embed)(replace(request, path="/v2/"))
    return replace(answer, body={name: value for name, value in answer.body.items() if name != "meta"})


_MAKERS: dict[str, Callable[[Request], Reply | Stream]] = {
    "anthropic.": _anthropic,
    "amazon.nova": _nova,
    "amazon.titan-embed": _titan_embedding,
    "cohere.": _cohere,
}
