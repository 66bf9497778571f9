"""The form of a row about an agent framework: which of its methods an agent works inside, and as whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

Kind = Literal["call", "coroutine", "generator", "async_generator", "async_context"]
"""What a method is. Declared: decorators hide it too often.

`call` is also for methods that start a task or a thread of their own, which take the context along when they start.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Whom the framework says the work inside a method is for; None and empty texts say nothing."""

    agent: str | None = None
    """The innermost one wins."""
    workflow: str | None = None
    """Of this and those below the outermost one wins, and whatever the program itself has said before."""
    session: str | None = None
    user: str | None = None
    task: str | None = None
    is_part: bool = False
    """Names a step, which is an agent only where it is not inside a whole one, and the program named none itself."""
    is_whole: bool = False
    """One agent, whatever its steps are called."""
    is_default: bool = False
    """The agent's name is the framework's word for agents that nobody named; any other name is better."""


FrameOf = Callable[[Any, tuple[Any, ...], Mapping[str, Any], Frame | None], Frame | None]
"""From (instance, args, kwargs, the frame around) to the frame inside; None: nobody in particular.

The instance is None where the method is a function; it is the class where it is a class method.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A method of a framework that an agent works inside."""

    framework: str
    """The name of its distribution."""
    module: str
    """Patched when the app imports it."""
    name: str
    """`Class.method`, or a function of the module."""
    kind: Kind
    frame: FrameOf
    is_optional: bool = False
    """Some of the versions we know do not have it."""


def argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], position: int, name: str) -> Any:
    """Return an argument wherever it was passed; None: it was not."""
    if name in kwargs:
        return kwargs[name]
    return args[position] if position < len(args) else None


def text(value: Any) -> str | None:
    """Return an identifier as text; None: it is none."""
    if isinstance(value, str):
        return str.__str__(value) or None  # of an enumeration's member the text, not the name
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number or isinstance(value, UUID) else None


def first_text(fields: Any, *names: str) -> str | None:
    """Return the first of these fields that identifies somebody, of a mapping or of an object."""
    for name in names:
        found = text(fields.get(name) if isinstance(fields, Mapping) else getattr(fields, name, None))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        if found is not None:
            return found
    return None
