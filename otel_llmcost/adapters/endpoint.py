"""One kind of paid request: how it is known, what it asks for, how its answer and its stream's events are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from otel_llmcost.adapters.getters import Getter, getter
from otel_llmcost.adapters.usage_at import UsageAt
from otel_llmcost.core.usage import Unit

_MOST_TIERS = 100
_PLAIN = frozenset({"", "standard", "default", "auto", "global", "not_available"})


def tier_of(words: Iterable[str]) -> str | None:
    """Join what says that a price is not the plain one, such as `batch+us`; None: nothing was said at all."""
    return _tier(tuple(words))


@lru_cache(_MOST_TIERS)
def _tier(said: tuple[str, ...]) -> str | None:
    if not said:
        return None
    return "+".join(dict.fromkeys(word.lower() for word in said if word.lower() not in _PLAIN)) or "standard"


def _first_of(paths: tuple[str, ...]) -> Getter:
    getters = tuple(getter(path) for path in paths)
    if len(getters) == 1:
        return getters[0]

    def get(value: Any) -> Any:
        return next((found for each in getters if (found := each(value)) is not None), None)

    return get


def _matcher(path: str) -> re.Pattern[str]:
    """Compile the end of a URL's path.

    `{model}` and `{id}` stand for one segment, in the last one up to a colon; `{model*}` for one or more.
    """
    parts = re.split(r"\{(\w+\*?)\}", path)
    kinds = ("[^/:]+", "[^/]+")
    return re.compile(
        "".join(
            re.escape(part)
            if i % 2 == 0
            else f"(?P<{part.rstrip('*')}>{'.+' if '*' in part else kinds['/' in parts[i + 1]]})"
            for i, part in enumerate(parts)
        )
        + r"/?$"
    )


class Beside(NamedTuple):
    """Work of another model within an answer, which has a price of its own."""

    items: str
    """Path of a list in the answer."""
    kind: str
    """Value of an item's `type` that says it is such work; its `model` says whose."""
    usage: UsageAt


class Thinking(NamedTuple):
    """How much of its output a request lets a model think, where that must stay below what it may put out."""

    budget: str
    """Path of the tokens; a cap lowers them by the same share."""
    least: int
    """What is accepted; where a cap leaves less, thinking is turned off."""


class Place(NamedTuple):
    """What a URL's path says of a call."""

    endpoint: Endpoint
    model: str | None
    """None: the body names it."""
    id: str | None
    """What the path is about, such as a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One kind of paid request."""

    path: str
    """End of the URL's path, such as `/chat/completions` or `/models/{model}:generateContent`."""
    operation: str
    """`gen_ai.operation.name`."""
    method: Literal["post", "get"] = "post"
    pays: Literal["now", "before", "later"] = "now"
    """before: nothing is paid for asking, but the answer tells what an earlier request came to; later: the answer's
    id is what one will ask by then."""
    charges: bool = False
    """Asked what an earlier request came to: that was not charged yet, so this does, once. Else it corrects only."""
    dialect: str
    """How the body is laid out, for counting its tokens."""
    usage: UsageAt
    caps: tuple[str, ...] = ()
    """Paths of the request that limit the output, strongest first."""
    cap_at: tuple[tuple[str, str], ...] | None = None
    """(Pattern in a model's name, one of `caps`): where a cap is written that the request has not; the first that fits
    counts. None: at the first of `caps`; empty: nowhere, as what holds without one may be less than the cap."""
    thinking: Thinking | None = None
    makers: tuple[str, ...] = ()
    """Words in the names of models by which those are told that a request in another's form cannot be sent to; empty:
    all models are asked in one form."""
    choices: str | None = None
    """Path of the request that asks for several answers, each paid."""
    has_output: bool = True
    as_asked: tuple[Unit, ...] = ()
    """Units that the answer does not tell, since they are billed as the request asks for them, such as characters.
    A part of a total, such as annotated pages, is then as large as the total that the answer tells."""
    tier: tuple[str, ...] = ()
    """Paths of the answer that name the service tier that was really used and other modifiers of the price."""
    asked_tier: tuple[str, ...] = ("service_tier",)
    """Paths of the request that ask for them."""
    cost: tuple[str, ...] = ()
    """Paths of the cost in USD that the provider itself reports."""
    beside: Beside | None = None
    """Where an answer tells what other models did for it."""
    chunk: ChunkShape | None = None
    """None: cannot stream."""
    streams: bool | None = False
    """Whether it streams. True: always; False: if the body says `stream`; None: unless it says `stream: false`."""
    parts: str = ""
    """List in the request whose items name the model too."""
    model: str | tuple[str, ...] = "model"
    """Paths of the request that name the model, where the URL does not; the first that is there counts."""
    done: tuple[str, frozenset[str]] | None = None
    """Path of the answer, and what stands there once it is final; None: it is, wherever it tells a usage."""
    fixed_tier: str | None = None
    """What is paid at a price of its own whatever the answer says, such as `batch`."""
    seller: str = ""
    """Who of those a provider passes calls on to answers, where the path says it: the model is `model:seller` then."""
    unnamed: str = ""
    """What the model is called where the request names none, since it lies at the provider; empty: no paid request."""
    served: tuple[str, ...] = ("model",)
    """Paths of the answer that name the model that answered."""
    ids: tuple[str, ...] = ("id",)
    """Paths of the answer's id."""
    id_header: str = ""
    """Header of the answer, in lower case, that names it where no path does."""
    tier_headers: tuple[str, ...] = ()
    """Headers of the answer, in lower case, that tell what `tier` does."""
    models: tuple[str, ...] = ()
    """Words of which the name of a model in the URL has one, in lower case; empty: any model."""
    tiers: tuple[Getter, ...] = field(init=False)
    get_caps: tuple[Getter, ...] = field(init=False)
    get_choices: Getter | None = field(init=False)
    get_asked: tuple[Getter, ...] = field(init=False)
    get_cost: tuple[Getter, ...] = field(init=False)
    get_beside: Getter = field(init=False)
    get_model: Getter = field(init=False)
    get_served: tuple[Getter, ...] = field(init=False)
    get_ids: tuple[Getter, ...] = field(init=False)
    matches: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", tuple(getter(path) for path in self.tier))
        object.__setattr__(self, "get_caps", tuple(getter(path) for path in self.caps))
        object.__setattr__(self, "get_choices", None if self.choices is None else getter(self.choices))
        object.__setattr__(self, "get_asked", tuple(getter(path) for path in self.asked_tier))
        object.__setattr__(self, "get_cost", tuple(getter(path) for path in self.cost))
        object.__setattr__(self, "get_beside", getter("" if self.beside is None else self.beside.items))
        object.__setattr__(self, "get_model", _first_of((self.model,) if isinstance(self.model, str) else self.model))
        object.__setattr__(self, "get_served", tuple(getter(path) for path in self.served))
        object.__setattr__(self, "get_ids", tuple(getter(path) for path in self.ids))
        object.__setattr__(self, "matches", _matcher(self.path))

    def is_stream(self, body: Mapping[str, Any]) -> bool:
        """Tell whether an answer to this body comes as a stream."""
        if self.streams is False:
            return body.get("stream") is True
        return self.streams is True or body.get("stream") is not False


Framing = Literal["sse", "lines", "aws"]
"""How a stream is cut into events: server-sent events, one JSON a line, Amazon's binary frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkShape:
    """How the events of a stream are told apart."""

    text: tuple[str, ...]
    """Paths of what an event adds to the answer; measured to estimate an answer that was cut off."""
    framing: Framing = "sse"
    """Where the answer's content type does not say it."""
    end_key: str = "type"
    """Field of an event that says whether it is the last one that matters."""
    ends: frozenset[Any] = frozenset()
    """Values of that field after which nothing more is paid; empty: `[DONE]`, the end of the body, or, where usage was
    asked for, an event with a usage and no choices."""
    end_path: str | None = None
    """Path of what only the last event that is paid tells, wherever others follow that not every reader takes in."""
    answer: tuple[str, ...] = ("",)
    """Where the answer lies in an event, first that is there; an empty path is the event itself."""
    asks_usage: bool = False
    """Usage comes only if `stream_options.include_usage` asks for it, as one last event without choices."""
    words: tuple[str, ...] = ('_tokens"',)
    """Words, one of which is in every event that tells a usage; inside a text their quotes would be escaped."""
    are_ends_told: bool = False
    """Every last event holds one of those words too: each word is searched for in every chunk."""
    headers: str | None = None
    """Path of what the last event tells that otherwise stands in an answer's headers."""
    errors: tuple[str, ...] = ()
    """Paths at which an event names the error that the stream is broken off with."""
    is_cumulative: bool = False
    """Each event tells all that was used so far, so of those without one of the words only the very last is read."""
    tells: tuple[bytes, ...] = field(init=False)
    """Words, one of which is in every event that tells something, save `[DONE]`."""

    def __post_init__(self) -> None:
        ends = [] if self.are_ends_told else [f'"{end}"' for end in sorted(self.ends) if isinstance(end, str)]
        object.__setattr__(self, "tells", tuple(word.encode() for word in (*self.words, *ends)))

    def is_telling(self, events: bytes) -> bool:
        """Say whether there is something to be read in events."""
        return any(word in events for word in (*self.tells, b"[DONE]"))
