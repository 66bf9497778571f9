"""Mistral's chat, code completion, agents, embeddings and document reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from examples.provider_server.numbers import vector
from examples.provider_server.openai_chat import cached_tokens, chat_prompt, finish_reason, inputs
from examples.provider_server.tokens import compact, count, first, pieces
from examples.provider_server.wire import (
    Answer,
    Event,
    Json,
    Prompt,
    Reply,
    Request,
    Stream,
    WireError,
    new_id,
    segment,
)

_SIZE = 1024
_PAGES = 2
"""Pages of a document that the server cannot count."""
_THOUGHT = "What is asked for is plain, so I only have to say it in order. "


def chat(request: Request) -> Reply | Stream:
    """Answer `POST /v1/chat/completions`, `/v1/fim/completions` and `/v1/agents/completions`."""
    if "agent_id" in request.body:  # whose model is set elsewhere
        request = replace(request, body={"model": "mistral-medium-latest", **request.body})
    prompt = _filled_in(request) if request.path.endswith("/fim/completions") else _prompt(request)
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    usage: Json = {
        "prompt_tokens": prompt.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": prompt.input_tokens + answer.output_tokens,
    }
    if cached := cached_tokens(request, prompt.segments):
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    head: Json = {"id": new_id("")[:32], "created": request.now, "model": prompt.model}
    if request.body.get("stream"):
        chunks = [Event(head | {"object": "chat.completion.chunk"} | chunk) for chunk in _chunks(answer, usage)]
        return Stream((*chunks, Event("[DONE]")), usage)
    message: Json = {"role": "assistant", "content": _content(answer), "tool_calls": _calls(answer), "prefix": False}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason(answer)}
    return Reply(head | {"object": "chat.completion", "choices": [choice], "usage": usage}, usage)


def embeddings(request: Request) -> Reply:
    """Answer `POST /v1/embeddings`."""
    found = inputs(request.required("input"))
    size = request.body.get("output_dimension") or _SIZE
    tokens = sum(number for _, number in found)
    usage = {"prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens}
    data = [
        {"object": "embedding", "index": index, "embedding": vector(text, size)}
        for index, (text, _) in enumerate(found)
    ]
    body = {"id": new_id("")[:32], "object": "list", "data": data, "model": request.required("model"), "usage": usage}
    return Reply(body, usage)


def ocr(request: Request) -> Reply:
    """Answer `POST /v1/ocr`: an image is a page, a document has two unless some are named."""
    document = request.required("document")
    wanted = request.body.get("pages") or range(1 if "image_url" in document else _PAGES)
    if isinstance(wanted, str):
        raise WireError(400, "pages: a list of numbers is understood here", param="pages")
    pages = [
        {
            "index": number,
            "markdown": f"# Page {number + 1}\n\nA limit that is checked afterwards is a report, not a limit.",
            "images": [],
            "dimensions": {"dpi": 200, "height": 2200, "width": 1700},
        }
        for number in wanted
    ]
    usage = {"pages_processed": len(pages), "doc_size_bytes": len(compact(document))}
    return Reply({"pages": pages, "model": request.required("model"), "usage_info": usage}, usage)


def _prompt(request: Request) -> Prompt:
    prompt = chat_prompt(request)
    choice = "required" if prompt.tool_choice == "any" else prompt.tool_choice
    is_reasoning = request.body.get("prompt_mode") == "reasoning"
    return replace(prompt, tool_choice=choice, reasoning_tokens=64 if is_reasoning else prompt.reasoning_tokens)


def _filled_in(request: Request) -> Prompt:
    """Code before and after the place that is to be filled."""
    before, after = request.required("prompt"), request.body.get("suffix") or ""
    return Prompt(
        model=request.required("model"),
        ask=before,
        segments=(segment(before), segment(after)),
        max_output_tokens=request.body.get("max_tokens"),
    )


def _content(answer: Answer) -> Any:
    if not answer.reasoning_tokens:
        return answer.text
    repeats = answer.reasoning_tokens // count(_THOUGHT) + 1
    thought = first(_THOUGHT * repeats, answer.reasoning_tokens)
    return [
        {"type": "thinking", "thinking": [{"type": "text", "text": thought}]},
        {"type": "text", "text": answer.text},
    ]


def _calls(answer: Answer) -> list[Json] | None:
    calls = [
        {
            "id": new_id("")[:9],
            "function": {"name": call.name, "arguments": compact(call.arguments)},
            "index": index,
        }
        for index, call in enumerate(answer.tool_calls)
    ]
    return calls or None


def _chunks(answer: Answer, usage: Json) -> Iterator[Json]:
    """The last chunk has the reason, the usage, and calls of tools in one piece."""

    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    if answer.reasoning_tokens:
        yield chunk({"content": _content(answer)[:1]})
    for piece in pieces(answer.text):
        yield chunk({"content": piece})
    calls = _calls(answer)
    last: Json = {"content": ""} if calls is None else {"content": "", "tool_calls": calls}
    yield chunk(last, finish_reason(answer)) | {"usage": usage}
