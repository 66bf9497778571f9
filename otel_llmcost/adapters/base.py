"""The form of a row: where calls of an SDK pass, what they ask for, where their usage lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from otel_llmcost.core.usage import Unit, Usage, canonical

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
        return lambda value: fields_of(value).get(path)

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


def _note(tree: _Tree, value: Any, seen: dict[str, int]) -> None:
    fields = fields_of(value)
    for name, path, below in tree:
        found = fields.get(name)
        if found is not None:
            if type(found) is int:
                if path is not None:
                    seen[path] = found
            elif below:
                _note(below, found, seen)


class UsageAt:
    """Where an answer or a chunk reports what was used, unit by unit.

    Args:
        where: paths at which the usage object lies; the first that is there is read.
        counts: unit → paths inside the usage object, summed, because canonical totals include their parts
            whatever the provider counts.
        lengths: unit → (path of a list in the answer, value of its items' `type`): counts such items.
    """

    def __init__(
        self,
        *,
        where: tuple[str, ...],
        counts: Mapping[Unit, tuple[str, ...]],
        lengths: Mapping[Unit, tuple[str, str]] | None = None,
    ) -> None:
        self._where = tuple(getter(path) for path in where)
        self._units: dict[str, list[Unit]] = {}
        for unit, paths in counts.items():
            for path in paths:
                self._units.setdefault(path, []).append(unit)
        self._tree = _tree(dict.fromkeys(path for paths in counts.values() for path in paths))
        self._lengths = tuple((unit, getter(path), kind) for unit, (path, kind) in (lengths or {}).items())
        for unit in lengths or {}:
            self._units[unit] = [unit]

    def note(self, answer: Any, seen: dict[str, int]) -> bool:
        """Note what this answer or chunk reports; a later report of a field replaces the earlier one."""
        for get in self._where:
            usage = get(answer)
            if usage is not None:
                break
        else:
            return False
        _note(self._tree, usage, seen)
        for unit, get, kind in self._lengths:
            items = get(answer)
            if is_list(items) and items:
                seen[unit] = sum(1 for item in items if fields_of(item).get("type") == kind)
        return True

    def usage(self, seen: Mapping[str, int]) -> Usage | None:
        """Add up what was noted; None: nothing was reported."""
        if not seen:
            return None
        counts: dict[Unit, int] = {}
        units_of = self._units
        for path, count in seen.items():
            if count:
                for unit in units_of[path]:
                    counts[unit] = counts[unit] + count if unit in counts else count
        return canonical(counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One kind of paid request."""

    path: str
    """End of the URL's path, such as `/chat/completions`."""
    operation: str
    """`gen_ai.operation.name`."""
    dialect: str
    """How the body is laid out, for counting its tokens."""
    usage: UsageAt
    caps: tuple[str, ...] = ()
    """Body fields that limit the output, strongest first."""
    choices: str | None = None
    """Body field that asks for several answers, each paid."""
    has_output: bool = True
    tier: tuple[str, ...] = ()
    """Paths of the service tier that was really used."""
    chunk: ChunkShape | None = None
    """None: cannot stream."""
    tiers: tuple[Getter, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", tuple(getter(path) for path in self.tier))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkShape:
    """How the events of a stream are told apart."""

    text: tuple[str, ...]
    """Paths of what an event adds to the answer; measured to estimate an answer that was cut off."""
    ends: frozenset[str] = frozenset()
    """Event `type`s after which nothing more is paid; empty: `[DONE]`, or an event with a usage and no choices."""
    answer: tuple[str, ...] = ("",)
    """Where the answer lies in an event, first that is there; an empty path is the event itself."""
    asks_usage: bool = False
    """Usage comes only if `stream_options.include_usage` asks for it, as one last event without choices."""
    tells: tuple[bytes, ...] = field(init=False)
    """Words, one of which is in every event that tells something; inside a text their quotes would be escaped."""

    def __post_init__(self) -> None:
        ends = (f'"{end}"'.encode() for end in sorted(self.ends))
        object.__setattr__(self, "tells", (b'"usage":{', b'"usage": {', b"[DONE]", *ends))

    def is_telling(self, events: bytes) -> bool:
        """Say whether there is something to be read in events; asked of every chunk of every stream."""
        for word in self.tells:  # noqa: SIM110 -- any() would make a generator for each chunk
            if word in events:
                return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSdk:
    """An SDK all of whose calls pass one `request(cast_to, options, *, stream, stream_cls)` of its HTTP client.

    That method is where retries happen, so one call of the user is one call here, whatever helper, raw response or
    beta namespace it came through.
    """

    name: str
    module: str
    """Patched when the app imports it."""
    sync_method: str
    async_method: str
    provider: str
    """Told from the host where the host is known; else this."""
    endpoints: tuple[Endpoint, ...]
    unsent: frozenset[str]
    """Names of errors raised before anything reached the provider."""
    unanswered: frozenset[str]
    """Names of errors after which the provider may have billed."""
    answer_in_error: tuple[str, ...] = ()
    """Paths at which an error carries the paid answer it was raised about."""
    hosts: Mapping[str, str] | None = None
    """End of the host → provider."""

    def provider_at(self, host: str) -> str:
        """Tell who answers at a host."""
        for end, provider in (self.hosts or {}).items():
            if host == end or host.endswith(end if end.startswith(".") else "." + end):
                return provider
        return self.provider
