"""Google's generateContent, in one piece and as a stream."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from examples.provider_server.openai_chat import cached_tokens
from examples.provider_server.tokens import TOKENS_PER_MESSAGE, TOKENS_PER_PART, compact, count, first, pieces
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
    new_id,
    segment,
)

_THINKING_TOKENS = 80
_THOUGHT = "What is asked for is plain, so the answer can be short and say where it comes from. "
_THOUGHT_SIGNATURE = "CiQB0e2Kb7sVYw=="


def generate(request: Request) -> Reply:
    """Answer `…:generateContent`."""
    prompt = to_prompt(request)
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    usage = _usage(request, prompt, answer)
    return Reply(_head(request) | {"candidates": [_candidate(_parts(request, answer), answer)]} | usage, _bare(usage))


def stream(request: Request) -> Stream:
    """Answer `…:streamGenerateContent?alt=sse`: each event has a piece, and the usage so far."""
    prompt = to_prompt(request)
    answer = request.answer(prompt).fitted(prompt.max_output_tokens)
    usage, head = _usage(request, prompt, answer), _head(request)
    return Stream(tuple(Event(head | chunk) for chunk in _chunks(_parts(request, answer), answer, usage)), _bare(usage))


def to_prompt(request: Request) -> Prompt:
    """Read what is asked."""
    body = request.body
    contents: list[Json] = request.required("contents")
    settings = at(body, "generationConfig") or {}
    schema = at(settings, "responseJsonSchema") or at(settings, "responseSchema")
    if schema is None and at(settings, "responseMimeType") == "application/json":
        schema = {"type": "object"}
    own = [segment(compact(value)) for value in (body.get("tools"), schema) if value]
    system = at(body, "systemInstruction")
    turns = [system, *contents] if system else contents
    last = contents[-1]["parts"]
    return Prompt(
        model=request.required("model"),
        ask=next(
            (_text(turn) for turn in reversed(contents) if turn.get("role", "user") == "user" and _text(turn)), ""
        ),
        segments=(*own, *(_turn(turn) for turn in turns)),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(body),
        answers_tool=any(at(part, "functionResponse") for part in last),
        schema=_plain(schema) if schema else None,
        max_output_tokens=at(settings, "maxOutputTokens"),
        reasoning_tokens=_reasoning(at(settings, "thinkingConfig") or {}),
    )


def at(fields: Json, name: str) -> Any:
    """Return a field by its name, which Google takes in camel case and with underscores, and its SDK mixes."""
    found = fields.get(name)
    return fields.get(re.sub("([A-Z])", lambda each: "_" + each[1].lower(), name)) if found is None else found


def modalities(request: Request, prompt: Prompt) -> list[Json]:
    """Split a prompt's tokens by what they are of."""
    found: Counter[str] = Counter()
    for turn in request.body.get("contents", ()):
        for part in turn["parts"]:
            medium = at(part, "inlineData") or at(part, "fileData")
            if medium:
                kind = str(at(medium, "mimeType") or "").partition("/")[0].upper()
                found[kind if kind in ("IMAGE", "AUDIO", "VIDEO") else "DOCUMENT"] += TOKENS_PER_PART
    text = prompt.input_tokens - sum(found.values())
    return [_of("TEXT", text), *(_of(kind, tokens) for kind, tokens in found.items())]


def _of(modality: str, tokens: int) -> Json:
    return {"modality": modality, "tokenCount": tokens}


def _reasoning(thinking: Json) -> int:
    """Think when told to, by a budget or a level; a budget of 0 turns it off."""
    is_asked = any(at(thinking, name) for name in ("thinkingBudget", "thinkingLevel", "includeThoughts"))
    return _THINKING_TOKENS if is_asked and at(thinking, "thinkingBudget") != 0 else 0


def _tools(body: Json) -> Iterator[Tool]:
    for tool in body.get("tools") or ():
        for each in at(tool, "functionDeclarations") or ():
            schema = at(each, "parametersJsonSchema") or each.get("parameters") or {}
            yield Tool(name=each["name"], schema=_plain(schema))


def _plain(schema: Json) -> Json:
    """Return a schema with its types in lower case, as JSON's own schemas have them."""
    result: Json = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            result[key] = value.lower()
        elif key == "properties":
            result[key] = {name: _plain(inner) for name, inner in value.items()}
        else:
            result[key] = _plain(value) if isinstance(value, dict) else value
    return result


def _tool_choice(body: Json) -> str:
    config = at(at(body, "toolConfig") or {}, "functionCallingConfig") or {}
    allowed = at(config, "allowedFunctionNames")
    if config.get("mode") == "ANY":
        return str(allowed[0]) if allowed else "required"
    return "none" if config.get("mode") == "NONE" else "auto"


def _turn(turn: Json) -> Segment:
    return segment([_readable(part) for part in turn["parts"]], extra_tokens=TOKENS_PER_MESSAGE)


def _readable(part: Json) -> Any:
    if (text := part.get("text")) is not None:
        return text
    if call := at(part, "functionCall"):
        return {"name": call["name"], "arguments": call.get("args") or {}}
    if answer := at(part, "functionResponse"):
        return {"name": answer["name"], "arguments": answer.get("response") or {}}
    return part


def _text(turn: Json) -> str:
    return "\n".join(part["text"] for part in turn["parts"] if "text" in part)


def _head(request: Request) -> Json:
    return {"modelVersion": request.body["model"], "responseId": new_id("")[:24]}


def _parts(request: Request, answer: Answer) -> list[Json]:
    config = at(at(request.body, "generationConfig") or {}, "thinkingConfig") or {}
    parts: list[Json] = []
    if answer.reasoning_tokens and at(config, "includeThoughts"):
        repeats = answer.reasoning_tokens // count(_THOUGHT) + 1
        parts.append({"text": first(_THOUGHT * repeats, answer.reasoning_tokens), "thought": True})
    if answer.text:
        parts.append({"text": answer.text})
    for call in answer.tool_calls:
        part: Json = {"functionCall": {"name": call.name, "args": call.arguments}}
        parts.append(part | ({"thoughtSignature": _THOUGHT_SIGNATURE} if answer.reasoning_tokens else {}))
    return parts


def _candidate(parts: list[Json], answer: Answer | None) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if answer is not None:
        candidate["finishReason"] = "MAX_TOKENS" if answer.is_cut else "STOP"
    return candidate


def _usage(request: Request, prompt: Prompt, answer: Answer) -> Json:
    """Thoughts stand beside the candidates' tokens, and count into the total."""
    usage: Json = {
        "promptTokenCount": prompt.input_tokens,
        "candidatesTokenCount": answer.output_tokens - answer.reasoning_tokens,
        "totalTokenCount": prompt.input_tokens + answer.output_tokens,
        "promptTokensDetails": modalities(request, prompt),
    }
    if cached := cached_tokens(request, prompt.segments):
        usage["cachedContentTokenCount"] = cached
        usage["cacheTokensDetails"] = [_of("TEXT", cached)]
    if answer.reasoning_tokens:
        usage["thoughtsTokenCount"] = answer.reasoning_tokens
    return {"usageMetadata": usage}


def _bare(usage: Json) -> Json:
    found: Json = usage["usageMetadata"]
    return found


def _chunks(parts: list[Json], answer: Answer, usage: Json) -> Iterator[Json]:
    whole = usage["usageMetadata"]
    known = {name: whole[name] for name in ("promptTokenCount", "promptTokensDetails")}
    so_far = 0
    for part in parts:
        for piece in [part] if "functionCall" in part else [part | {"text": text} for text in pieces(part["text"])]:
            so_far += 0 if part.get("thought") else count(piece.get("text", ""))
            counted = known | {
                "candidatesTokenCount": so_far,
                "totalTokenCount": whole["promptTokenCount"] + so_far,
            }
            yield {"candidates": [_candidate([piece], None)], "usageMetadata": counted}
    yield {"candidates": [_candidate([{"text": ""}], answer)], **usage}
