"""What all providers' wire formats have in common: a request, what was asked, and the kinds of answer."""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from examples.provider_server.tokens import compact, count, first, read

Json = dict[str, Any]
Provider = Literal["openai", "anthropic", "gemini", "mistral", "cohere", "bedrock", "ollama"]


class WireError(Exception):
    """A request that the provider answers with an error."""

    def __init__(self, status: int, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A piece of the prompt, in the order in which the provider reads it."""

    text: str
    tokens: int
    cache: Literal["5m", "1h"] | None = None
    """The prompt is to be cached up to and with this segment."""


def segment(content: Any, *, extra_tokens: int = 0, cache: Literal["5m", "1h"] | None = None) -> Segment:
    """Read a piece of a prompt and count it."""
    text, other_tokens = read(content)
    return Segment(text=text, tokens=count(text) + other_tokens + extra_tokens, cache=cache)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call."""

    name: str
    schema: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What was asked, the same for every wire format."""

    model: str
    ask: str
    """The last text of the user."""
    segments: tuple[Segment, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of a tool."""
    answers_tool: bool = False
    """The last message is what a tool returned."""
    schema: Json | None = None
    """The answer must be JSON of this schema."""
    max_output_tokens: int | None = None
    reasoning_tokens: int = 0
    """How long the model thinks before it answers."""

    @property
    def input_tokens(self) -> int:
        """Everything that was sent."""
        return sum(part.tokens for part in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call the model asks for."""

    name: str
    arguments: Json

    @property
    def tokens(self) -> int:
        """What the call costs: its name and its arguments."""
        return count(self.name) + count(compact(self.arguments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model says. Whatever does not fit into the caller's maximum is cut off by `fitted`."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning_tokens: int = 0
    is_cut: bool = False

    @property
    def output_tokens(self) -> int:
        """All tokens of the answer, reasoning included."""
        return self.reasoning_tokens + count(self.text) + sum(call.tokens for call in self.tool_calls)

    def fitted(self, maximum: int | None) -> Answer:
        """Cut the answer to `maximum` tokens: text first to go, and with it the calls that follow it."""
        if maximum is None or self.output_tokens <= maximum:
            return self
        reasoning_tokens = min(self.reasoning_tokens, maximum)
        text = first(self.text, maximum - reasoning_tokens)
        return Answer(text=text, reasoning_tokens=reasoning_tokens, is_cut=True)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in one piece."""

    body: Json
    usage: Json | None = None
    """What the answer costs, whether its body says so or not."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Blob:
    """An answer in one piece that is not JSON, such as sound, or a file of lines."""

    data: bytes
    content_type: str
    usage: Json | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    data: Json | str
    name: str | None = None

    def encode(self) -> bytes:
        """Write the event as it goes over the wire."""
        data = self.data if isinstance(self.data, str) else compact(self.data)
        name = f"event: {self.name}\n" if self.name else ""
        return f"{name}data: {data}\n\n".encode()


@dataclass(frozen=True, slots=True)
class Line(Event):
    """One line of JSON, as Ollama and Cohere's first version stream."""

    def encode(self) -> bytes:
        """Write the line as it goes over the wire."""
        return f"{self.data if isinstance(self.data, str) else compact(self.data)}\n".encode()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer in many pieces."""

    events: tuple[Event, ...]
    usage: Json
    content_type: str = "text/event-stream; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Memory:
    """What a provider remembers between requests: cached prompts, stored responses, files and batches."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prefixes: set[str] = set()
        self._responses: dict[str, tuple[Segment, ...]] = {}
        self._things: dict[str, Any] = {}

    def cached(self, model: str, segments: Sequence[Segment]) -> int:
        """Return how many leading segments an earlier request had, and remember these for the next one."""
        marks = list(_prefixes(model, segments))
        with self._lock:
            known = max((index for index, mark in enumerate(marks, 1) if mark in self._prefixes), default=0)
            self._prefixes.update(marks)
        return known

    def store(self, response_id: str, segments: tuple[Segment, ...]) -> None:
        """Keep a conversation so that a later request can go on from it."""
        with self._lock:
            self._responses[response_id] = segments

    def stored(self, response_id: str) -> tuple[Segment, ...] | None:
        """Return a kept conversation."""
        with self._lock:
            return self._responses.get(response_id)

    def keep(self, id_: str, thing: Any) -> None:
        """Keep a file or a batch."""
        with self._lock:
            self._things[id_] = thing

    def kept(self, id_: str) -> Any:
        """Return a kept file or batch.

        Raises:
            WireError: There is none of this id.
        """
        with self._lock:
            if id_ not in self._things:
                raise WireError(404, f"No such object: {id_}", code="not_found")
            return self._things[id_]


def _prefixes(model: str, segments: Sequence[Segment]) -> Iterator[str]:
    digest = hashlib.sha256(model.encode())
    for part in segments:
        digest.update(f"\0{part.tokens}\0{part.text}".encode())
        yield digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to answer, with what it takes to answer it."""

    body: Json
    now: int
    """Unix seconds."""
    memory: Memory
    answer: Callable[[Prompt], Answer]
    path: str = ""
    at: dict[str, str] = field(default_factory=dict)
    """What the address names, such as a model or an id."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What was sent with a form."""
    host: str = ""

    def required(self, name: str) -> Any:
        """Return a field that the provider insists on."""
        if self.body.get(name) in (None, "", []):
            raise WireError(400, f"{name}: Field required", code="missing_required_parameter", param=name)
        return self.body[name]


def new_id(prefix: str) -> str:
    """Make an identifier as the providers do."""
    return f"{prefix}{uuid.uuid4().hex}"
