"""OpenAI's responses: in one piece, as a typed stream of events, and the count of a request's tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from examples.provider_server.openai_chat import (
    REASONING_TOKENS,
    cached_tokens,
    is_stream,
    service_tier,
    tool_choice,
)
from examples.provider_server.tokens import TOKENS_PER_MESSAGE, compact, pieces, read
from examples.provider_server.wire import (
    Answer,
    Event,
    Json,
    Prompt,
    Reply,
    Request,
    Segment,
    Stream,
    Tool,
    WireError,
    new_id,
    segment,
)

_ECHOED: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what stands there when the request is silent."""


def responses(request: Request) -> Reply | Stream:
    """Answer `POST /v1/responses`."""
    prompt = _prompt(request)
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    output = _output(answer)
    response: Json = {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": request.now,
        "status": "incomplete" if answer.is_cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if answer.is_cut else None,
        "model": prompt.model,
        "output": output,
        "service_tier": service_tier(request.body),
        "usage": {
            "input_tokens": prompt.input_tokens,
            "input_tokens_details": {
                "cached_tokens": cached_tokens(request, prompt.segments),
                "cache_write_tokens": 0,
            },
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": prompt.input_tokens + answer.output_tokens,
        },
        **{name: value if request.body.get(name) is None else request.body[name] for name, value in _ECHOED.items()},
    }
    if request.body.get("store") is not False:
        said = tuple(segment(item, extra_tokens=TOKENS_PER_MESSAGE) for item in output if item["type"] != "reasoning")
        request.memory.store(response["id"], (*prompt.segments, *said))
    usage = response["usage"]
    return Stream(tuple(_events(response)), usage) if is_stream(request.body) else Reply(response, usage)


def input_tokens(request: Request) -> Reply:
    """Answer `POST /v1/responses/input_tokens`."""
    return Reply({"object": "response.input_tokens", "input_tokens": _prompt(request).input_tokens})


def _prompt(request: Request) -> Prompt:
    body = request.body
    model, asked = request.required("model"), request.required("input")
    items: list[Json] = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    form = (body.get("text") or {}).get("format") or {}
    schema = {"type": "object"} if form.get("type") == "json_object" else form.get("schema")
    settings = [compact(value) for value in (body.get("tools"), schema) if value]
    instructions = body.get("instructions")
    own = [segment(text) for text in settings]
    if instructions:
        own.append(segment(instructions, extra_tokens=TOKENS_PER_MESSAGE))
    return Prompt(
        model=model,
        ask=next((read(item["content"])[0] for item in reversed(items) if item.get("role") == "user"), ""),
        segments=(
            *own,
            *_earlier(request),
            *(segment(_spoken(item), extra_tokens=TOKENS_PER_MESSAGE) for item in items),
        ),
        tools=tuple(
            Tool(name=tool["name"], schema=tool.get("parameters") or {})
            for tool in body.get("tools") or ()
            if tool.get("type") == "function"
        ),
        tool_choice=tool_choice(body.get("tool_choice")),
        answers_tool=items[-1].get("type") == "function_call_output",
        schema=schema,
        max_output_tokens=body.get("max_output_tokens"),
        reasoning_tokens=REASONING_TOKENS.get((body.get("reasoning") or {}).get("effort") or "none", 0),
    )


def _spoken(item: Json) -> Any:
    """Reasoning that is sent back costs nothing here."""
    return "" if item.get("type") == "reasoning" else item


def _earlier(request: Request) -> tuple[Segment, ...]:
    """Return the conversation that this request goes on with; the provider bills it again."""
    previous = request.body.get("previous_response_id")
    if not previous:
        return ()
    stored = request.memory.stored(previous)
    if stored is None:
        raise WireError(
            400,
            f"Previous response with id '{previous}' not found.",
            code="previous_response_not_found",
            param="previous_response_id",
        )
    return stored


def _output(answer: Answer) -> list[Json]:
    status = "incomplete" if answer.is_cut else "completed"
    output: list[Json] = []
    if answer.reasoning_tokens:
        output.append({"id": new_id("rs_"), "type": "reasoning", "summary": []})
    if answer.text or not answer.tool_calls:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        message = {"id": new_id("msg_"), "type": "message", "role": "assistant", "status": status, "content": [part]}
        output.append(message)
    output += (
        {
            "id": new_id("fc_"),
            "type": "function_call",
            "call_id": new_id("call_"),
            "name": call.name,
            "arguments": compact(call.arguments),
            "status": status,
        }
        for call in answer.tool_calls
    )
    return output


def _events(response: Json) -> Iterator[Event]:
    """Number the events of a response as they happen."""
    for number, (name, data) in enumerate(_steps(response)):
        yield Event({"type": name, "sequence_number": number, **data}, name)


def _steps(response: Json) -> Iterator[tuple[str, Json]]:
    begun = response | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(response["output"]):
        at = {"output_index": index}
        yield "response.output_item.added", at | {"item": _begun(item)}
        yield from _content_steps(item, at | {"item_id": item["id"]})
        yield "response.output_item.done", at | {"item": item}
    yield f"response.{response['status']}", {"response": response}


def _begun(item: Json) -> Json:
    match item["type"]:
        case "message":
            return item | {"status": "in_progress", "content": []}
        case "function_call":
            return item | {"status": "in_progress", "arguments": ""}
        case _:
            return item


def _content_steps(item: Json, at: Json) -> Iterator[tuple[str, Json]]:
    if item["type"] == "message":
        at = at | {"content_index": 0}
        part = item["content"][0]
        yield "response.content_part.added", at | {"part": part | {"text": ""}}
        for piece in pieces(part["text"]):
            yield "response.output_text.delta", at | {"delta": piece, "logprobs": []}
        yield "response.output_text.done", at | {"text": part["text"], "logprobs": []}
        yield "response.content_part.done", at | {"part": part}
    elif item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", at | {"delta": piece}
        yield "response.function_call_arguments.done", at | {"arguments": item["arguments"]}
