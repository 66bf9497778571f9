"""The form of a row: where calls of an SDK pass, what they ask for, where their usage lies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from math import isfinite
from typing import Any, Literal, NamedTuple, TypeGuard
from urllib.parse import unquote

from otel_llmcost.core.usage import PARENTS, Unit, Usage, canonical

Getter = Callable[[Any], Any]


def fields_of(value: Any) -> Mapping[str, Any]:
    """Return the fields of a mapping or of an SDK's model, those included that this version of it does not know.

    Looking into a model's own dict is many times cheaper than asking it for what it may not have.
    """
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType] -- a guard of our own would cost each call ten times
    fields: dict[str, Any] = getattr(value, "__dict__", _NOTHING)
    extra = getattr(value, "__pydantic_extra__", None)
    return {**fields, **extra} if extra else fields


_NOTHING: dict[str, Any] = {}


def getter(path: str) -> Getter:
    """Compile a dotted path through fields and list positions.

    The getter gives None where the path breaks, and for an empty path the value itself.
    """
    names: tuple[str | int, ...] = tuple(int(name) if name.isdigit() else name for name in path.split(".") if name)

    if path and "." not in path and not path.isdigit():
        # A cast would cost each answer more than what it guards.
        return lambda value: (value if isinstance(value, dict) else fields_of(value)).get(path)  # noqa: E501 # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType]

    def get(value: Any) -> Any:
        for name in names:
            value = _item(value, name) if isinstance(name, int) else fields_of(value).get(name)
            if value is None:
                return None
        return value

    return get


def _item(value: Any, position: int) -> Any:
    return value[position] if is_list(value) and position < len(value) else None


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Tell whether a value is a list."""
    return isinstance(value, list)


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


Seen = dict[str, float]
"""Path of a count → the count, as last reported."""

_Tree = tuple[tuple[str, str | None, "_Tree"], ...]
"""(field, its whole path if it is a count, what lies below it)"""


def _tree(paths: Iterable[str], before: str = "") -> _Tree:
    below: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        below.setdefault(name, []).append(rest)
    return tuple(
        (name, before + name if "" in rests else None, _tree([rest for rest in rests if rest], f"{before}{name}."))
        for name, rests in below.items()
    )


def _note(tree: _Tree, value: Any, seen: Seen) -> None:
    fields = {str(position): item for position, item in enumerate(value)} if is_list(value) else fields_of(value)
    for name, path, below in tree:
        found = fields.get(name)
        if found is not None:
            if type(found) is int or type(found) is float:
                if path is not None:
                    seen[path] = found
            elif below:
                _note(below, found, seen)


_HEADER = "header "


class Kind(NamedTuple):
    """Counts that stand in a list, one item for each kind, such as `[{"modality": "AUDIO", "tokenCount": 7}]`."""

    items: str
    """Path of the list inside the usage object."""
    key: str
    """Field of an item that names its kind; empty: all items are of one kind."""
    kind: str
    counted: str
    """Path inside an item to what counts it."""


class UsageAt:
    """Where an answer or a chunk reports what was used, unit by unit.

    Args:
        where: paths at which the usage object lies; the first that is there is read.
        counts: unit → paths inside the usage object, summed, because canonical totals include their parts
            whatever the provider counts.
        lengths: unit → (path of a list in the answer, value of its items' `type`): counts such items.
            An empty value counts all items.
        unbilled: (path of such an item, values there that say it is not billed).
        having: unit → (path of a list in the answer, field): counts the items that have that field.
        once: units of which a request is billed one, however many it counts.
        kinds: unit → where a list has its count.
        scales: path → what a count is multiplied by to be in our unit, such as milliseconds of a count in seconds.
        headers: unit → names of the answer's headers, in lower case, summed; they count where no body told a usage.
        within: unit → its total, where the two are counted differently: no more of the part counts than of the total.
        unless: path → another that says the same; the first does not count where the other is told.
        total: path of a total of input and output; what it holds beyond the two was output, such as reasoning that
            the provider leaves out there.
    """

    def __init__(  # noqa: PLR0913 -- a row: each field is one thing a provider does
        self,
        *,
        where: tuple[str, ...],
        counts: Mapping[Unit, tuple[str, ...]],
        lengths: Mapping[Unit, tuple[str, str]] | None = None,
        unbilled: tuple[str, frozenset[str]] | None = None,
        having: Mapping[Unit, tuple[str, str]] | None = None,
        once: tuple[Unit, ...] = (),
        kinds: Mapping[Unit, tuple[Kind, ...]] | None = None,
        scales: Mapping[str, float] | None = None,
        headers: Mapping[Unit, tuple[str, ...]] | None = None,
        within: Mapping[Unit, Unit] | None = None,
        unless: Mapping[str, str] | None = None,
        total: str | None = None,
    ) -> None:
        self._where = tuple(getter(path) for path in where)
        self._lengths = tuple((unit, getter(path), kind) for unit, (path, kind) in (lengths or {}).items())
        self._get_kind = getter(unbilled[0] if unbilled else "type")
        self._unbilled: frozenset[Any] = unbilled[1] if unbilled else frozenset()
        self._having = tuple((unit, getter(path), name) for unit, (path, name) in (having or {}).items())
        self._once = once
        self._lists = bool(lengths or having or kinds)
        self._kinds = tuple(
            (_name(each), getter(each.items), getter(each.counted), each)
            for rows in (kinds or {}).values()
            for each in rows
        )
        self._scales = scales or {}
        self._headers = tuple((name, _HEADER + name) for names in (headers or {}).values() for name in names)
        self._within = within or {}
        self._unless = unless or {}
        self._total = total
        self._tree = _tree(
            dict.fromkeys([*(path for paths in counts.values() for path in paths), *filter(None, [total])])
        )
        self._units: dict[str, list[Unit]] = {} if total is None else {total: []}
        self._map(counts)
        self._map({unit: (unit,) for unit in (*(lengths or {}), *(having or {}))})
        self._map({unit: tuple(map(_name, rows)) for unit, rows in (kinds or {}).items()})
        self._map({unit: tuple(_HEADER + name for name in names) for unit, names in (headers or {}).items()})

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units that may be told."""
        return tuple(dict.fromkeys(unit for units in self._units.values() for unit in units))

    def _map(self, names_of: Mapping[Unit, tuple[str, ...]]) -> None:
        for unit, names in names_of.items():
            for name in names:
                self._units.setdefault(name, []).append(unit)

    def note(self, answer: Any, seen: Seen) -> bool:
        """Note what this answer or chunk reports; a later report of a field replaces the earlier one."""
        for get in self._where:
            usage = get(answer)
            if usage is not None:
                break
        else:
            return False
        _note(self._tree, usage, seen)
        if self._lists:
            self._count_items(answer, usage, seen)
        return True

    def _count_items(self, answer: Any, usage: Any, seen: Seen) -> None:
        for unit, get, kind in self._lengths:
            items = get(answer)
            if is_list(items) and items:
                counted = (item for item in items if not kind or fields_of(item).get("type") == kind)
                seen[unit] = sum(1 for item in counted if str(self._get_kind(item)) not in self._unbilled)
        for unit, get, name in self._having:
            items = get(answer)
            if is_list(items):
                seen[unit] = sum(1 for item in items if fields_of(item).get(name) is not None)
        for path, get, get_count, row in self._kinds:
            items = get(usage)
            if is_list(items):
                found = [get_count(item) for item in items if not row.key or fields_of(item).get(row.key) == row.kind]
                counts = [int(each) for each in found if isinstance(each, (int, float)) and _is_countable(each, None)]
                if counts or path in seen:
                    seen[path] = sum(counts)

    def note_headers(self, headers: Mapping[str, str], seen: Seen) -> None:
        """Note what the answer's headers count."""
        for name, path in self._headers:
            text = headers.get(name, "")
            if text.isdigit():
                seen[path] = int(text)

    def usage(self, seen: Mapping[str, float]) -> Usage | None:
        """Add up what was noted; None: nothing was reported."""
        counts: dict[Unit, int] = {}
        units_of, scales = self._units, self._scales
        is_told = False
        for path, count in seen.items():
            if type(count) is float and not _is_countable(count, scales.get(path)):
                continue
            is_told = True
            if count and (path not in self._unless or self._unless[path] not in seen):
                rounded = count if type(count) is int and path not in scales else round(count * scales.get(path, 1))
                for unit in units_of[path]:
                    counts[unit] = counts[unit] + rounded if unit in counts else rounded
        if not is_told:
            return None
        if self._total is not None and self._total in seen:
            _add_what_only_the_total_tells(counts, int(seen[self._total]))
        counts.update({unit: 1 for unit in self._once if unit in counts})
        counts.update(
            {part: min(counts[part], counts.get(whole, 0)) for part, whole in self._within.items() if part in counts}
        )
        return canonical(counts)


def with_asked(usage: Usage | None, asked: Mapping[Unit, int], units: tuple[Unit, ...]) -> Usage | None:
    """Add to a usage what is billed as it was asked for."""
    told: Mapping[Unit, int] = {} if usage is None else usage.counts
    added: dict[Unit, int] = {}
    for unit in units:
        if asked.get(unit) and unit not in told:
            total = next((told[each] for each in PARENTS.get(unit, ()) if each in told), None)
            added[unit] = asked[unit] if total is None else total
    return canonical({**told, **added}) if added else usage


def _name(kind: Kind) -> str:
    return f"{kind.items}[{kind.kind}].{kind.counted}"


def _is_countable(count: float, scale: float | None) -> bool:
    """Tell whether a count makes sense: a broken number of what comes whole, or one without end, does not."""
    return isfinite(count) and (scale is not None or count == int(count))


def _add_what_only_the_total_tells(counts: dict[Unit, int], total: int) -> None:
    rest = total - counts.get("input_tokens", 0) - counts.get("output_tokens", 0)
    if rest > 0 and counts.get("output_tokens"):
        counts["output_tokens"] += rest
        counts["reasoning_tokens"] = max(counts.get("reasoning_tokens", 0), rest)


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


UNSENT = frozenset(
    {
        *("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"),  # httpx
        *("NewConnectionError", "ConnectTimeoutError", "SSLCertVerificationError"),  # below requests
        *("ClientConnectorError", "ConnectionTimeoutError"),  # aiohttp
    }
)
UNANSWERED = frozenset(
    {
        *("TimeoutException", "NetworkError", "RemoteProtocolError", "Timeout"),  # httpx; requests
        *("ConnectionError", "ChunkedEncodingError", "ClientConnectionError", "ClientPayloadError"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What a provider's programs speak over HTTP: its paid endpoints, and how to know it by a request."""

    name: str
    """Of the SDK that usually speaks it."""
    provider: str
    """Told from the host where the host is known; else this."""
    endpoints: tuple[Endpoint, ...]
    hosts: Mapping[str, str] | None = None
    """End of the host → provider; with a `*`, a pattern of the whole host."""
    agents: tuple[str, ...] = ()
    """Words, in lower case, by which its SDK names itself in the headers `user-agent`, `x-fern-sdk-name` or
    `x-goog-api-client`."""
    is_common: bool = False
    """Servers of others speak it too, so its paths tell it on any host."""
    unsent: frozenset[str] = UNSENT
    """Names of errors raised before anything reached the provider."""
    unanswered: frozenset[str] = UNANSWERED
    """Names of errors after which the provider may have billed."""

    def provider_at(self, host: str) -> str:
        """Tell who answers at a host."""
        return self.known_at(host) or self.provider

    def known_at(self, host: str) -> str | None:
        """Tell who answers at a host that belongs to this API; None: not known."""
        for end, provider in (self.hosts or {}).items():
            if "*" in end:
                if fnmatchcase(host, end):
                    return provider
            elif host == end or host.endswith(end if end[0] in ".-:" else "." + end):
                return provider
        return None

    def place(self, path: str, method: str = "post") -> Place | None:
        """Find the endpoint of a URL's path, percent-encoded as it is sent, without its query."""
        for endpoint in self.endpoints:
            found = endpoint.matches.search(path) if endpoint.method == method else None
            if found is not None:
                named = found.groupdict()
                model = unquote(named["model"]) if "model" in named else None
                if not endpoint.models or any(word in (model or "").lower() for word in endpoint.models):
                    return Place(endpoint, model, named.get("id"))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSdk(Api):
    """An SDK all of whose calls pass one `request(cast_to, options, *, stream, stream_cls)` of its HTTP client.

    That method is where retries happen, so one call of the user is one call here, whatever helper, raw response or
    beta namespace it came through.
    """

    module: str
    """Patched when the app imports it."""
    sync_method: str = "SyncAPIClient.request"
    async_method: str = "AsyncAPIClient.request"
    unanswered: frozenset[str] = UNANSWERED | {"APITimeoutError", "APIConnectionError", "APIResponseValidationError"}
    within: str = ""
    """The SDK that this is a part of, in some of its versions; empty: one of its own."""
    answer_in_error: tuple[str, ...] = ()
    """Paths at which an error carries the paid answer it was raised about."""
    clients: Mapping[str, str] | None = None
    """Name of a client's class → provider, where the host does not tell, such as a gateway's."""

    def provider_of(self, client: type) -> str:
        """Tell who answers a client, by its class or one that it inherits from."""
        clients = self.clients or {}
        return next((clients[each.__name__] for each in client.__mro__ if each.__name__ in clients), self.provider)
