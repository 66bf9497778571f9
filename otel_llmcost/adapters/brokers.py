"""The form of a row about a broker: a library that sends its calls through the SDKs and HTTP clients of others.

What it sends is accounted for there, request by request. The broker is asked for what those cannot know: which provider
is meant where the host does not tell, and whom the call is for. And it is kept from taking a refusal for a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import Endpoint
from otel_llmcost.core.attribution import Dimension

Part = Literal["call", "naming", "making", "opening", "reading", "natives"]
"""What a function of a broker is: a whole call, what gives it its id, the making of a stream, its request if that is
sent when it is first read, the reading of it, or the finding of native functions."""


class Errand(NamedTuple):
    """What a broker was asked for."""

    provider: str = ""
    """In our words; empty: the arguments do not tell."""
    tags: Mapping[Dimension, str] = {}
    """Whom it is for, as far as it says."""


AskOf = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Errand]
"""From (instance, args, kwargs)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """A native function, which sends its request past all HTTP clients."""

    api: Api
    endpoint: Endpoint
    """In whose form it is asked and answers."""
    asked: Callable[[Mapping[str, Any]], tuple[str, str]]
    """From its arguments to model and provider in our words; empty texts: they do not tell."""
    declined: str
    """Name of the error by which it says that it cannot do what it is asked for, and has sent nothing."""
    is_async: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One function of a broker."""

    module: str
    """Patched when the app imports it."""
    name: str
    """`Class.method`, or a function of the module; versions may lack it."""
    is_async: bool = False
    part: Part = "call"
    errand: AskOf | None = None
    """None: it says nothing that those inside of it do not say too."""
    id_of: Callable[[Any], str] | None = None
    """From what a naming returns to the id of the call, as the broker's own spans tell it."""
    tracers: Callable[[], Iterable[Any]] = tuple
    """Those of the broker's loggers that make a span of each call when it is over."""
    natives: Mapping[str, Native] = field(default_factory=dict[str, Native])
    """What a finding may find, by name."""


def both(module: str, name: str, errand: AskOf) -> tuple[Entry, Entry]:
    """Return the rows of a function and its asynchronous twin."""
    return (
        Entry(module=module, name=name, errand=errand),
        Entry(module=module, name=f"a{name}", is_async=True, errand=errand),
    )
