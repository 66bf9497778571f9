"""The form of a row about a broker: a library that sends its calls through the SDKs and HTTP clients of others.

What it sends is accounted for there, request by request. The broker is asked for what those cannot know: which provider
is meant where the host does not tell, and whom the call is for. And it is kept from taking a refusal for a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from otel_llmcost.core.attribution import Dimension

Part = Literal["call", "opening", "reading"]
"""What a function of a broker is: a whole call, the request of a stream that is sent when it is first read, or the
reading of a stream."""


class Errand(NamedTuple):
    """What a broker was asked for."""

    provider: str = ""
    """In our words; empty: the arguments do not tell."""
    tags: Mapping[Dimension, str] = {}
    """Whom it is for, as far as it says."""


AskOf = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Errand]
"""From (instance, args, kwargs)."""


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


def both(module: str, name: str, errand: AskOf) -> tuple[Entry, Entry]:
    """Return the rows of a function and its asynchronous twin."""
    return (
        Entry(module=module, name=name, errand=errand),
        Entry(module=module, name=f"a{name}", is_async=True, errand=errand),
    )
