"""Ollama's chat, generate and embed: lines of JSON, the last with the counts; it streams unless told not to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from examples.provider_server.numbers import vector
from examples.provider_server.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_PART, compact, count, first, pieces
from examples.provider_server.wire import (
    Answer,
    Json,
    Line,
    Prompt,
    Reply,
    Request,
    Segment,
    Stream,
    Tool,
    segment,
)

_SIZE = 768
_THINKING_TOKENS = 64
_THOUGHT = "What is asked for is plain, so I only have to say it in order. "
_NANOSECONDS_PER_TOKEN = 1_000_000


def chat(request: Request) -> Reply | Stream:
    """Answer `POST /api/chat`."""
    messages = request.required("messages")
    tools = [tool["function"] for tool in request.body.get("tools") or ()]
    own = [segment(compact(request.body["tools"]))] if tools else []
    prompt = Prompt(
        model=request.required("model"),
        ask=next((each.get("content") or "" for each in reversed(messages) if each["role"] == "user"), ""),
        segments=(*own, *map(_said, messages)),
        tools=tuple(Tool(name=tool["name"], schema=tool.get("parameters") or {}) for tool in tools),
        answers_tool=messages[-1]["role"] == "tool",
        **_settings(request.body),
    )
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    calls = [{"function": {"name": call.name, "arguments": call.arguments}} for call in answer.tool_calls]

    def message(text: str, *, has_calls: bool = False, thinking: str = "") -> Json:
        said: Json = {"role": "assistant", "content": text}
        said |= {"thinking": thinking} if thinking else {}
        return {"message": said | ({"tool_calls": calls} if calls and has_calls else {})}

    if request.body.get("stream") is False:
        return _whole(request, prompt, answer, message(answer.text, has_calls=True, thinking=_thought(answer)))
    thoughts = [message("", thinking=_thought(answer))] if answer.reasoning_tokens else []
    steps = [*thoughts, *map(message, pieces(answer.text)), *([message("", has_calls=True)] if calls else [])]
    return _streamed(request, prompt, answer, steps, message(""))


def generate(request: Request) -> Reply | Stream:
    """Answer `POST /api/generate`."""
    body = request.body
    texts = [text for text in (body.get("system"), body.get("suffix")) if text]
    prompt = Prompt(
        model=request.required("model"),
        ask=body.get("prompt") or "",
        segments=(*map(segment, texts), _said({"content": body.get("prompt"), "images": body.get("images")})),
        **_settings(body),
    )
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    if body.get("stream") is False:
        thinking = {"thinking": _thought(answer)} if answer.reasoning_tokens else {}
        return _whole(request, prompt, answer, {"response": answer.text, **thinking})
    steps: list[Json] = [{"response": piece} for piece in pieces(answer.text)]
    return _streamed(request, prompt, answer, steps, {"response": "", "context": [1, 2, 3]})


def embed(request: Request) -> Reply:
    """Answer `POST /api/embed`."""
    asked = request.required("input")
    texts = [asked] if isinstance(asked, str) else asked
    size = request.body.get("dimensions") or _SIZE
    usage = {"prompt_eval_count": sum(map(count, texts))}
    timed = {"total_duration": 2 * _NANOSECONDS_PER_TOKEN, "load_duration": _NANOSECONDS_PER_TOKEN}
    vectors = [vector(text, size) for text in texts]
    return Reply({"model": request.required("model"), "embeddings": vectors, **timed, **usage}, usage)


def embed_one(request: Request) -> Reply:
    """Answer `POST /api/embeddings`, as it was before: it counts nothing."""
    text = request.required("prompt")
    return Reply({"embedding": vector(text, _SIZE)}, {"prompt_eval_count": count(text)})


def _settings(body: Json) -> Json:
    """Read what chat and generate have in common."""
    form = body.get("format")
    wanted = (body.get("options") or {}).get("num_predict")
    return {
        "schema": {"type": "object"} if form == "json" else form or None,
        "max_output_tokens": wanted if wanted and wanted > 0 else None,
        "reasoning_tokens": _THINKING_TOKENS if body.get("think") else 0,
    }


def _said(message: Json) -> Segment:
    calls = [{"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
             for call in message.get("tool_calls") or ()]  # fmt: skip
    images = len(message.get("images") or ())
    return segment([message.get("content"), *calls], extra_tokens=TOKENS_PER_MESSAGE + TOKENS_PER_PART * images)


def _thought(answer: Answer) -> str:
    repeats = answer.reasoning_tokens // count(_THOUGHT) + 1
    return first(_THOUGHT * repeats, answer.reasoning_tokens)


def _counts(prompt: Prompt, answer: Answer) -> Json:
    return {"prompt_eval_count": prompt.input_tokens, "eval_count": answer.output_tokens}


def _end(prompt: Prompt, answer: Answer) -> Json:
    counts = _counts(prompt, answer)
    return {
        "done": True,
        "done_reason": "length" if answer.is_cut else "stop",
        "total_duration": sum(counts.values()) * _NANOSECONDS_PER_TOKEN,
        "load_duration": _NANOSECONDS_PER_TOKEN,
        "prompt_eval_duration": counts["prompt_eval_count"] * _NANOSECONDS_PER_TOKEN,
        "eval_duration": counts["eval_count"] * _NANOSECONDS_PER_TOKEN,
        **counts,
    }


def _head(request: Request, prompt: Prompt) -> Json:
    return {"model": prompt.model, "created_at": datetime.fromtimestamp(request.now, UTC).isoformat()}


def _whole(request: Request, prompt: Prompt, answer: Answer, said: Json) -> Reply:
    return Reply(_head(request, prompt) | said | _end(prompt, answer), _counts(prompt, answer))


def _streamed(request: Request, prompt: Prompt, answer: Answer, steps: list[Json], last: Json) -> Stream:
    head = _head(request, prompt)

    def lines() -> Iterator[Line]:
        for step in steps:
            yield Line(head | step | {"done": False})
        yield Line(head | last | _end(prompt, answer))

    return Stream(tuple(lines()), _counts(prompt, answer), "application/x-ndjson")
