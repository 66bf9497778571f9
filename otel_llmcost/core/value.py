"""Values that are made for every call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Make a class a value: keyword-only, slots, frozen as far as the type checkers see.

    Nothing freezes it while it runs: making a frozen dataclass takes three times as long as making any other, and a
    call makes a dozen of these. Values that are made once stay ordinary frozen dataclasses.
    """
    return dataclass(slots=True, kw_only=True)(cls)
