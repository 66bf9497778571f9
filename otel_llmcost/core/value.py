"""Values that are made for every call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ParamSpec, TypeVar, cast, dataclass_transform

T = TypeVar("T")
P = ParamSpec("P")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a class a value: keyword-only, slots, frozen as far as the type checkers see.

    Nothing freezes it while it runs: making a frozen dataclass takes three times as long as making any other, and a
    call makes a dozen of these. Values that are made once stay ordinary frozen dataclasses.
    """
    return dataclass(slots=True, kw_only=True)(cls)


def maker(cls: Callable[P, T]) -> Callable[P, T]:
    """Return a function that makes such a value as its class does, at a third of the cost.

    Python hands keywords to a class in a dict made for that, but straight to a function. Of more than 15 keywords it
    makes a dict all the same: what has more fields is made by position, in the order they are written in.
    """
    made: Any = cls
    names = [each.name for each in fields(made)]
    defaults = {each.name: each.default for each in fields(made) if each.default is not MISSING}
    parameters = [f"{name}=_defaults[{name!r}]" if name in defaults else name for name in names]
    lines = ["    self = _new(_cls)", *[f"    self.{name} = {name}" for name in names], "    return self"]
    code = f"def make({', '.join(parameters)}):\n" + "\n".join(lines)
    scope: dict[str, Any] = {"_new": object.__new__, "_cls": made, "_defaults": defaults}
    exec(code, scope)  # noqa: S102 -- of the names of the class's own fields, as `dataclass` does it
    return cast("Callable[P, T]", scope["make"])
