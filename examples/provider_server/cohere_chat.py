"""Cohere's chat, second version and first: what is billed is the text, what the model reads is that and its framing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from examples.provider_server.tokens import TOKENS_PER_MESSAGE, compact, pieces
from examples.provider_server.wire import (
    Answer,
    Event,
    Json,
    Line,
    Prompt,
    Reply,
    Request,
    Segment,
    Stream,
    Tool,
    new_id,
    segment,
)

_THINKING_TOKENS = 64
_PLAN = "I will look it up."


def chat(request: Request) -> Reply | Stream:
    """Answer `POST /v2/chat`."""
    prompt = _prompt(request)
    answer = _planned(request.answer(prompt), prompt)
    usage = _usage(prompt, answer, len(request.body["messages"]))
    message = _message(answer)
    whole = {"id": new_id(""), "message": message, "finish_reason": _reason(answer), "usage": usage}
    if request.body.get("stream"):
        return Stream(tuple(Event(data, data["type"]) for data in _events(whole)), usage)
    return Reply(whole, usage)


def first_chat(request: Request) -> Reply | Stream:
    """Answer `POST /v1/chat`."""
    prompt = _first_prompt(request)
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    usage = _usage(prompt, answer, 1 + len(request.body.get("chat_history") or ()))
    whole: Json = {
        "response_id": new_id(""),
        "generation_id": new_id(""),
        "text": answer.text,
        "chat_history": [
            *(request.body.get("chat_history") or ()),
            {"role": "USER", "message": prompt.ask},
            {"role": "CHATBOT", "message": answer.text},
        ],
        "finish_reason": "MAX_TOKENS" if answer.is_cut else "COMPLETE",
        "meta": {"api_version": {"version": "1"}, **usage},
    }
    if answer.tool_calls:
        whole["tool_calls"] = [{"name": call.name, "parameters": call.arguments} for call in answer.tool_calls]
    if request.body.get("stream"):
        return Stream(tuple(map(Line, _lines(whole))), usage, "application/stream+json")
    return Reply(whole, usage)


def _prompt(request: Request) -> Prompt:
    body = request.body
    messages: list[Json] = request.required("messages")
    form = body.get("response_format") or {}
    schema = form.get("schema") or form.get("json_schema")
    if schema is None and form.get("type") == "json_object":
        schema = {"type": "object"}
    settings = [value for value in (body.get("tools"), body.get("documents"), schema) if value]
    return Prompt(
        model=request.required("model"),
        ask=next((segment(each.get("content")).text for each in reversed(messages) if each["role"] == "user"), ""),
        segments=(*(segment(compact(value)) for value in settings), *map(_said, messages)),
        tools=tuple(
            Tool(name=tool["function"]["name"], schema=tool["function"].get("parameters") or {})
            for tool in body.get("tools") or ()
        ),
        tool_choice=str(body.get("tool_choice") or "auto").lower(),
        answers_tool=messages[-1]["role"] == "tool",
        schema=schema,
        max_output_tokens=body.get("max_tokens"),
        reasoning_tokens=_THINKING_TOKENS if (body.get("thinking") or {}).get("type") == "enabled" else 0,
    )


def _said(message: Json) -> Segment:
    content = message.get("content")
    parts: list[Any] = content if isinstance(content, list) else [content]
    plain = [part["document"].get("data") if "document" in part else part for part in parts if isinstance(part, dict)]
    texts = [part for part in parts if isinstance(part, str)]
    read = [compact(part) if isinstance(part, dict) and "type" not in part else part for part in plain]
    return segment([*texts, *read, *(message.get("tool_calls") or ()), *filter(None, [message.get("tool_plan")])])


def _first_prompt(request: Request) -> Prompt:
    body = request.body
    settings = [value for value in (body.get("tools"), body.get("documents"), body.get("tool_results")) if value]
    history = [each.get("message", "") for each in body.get("chat_history") or ()]
    texts = [*filter(None, [body.get("preamble")]), *history, request.required("message")]
    return Prompt(
        model=body.get("model") or "command-r",
        ask=body["message"],
        segments=(*(segment(compact(value)) for value in settings), *map(segment, texts)),
        tools=tuple(Tool(name=tool["name"], schema=_schema(tool)) for tool in body.get("tools") or ()),
        answers_tool=bool(body.get("tool_results")),
        max_output_tokens=body.get("max_tokens"),
    )


def _schema(tool: Json) -> Json:
    """Turn the first version's own way of naming a tool's parameters into a schema."""
    kinds = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
    defined = tool.get("parameter_definitions") or {}
    return {
        "properties": {name: {"type": kinds.get(each.get("type", "str"), "string")} for name, each in defined.items()}
    }


def _planned(answer: Answer, prompt: Prompt) -> Answer:
    """Say a plan before tools are called; it is paid as all other text is."""
    if answer.tool_calls and not answer.text:
        answer = replace(answer, text=_PLAN)
    return answer.fitted(prompt.max_output_tokens)


def _usage(prompt: Prompt, answer: Answer, messages: int) -> Json:
    return {
        "billed_units": {"input_tokens": prompt.input_tokens, "output_tokens": answer.output_tokens},
        "tokens": {
            "input_tokens": prompt.input_tokens + TOKENS_PER_MESSAGE * messages,
            "output_tokens": answer.output_tokens + 1,
        },
        "cached_tokens": 0,
    }


def _reason(answer: Answer) -> str:
    if answer.is_cut:
        return "MAX_TOKENS"
    return "TOOL_CALL" if answer.tool_calls else "COMPLETE"


def _message(answer: Answer) -> Json:
    message: Json = {"role": "assistant"}
    if answer.tool_calls:
        message["tool_plan"] = answer.text
        message["tool_calls"] = [
            {
                "id": f"{call.name}_{new_id('')[:12]}",
                "type": "function",
                "function": {"name": call.name, "arguments": compact(call.arguments)},
            }
            for call in answer.tool_calls
        ]
        return message
    thinking = [{"type": "thinking", "thinking": "It is plain what is asked for."}] if answer.reasoning_tokens else []
    message["content"] = [*thinking, {"type": "text", "text": answer.text}]
    return message


def _events(whole: Json) -> Iterator[Json]:
    message = whole["message"]
    begun = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": whole["id"], "delta": {"message": begun}}
    for piece in pieces(message.get("tool_plan", "")):
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}
    for index, part in enumerate(message.get("content", ())):
        kind = part["type"]
        yield _event("content-start", index, {"content": {"type": kind, kind: ""}})
        for piece in pieces(part[kind]):
            yield _event("content-delta", index, {"content": {kind: piece}})
        yield {"type": "content-end", "index": index}
    for index, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        yield _event("tool-call-start", index, {"tool_calls": call | {"function": function | {"arguments": ""}}})
        for piece in pieces(function["arguments"]):
            yield _event("tool-call-delta", index, {"tool_calls": {"function": {"arguments": piece}}})
        yield {"type": "tool-call-end", "index": index}
    yield {"type": "message-end", "delta": {"finish_reason": whole["finish_reason"], "usage": whole["usage"]}}


def _event(kind: str, index: int, message: Json) -> Json:
    return {"type": kind, "index": index, "delta": {"message": message}}


def _lines(whole: Json) -> Iterator[Json]:
    yield {"is_finished": False, "event_type": "stream-start", "generation_id": whole["generation_id"]}
    for piece in pieces(whole["text"]):
        yield {"is_finished": False, "event_type": "text-generation", "text": piece}
    if "tool_calls" in whole:
        calls = {"event_type": "tool-calls-generation", "text": whole["text"], "tool_calls": whole["tool_calls"]}
        yield {"is_finished": False} | calls
    end = {"event_type": "stream-end", "finish_reason": whole["finish_reason"], "response": whole}
    yield {"is_finished": True} | end
