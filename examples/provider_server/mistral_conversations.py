"""Mistral's conversations: kept by the server, in one piece or as a stream of events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from examples.provider_server.tokens import TOKENS_PER_MESSAGE, compact, pieces, read
from examples.provider_server.wire import (
    Answer,
    Event,
    Json,
    Prompt,
    Reply,
    Request,
    Stream,
    Tool,
    WireError,
    new_id,
    segment,
)

_MODEL = "mistral-medium-latest"


def start(request: Request) -> Reply | Stream:
    """Answer `POST /v1/conversations`."""
    if "model" not in request.body and "agent_id" not in request.body:
        raise WireError(400, "model: Field required", param="model")
    kept = {name: request.body.get(name) for name in ("model", "agent_id", "instructions", "tools")}
    return _answered(request, new_id("conv_"), kept, ())


def go_on(request: Request) -> Reply | Stream:
    """Answer `POST /v1/conversations/{id}`: what was said before is read again."""
    return _answered(request, request.at["id"], *request.memory.kept(request.at["id"]))


def _answered(request: Request, id_: str, kept: Json, before: tuple[Any, ...]) -> Reply | Stream:
    asked: Any = request.required("inputs")
    entries: list[Any] = asked if isinstance(asked, list) else [{"role": "user", "content": asked}]
    said = (*before, *map(_readable, entries))
    prompt = Prompt(
        model=kept["model"] or _MODEL,
        ask=next((read(each["content"])[0] for each in reversed(entries) if each.get("role") == "user"), ""),
        segments=(
            *(segment(compact(value)) for value in (kept["tools"], kept["instructions"]) if value),
            *(segment(each, extra_tokens=TOKENS_PER_MESSAGE) for each in said),
        ),
        tools=tuple(
            Tool(name=tool["function"]["name"], schema=tool["function"].get("parameters") or {})
            for tool in kept["tools"] or ()
            if tool["type"] == "function"
        ),
        answers_tool=entries[-1].get("type") == "function.result",
        max_output_tokens=(request.body.get("completion_args") or {}).get("max_tokens"),
    )
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    usage = {
        "prompt_tokens": prompt.input_tokens,
        "completion_tokens": answer.output_tokens,
        "total_tokens": prompt.input_tokens + answer.output_tokens,
    }
    outputs = [each | {"model": prompt.model} for each in _outputs(answer)]
    if request.body.get("store") is not False:
        request.memory.keep(id_, (kept, (*said, *map(_readable, outputs))))
    at = datetime.fromtimestamp(request.now, UTC).isoformat()
    if request.body.get("stream"):
        events = _events(id_, outputs, usage)
        return Stream(tuple(Event(data | {"created_at": at}, data["type"]) for data in events), usage)
    whole = {"object": "conversation.response", "conversation_id": id_, "outputs": outputs, "usage": usage}
    return Reply(whole, usage)


def _readable(entry: Json) -> Any:
    match entry:
        case {"type": "function.call", "name": str(name), "arguments": arguments}:
            return {"name": name, "arguments": arguments}
        case {"type": "function.result", "result": str(result)}:
            return result
        case _:
            return entry.get("content") or ""


def _outputs(answer: Answer) -> list[Json]:
    said = {"object": "entry", "type": "message.output", "id": new_id("msg_"), "role": "assistant"}
    outputs = [said | {"content": answer.text}] if answer.text or not answer.tool_calls else []
    outputs += [
        {
            "object": "entry",
            "type": "function.call",
            "id": new_id("fc_"),
            "tool_call_id": new_id("")[:9],
            "name": call.name,
            "arguments": compact(call.arguments),
        }
        for call in answer.tool_calls
    ]
    return outputs


def _events(id_: str, outputs: list[Json], usage: Json) -> Iterator[Json]:
    yield {"type": "conversation.response.started", "conversation_id": id_}
    for index, entry in enumerate(outputs):
        head = {name: value for name, value in entry.items() if name != "object"} | {"output_index": index}
        if entry["type"] == "function.call":
            yield head | {"type": "function.call.delta"}
            continue
        for piece in pieces(entry["content"]):
            yield head | {"type": "message.output.delta", "content_index": 0, "content": piece}
    yield {"type": "conversation.response.done", "usage": usage}
