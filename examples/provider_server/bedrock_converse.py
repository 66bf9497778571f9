"""Amazon's Converse, in one piece and as a stream of binary frames."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from examples.provider_server.anthropic_messages import cache_use
from examples.provider_server.frames import CONTENT_TYPE, Frame
from examples.provider_server.tokens import TOKENS_PER_MESSAGE, compact, count, first, pieces
from examples.provider_server.wire import (
    Answer,
    Json,
    Prompt,
    Reply,
    Request,
    Segment,
    Stream,
    Tool,
    new_id,
    segment,
)

_THINKING_TOKENS = 80
_THOUGHT = "What is asked for is plain, so I only have to say it in order. "
_SIGNATURE = "EqQBCkYIARgCKkDk0z4cZ3V2s0g7"


def converse(request: Request) -> Reply:
    """Answer `POST /model/{model}/converse`."""
    answer, usage = _answered(request)
    message = {"role": "assistant", "content": _content(answer)}
    body: Json = {
        "output": {"message": message},
        "stopReason": _stop_reason(answer),
        "usage": usage,
        "metrics": {"latencyMs": 42},
    }
    return Reply(body | _tier(request), usage)


def stream(request: Request) -> Stream:
    """Answer `POST /model/{model}/converse-stream`."""
    answer, usage = _answered(request)
    return Stream(tuple(_frames(answer, usage, _tier(request))), usage, CONTENT_TYPE)


def _answered(request: Request) -> tuple[Answer, Json]:
    body = request.body
    messages: list[Json] = request.required("messages")
    config = body.get("toolConfig") or {}
    specs = [tool["toolSpec"] for tool in config.get("tools") or () if "toolSpec" in tool]
    thinking = (body.get("additionalModelRequestFields") or {}).get("thinking") or {}
    prompt = Prompt(
        model=request.required("model"),
        ask=next((_text(turn) for turn in reversed(messages) if turn["role"] == "user" and _text(turn)), ""),
        segments=tuple(_segments(body)),
        tools=tuple(Tool(name=spec["name"], schema=spec["inputSchema"]["json"]) for spec in specs),
        tool_choice=_tool_choice(config.get("toolChoice") or {}),
        answers_tool=any("toolResult" in block for block in messages[-1]["content"]),
        reasoning_tokens=_THINKING_TOKENS if thinking.get("type") in ("enabled", "adaptive") else 0,
    )
    answer = request.answer(prompt).fitted((body.get("inferenceConfig") or {}).get("maxTokens"))
    read_tokens, written = cache_use(request, prompt)
    usage: Json = {
        "inputTokens": prompt.input_tokens - read_tokens - sum(written.values()),
        "outputTokens": answer.output_tokens,
        "totalTokens": prompt.input_tokens + answer.output_tokens,
        "cacheReadInputTokens": read_tokens,
        "cacheWriteInputTokens": sum(written.values()),
    }
    details = [{"ttl": ttl, "inputTokens": tokens} for ttl, tokens in written.items() if tokens]
    return answer, usage | ({"cacheDetails": details} if details else {})


def _tier(request: Request) -> Json:
    asked = request.body.get("serviceTier")
    return {"serviceTier": asked} if asked else {}


def _tool_choice(choice: Json) -> str:
    if "tool" in choice:
        return str(choice["tool"]["name"])
    return "required" if "any" in choice else "auto"


def _segments(body: Json) -> Iterator[Segment]:
    """Give every block a segment of its own; a cache point marks the one before it."""
    found: list[Segment] = []
    tools = (body.get("toolConfig") or {}).get("tools") or ()
    for block in tools:
        _add(found, block, compact(block), 0)
    for blocks in ([*(body.get("system") or ())], *(turn["content"] for turn in body["messages"])):
        for index, block in enumerate(blocks):
            _add(found, block, _readable(block), 0 if index else TOKENS_PER_MESSAGE)
    yield from found


def _add(found: list[Segment], block: Json, content: Any, extra_tokens: int) -> None:
    if "cachePoint" in block:
        if found:
            found[-1] = replace(found[-1], cache=block["cachePoint"].get("ttl") or "5m")
    else:
        found.append(segment([content], extra_tokens=extra_tokens))


def _readable(block: Json) -> Any:
    match block:
        case {"text": str(text)}:
            return text
        case {"toolUse": dict(call)}:
            return {"name": call["name"], "input": call["input"]}
        case {"toolResult": {"content": list(content)}}:
            return [compact(each["json"]) if "json" in each else _readable(each) for each in content]
        case {"reasoningContent": dict(content)}:
            return (content.get("reasoningText") or {}).get("text", "")
        case _:
            return block


def _text(turn: Json) -> str:
    return "\n".join(block["text"] for block in turn["content"] if "text" in block)


def _stop_reason(answer: Answer) -> str:
    if answer.is_cut:
        return "max_tokens"
    return "tool_use" if answer.tool_calls else "end_turn"


def _content(answer: Answer) -> list[Json]:
    content: list[Json] = []
    if answer.reasoning_tokens:
        repeats = answer.reasoning_tokens // count(_THOUGHT) + 1
        thought = first(_THOUGHT * repeats, answer.reasoning_tokens)
        content.append({"reasoningContent": {"reasoningText": {"text": thought, "signature": _SIGNATURE}}})
    if answer.text:
        content.append({"text": answer.text})
    content += (
        {"toolUse": {"toolUseId": new_id("tooluse_"), "name": call.name, "input": call.arguments}}
        for call in answer.tool_calls
    )
    return content


def _frames(answer: Answer, usage: Json, tier: Json) -> Iterator[Frame]:
    yield Frame({"role": "assistant"}, "messageStart")
    for index, block in enumerate(_content(answer)):
        at = {"contentBlockIndex": index}
        if "toolUse" in block:
            start = {name: block["toolUse"][name] for name in ("toolUseId", "name")}
            yield Frame({"start": {"toolUse": start}, **at}, "contentBlockStart")
        for delta in _deltas(block):
            yield Frame({"delta": delta, **at}, "contentBlockDelta")
        yield Frame(at, "contentBlockStop")
    yield Frame({"stopReason": _stop_reason(answer)}, "messageStop")
    yield Frame({"usage": usage, "metrics": {"latencyMs": 42}, **tier}, "metadata")


def _deltas(block: Json) -> Iterator[Json]:
    match block:
        case {"text": str(text)}:
            yield from ({"text": piece} for piece in pieces(text))
        case {"toolUse": dict(call)}:
            yield from ({"toolUse": {"input": piece}} for piece in pieces(compact(call["input"])))
        case _:
            thought = block["reasoningContent"]["reasoningText"]
            yield from ({"reasoningContent": {"text": piece}} for piece in pieces(thought["text"]))
            yield {"reasoningContent": {"signature": thought["signature"]}}
