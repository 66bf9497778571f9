"""What the server answers: rules given by its owner, else an answer made from the request itself.

Unless a rule says otherwise a request with tools gets a call of the first tool (or of the one it insists on) with
arguments that fit the tool's schema; a request for structured output gets JSON that fits its schema; everything else
gets text: as many words as the last user message asks for ("in 200 words"), else sixty.
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from examples.provider_server.faults import Fault
from examples.provider_server.tokens import compact
from examples.provider_server.wire import Answer, Json, Prompt, ToolCall

DEFAULT_WORDS = 60
_WORDS_ASKED = re.compile(r"\b(\d{1,5})[ -]words?\b")
_SENTENCES = (
    "What holds in one place rarely holds everywhere, so the numbers come first and the opinion second.",
    "Three sources agree on the cause, and one of them was measured rather than guessed.",
    "The cheapest change is to stop doing what nobody reads.",
    "Whoever pays for the result should see the price before the work starts.",
    "A limit that is checked afterwards is a report, not a limit.",
    "The remaining risk is small, known, and written down.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An answer or a fault for the requests it matches."""

    path: str = "*"
    model: str = "*"
    contains: str = ""
    """Text that the request's body must contain."""
    answer: Answer | None = None
    fault: Fault = field(default_factory=Fault)
    usage: Json = field(default_factory=dict)
    """Fields that replace those of the usage the server would report."""
    times: int | None = None
    """How many requests it serves; None: all."""

    def matches(self, path: str, body: Json) -> bool:
        """Tell whether this rule is meant for a request."""
        return (
            fnmatchcase(path, self.path)
            and fnmatchcase(str(body.get("model", "")), self.model)
            and self.contains in compact(body)
        )


class Script:
    """The owner's rules; the first that matches and is not used up wins."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._lock = threading.Lock()
        self._rules: list[tuple[Rule, Iterator[int]]] = []
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> None:
        """Add a rule behind those that are there."""
        uses = itertools.count() if rule.times is None else iter(range(rule.times))
        with self._lock:
            self._rules.append((rule, uses))

    def take(self, path: str, body: Json) -> Rule | None:
        """Return the rule for a request and count its use."""
        with self._lock:
            for rule, uses in self._rules:
                if rule.matches(path, body) and next(uses, None) is not None:
                    return rule
        return None


def rule_from_json(entry: Json) -> Rule:
    """Read a rule of a script file.

    Raises:
        ValueError: An unknown key or fault.
    """
    known = dict(entry)
    answer = known.pop("answer", None)
    fault = Fault.parse(known.pop("fault", ""))
    known.setdefault("times", fault.times)
    unknown = set(known) - {"path", "model", "contains", "usage", "times"}
    if unknown:
        raise ValueError(f"script: unknown key {min(unknown)!r} in {compact(entry)}")
    return Rule(**known, fault=fault, answer=None if answer is None else _answer_from_json(answer))


def _answer_from_json(entry: Json) -> Answer:
    calls = tuple(ToolCall(name=call["name"], arguments=call["arguments"]) for call in entry.get("tool_calls", ()))
    return Answer(text=entry.get("text", ""), tool_calls=calls, reasoning_tokens=int(entry.get("reasoning_tokens", 0)))


def default_answer(prompt: Prompt) -> Answer:
    """Make an answer of nothing but the request."""
    topic = " ".join(prompt.ask.split()[:8]) or "nothing in particular"
    tool = next((tool for tool in prompt.tools if prompt.tool_choice in (tool.name, "auto", "required")), None)
    if tool is not None and (prompt.tool_choice != "auto" or not prompt.answers_tool):
        call = ToolCall(name=tool.name, arguments=instance(tool.schema, topic))
        return Answer(tool_calls=(call,), reasoning_tokens=prompt.reasoning_tokens)
    text = _prose(prompt.ask, topic) if prompt.schema is None else compact(instance(prompt.schema, topic))
    return Answer(text=text, reasoning_tokens=prompt.reasoning_tokens)


def _prose(ask: str, topic: str) -> str:
    asked = _WORDS_ASKED.search(ask)
    wanted = int(asked[1]) if asked else DEFAULT_WORDS
    words = f"On {topic}:".split()
    for sentence in itertools.cycle(_SENTENCES):
        if len(words) >= wanted:
            break
        words += sentence.split()
    return " ".join(words[:wanted])


_PLAIN: Json = {"integer": 1, "number": 1.5, "boolean": True, "null": None, "array": [], "object": {}}


def instance(schema: Json, topic: str) -> Any:
    """Make a value that fits a JSON schema; its texts speak of `topic`."""
    return _instance(schema, topic, schema.get("$defs") or schema.get("definitions") or {})


def _instance(schema: Json, topic: str, defs: Json) -> Any:
    match schema:
        case {"const": value} | {"enum": [value, *_]} | {"default": value}:
            return value
        case {"anyOf": [inner, *_]} | {"oneOf": [inner, *_]} | {"allOf": [inner, *_]}:
            return _instance(inner, topic, defs)
        case {"$ref": str(ref)}:
            return _instance(defs[ref.rsplit("/", 1)[-1]], topic, defs)
        case {"properties": dict(properties)}:
            return {name: _instance(inner, f"{topic} ({name})", defs) for name, inner in properties.items()}
        case {"items": dict(items)}:
            return [_instance(items, f"{topic}, part {number}", defs) for number in range(1, _length(schema) + 1)]
        case _:
            kinds = schema.get("type", "string")
            kind = kinds[0] if isinstance(kinds, list) else kinds
            return schema.get("minimum", _PLAIN[kind]) if kind in _PLAIN else topic


def _length(schema: Json) -> int:
    """Three items, unless the schema wants more or fewer."""
    wanted = max(3, int(schema.get("minItems", 0)))
    return min(wanted, int(schema.get("maxItems", wanted)))
