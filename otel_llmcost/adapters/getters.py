"""Looking into what a provider answered, be it JSON or an SDK's model: paths compiled to functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

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
        return lambda value: (value if isinstance(value, dict) else fields_of(value)).get(path)  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType]

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
