"""Google's interactions: in one piece, as a stream of events, and going on from an earlier one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from examples.provider_server.openai_chat import cached_tokens
from examples.provider_server.tokens import TOKENS_PER_MESSAGE, compact, count, first, pieces
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

_THINKING_TOKENS = {"minimal": 16, "low": 64, "medium": 128, "high": 256}
_THOUGHT = "What is asked for is plain, so the answer can be short. "
_UNSAID = ("thought", "signature")


def interactions(request: Request) -> Reply | Stream:
    """Answer `POST /v1/interactions`."""
    prompt = _prompt(request)
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    steps = list(_steps(answer))
    at = datetime.fromtimestamp(request.now, UTC).isoformat()
    whole: Json = {
        "id": new_id("v1_"),
        "object": "interaction",
        "model": prompt.model,
        "status": _status(answer),
        "created": at,
        "updated": at,
        "steps": steps,
        "usage": _usage(request, prompt, answer),
    }
    if request.body.get("store") is not False:
        request.memory.store(whole["id"], (*prompt.segments, *(segment(compact(step)) for step in steps)))
    usage = whole["usage"]
    if request.body.get("stream"):
        return Stream(tuple(Event(data, data["event_type"]) for data in _events(whole)), usage)
    return Reply(whole, usage)


def _prompt(request: Request) -> Prompt:
    body = request.body
    asked: Any = request.required("input")
    items: list[Any] = asked if isinstance(asked, list) else [asked]
    settings = body.get("generation_config") or {}
    form = body.get("response_format")
    schema = (form if isinstance(form, dict) else {}).get("schema")
    own = [segment(compact(value)) for value in (body.get("tools"), schema) if value]
    system = [body["system_instruction"]] if body.get("system_instruction") else []
    texts = [segment(_readable(item)).text for item in items if _is_asked(item)]
    return Prompt(
        model=request.required("model"),
        ask=texts[-1] if texts else "",
        segments=(
            *own,
            *_earlier(request),
            *(segment(_readable(item), extra_tokens=TOKENS_PER_MESSAGE) for item in (*system, *items)),
        ),
        tools=tuple(
            Tool(name=tool["name"], schema=tool.get("parameters") or {})
            for tool in body.get("tools") or ()
            if tool.get("type") == "function"
        ),
        answers_tool=isinstance(items[-1], dict) and items[-1].get("type") == "function_result",
        schema=schema,
        max_output_tokens=settings.get("max_output_tokens"),
        reasoning_tokens=_THINKING_TOKENS.get(settings.get("thinking_level") or "", 0),
    )


def _is_asked(item: Any) -> bool:
    return isinstance(item, str) or item.get("type") in ("user_input", "text")


def _readable(item: Any) -> Any:
    match item:
        case {"type": "function_call", "name": str(name), "arguments": arguments}:
            return {"name": name, "arguments": arguments}
        case {"type": "function_result", "result": result}:
            return result if isinstance(result, str) else compact(result)
        case dict():
            return "" if item.get("type") in _UNSAID else item
        case _:
            return item


def _earlier(request: Request) -> tuple[Segment, ...]:
    previous = request.body.get("previous_interaction_id")
    stored = request.memory.stored(previous) if previous else ()
    if stored is None:
        raise WireError(404, f"Interaction {previous} not found.")
    return stored


def _status(answer: Answer) -> str:
    if answer.is_cut:
        return "incomplete"
    return "requires_action" if answer.tool_calls else "completed"


def _steps(answer: Answer) -> Iterator[Json]:
    if answer.reasoning_tokens:
        repeats = answer.reasoning_tokens // count(_THOUGHT) + 1
        thought = first(_THOUGHT * repeats, answer.reasoning_tokens)
        yield {"type": "thought", "signature": "CiQB0e2Kb7sVYw==", "summary": [{"type": "text", "text": thought}]}
    if answer.text:
        yield {"type": "model_output", "content": [{"type": "text", "text": answer.text}]}
    for call in answer.tool_calls:
        yield {"type": "function_call", "id": new_id("call_")[:16], "name": call.name, "arguments": call.arguments}


def _usage(request: Request, prompt: Prompt, answer: Answer) -> Json:
    """Thoughts stand beside the output, as in `generateContent`."""
    return {
        "total_input_tokens": prompt.input_tokens,
        "input_tokens_by_modality": [{"modality": "text", "tokens": prompt.input_tokens}],
        "total_cached_tokens": cached_tokens(request, prompt.segments),
        "total_output_tokens": answer.output_tokens - answer.reasoning_tokens,
        "total_thought_tokens": answer.reasoning_tokens,
        "total_tool_use_tokens": 0,
        "total_tokens": prompt.input_tokens + answer.output_tokens,
    }


def _events(whole: Json) -> Iterator[Json]:
    head = {name: whole[name] for name in ("id", "object", "model", "created", "updated")}
    yield {"event_type": "interaction.created", "interaction": head | {"status": "in_progress"}}
    for index, step in enumerate(whole["steps"]):
        begun = {name: value for name, value in step.items() if name not in ("content", "summary", "signature")}
        begun |= {"arguments": {}} if step["type"] == "function_call" else {}
        yield {"event_type": "step.start", "index": index, "step": begun}
        for delta in _deltas(step):
            yield {"event_type": "step.delta", "index": index, "delta": delta}
        yield {"event_type": "step.stop", "index": index}
    ended = head | {"status": whole["status"], "usage": whole["usage"]}
    yield {"event_type": "interaction.completed", "interaction": ended}


def _deltas(step: Json) -> Iterator[Json]:
    match step["type"]:
        case "thought":
            for piece in pieces(step["summary"][0]["text"]):
                yield {"type": "thought_summary", "content": {"type": "text", "text": piece}}
            yield {"type": "thought_signature", "signature": step["signature"]}
        case "model_output":
            yield from ({"type": "text", "text": piece} for piece in pieces(step["content"][0]["text"]))
        case _:
            yield from ({"type": "arguments_delta", "arguments": piece} for piece in pieces(compact(step["arguments"])))
