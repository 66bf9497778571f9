"""JSON whose amounts are exact decimal numbers, which `json.dumps` can only write as floats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

Scalar = str | int | Decimal | bool | None
Json = Mapping[str, "Json"] | Sequence["Json"] | Scalar


def to_json(value: Json) -> str:
    """Write a value as JSON, on one line."""
    match value:
        case Decimal():
            text = f"{value:f}"  # `normalize()` would round to 28 digits
            return text.rstrip("0").rstrip(".") if "." in text else text
        case Mapping():
            return "{" + ",".join(f"{json.dumps(name)}:{to_json(each)}" for name, each in value.items()) + "}"
        case str() | int() | None:  # true and false are int too
            return json.dumps(value)
        case _:
            return "[" + ",".join(map(to_json, value)) + "]"
