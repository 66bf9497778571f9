"""For whom a call is: by its span, else by the program that made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from otel_llmcost.core.attribution import SAID, Dimension
from otel_llmcost_collector.dialects.base import Value
from otel_llmcost_collector.dialects.facts import MOST_CHARACTERS, Wanted
from otel_llmcost_collector.dialects.names import TAGS
from otel_llmcost_collector.dialects.row import Dialect

_PLACEHOLDER = "default"
"""What some write where nobody said anything."""
_MOST_TEXTS = 500
_LONGEST_TEXT = 2000
_labels = msgspec.json.Decoder(dict[str, Any])
_OWN = 2
"""How many of the usual names are ours or the standard's, and go before an instrumentor's own."""


def tag_places(row: Dialect, at: Wanted) -> tuple[tuple[Dimension, int], ...]:
    """Say where each dimension stands."""
    found: list[tuple[Dimension, int]] = []
    for dimension in SAID:
        labels = tuple(label + end for label in row.labels for end in (dimension, f"{dimension}_id", f"{dimension}Id"))
        usual = TAGS[dimension]
        place = at.place((*usual[:_OWN], *row.tags.get(dimension, ()), *labels, *usual[_OWN:]))
        if place >= 0:
            found.append((dimension, place))
    return tuple(found)


def tags_of(
    said: Mapping[Dimension, str],
    places: Sequence[tuple[Dimension, int]],
    values: Sequence[Value | None],
    text: Value | None,
) -> Mapping[Dimension, str]:
    """Lay what a span says, in attributes and in JSON, over what its resource does."""
    tags = dict(said)
    if type(text) is str and len(text) <= _LONGEST_TEXT:
        tags.update(tags_in(text))
    for dimension, place in places:
        value = values[place]
        if type(value) is int:
            value = str(value)
        if type(value) is str and value and value != _PLACEHOLDER:
            tags[dimension] = value[:MOST_CHARACTERS]
    return tags


@lru_cache(_MOST_TEXTS)
def tags_in(text: str) -> Mapping[Dimension, str]:
    """Find dimensions, by their own names or ours, in JSON that somebody attached to a call."""
    try:
        told = _labels.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    tags: dict[Dimension, str] = {}
    for dimension in SAID:
        names = (TAGS[dimension][0], dimension, f"{dimension}_id", f"{dimension}Id")
        found = next((value for name in names if (value := told.get(name))), None)
        if type(found) is str:
            tags[dimension] = found[:MOST_CHARACTERS]
    return tags


def tags_of_resource(resource: Mapping[str, Value]) -> Mapping[Dimension, str]:
    """Say for whom all calls of a program are."""
    tags: dict[Dimension, str] = {}
    for dimension, names in TAGS.items():
        found = next((value for name in names if (value := resource.get(name))), None)
        if type(found) is str and found != _PLACEHOLDER:
            tags[dimension] = found[:MOST_CHARACTERS]
    return tags
