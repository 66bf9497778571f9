"""Counted tokens, requests, pages and time of one call, in canonical form: a total includes its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Unit = Literal[
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_30m_tokens",
    "cache_write_1h_tokens",
    "cache_write_12h_tokens",
    "input_audio_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "cache_read_audio_tokens",
    "cache_read_image_tokens",
    "output_tokens",
    "reasoning_tokens",
    "output_audio_tokens",
    "output_image_tokens",
    "output_video_tokens",
    "citation_tokens",
    "requests",
    "web_searches",
    "web_fetches",
    "file_searches",
    "maps_searches",
    "code_interpreter_sessions",
    "search_units",
    "pages",
    "annotated_pages",
    "images",
    "characters",
    "audio_milliseconds",
    "video_milliseconds",
    "gpu_milliseconds",
]
UNITS: tuple[Unit, ...] = get_args(Unit)
"""Searches are what the provider bills as one: a query, or for some models a prompt that was grounded by any number.
Time is in whole milliseconds, since providers report fractions of a second and bill them."""

PARENTS: Mapping[Unit, tuple[Unit, ...]] = {
    "cache_read_tokens": ("input_tokens",),
    "cache_write_tokens": ("input_tokens",),
    "cache_write_30m_tokens": ("cache_write_tokens",),
    "cache_write_1h_tokens": ("cache_write_tokens",),
    "cache_write_12h_tokens": ("cache_write_tokens",),
    "input_audio_tokens": ("input_tokens",),
    "input_image_tokens": ("input_tokens",),
    "input_video_tokens": ("input_tokens",),
    "cache_read_audio_tokens": ("cache_read_tokens", "input_audio_tokens"),
    "cache_read_image_tokens": ("cache_read_tokens", "input_image_tokens"),
    "reasoning_tokens": ("output_tokens",),
    "output_audio_tokens": ("output_tokens",),
    "output_image_tokens": ("output_tokens",),
    "output_video_tokens": ("output_tokens",),
    "citation_tokens": ("output_tokens",),
    "annotated_pages": ("pages",),
}
"""Which totals a part is counted in; a unit that is missing here is a total of its own."""


@dataclass(slots=True)  # not frozen, see `value`: three are made for every call
class Usage:
    """What one call used. Only what was counted is in it; everything else is 0. Never changed."""

    counts: Mapping[Unit, int] = field(default_factory=dict[Unit, int])

    def __getitem__(self, unit: Unit) -> int:
        return self.counts.get(unit, 0)

    def __add__(self, other: Usage) -> Usage:
        merged = dict(self.counts)
        for unit, count in other.counts.items():
            merged[unit] = merged.get(unit, 0) + count
        return Usage(merged)

    def __bool__(self) -> bool:
        return any(self.counts.values())

    @property
    def input_tokens(self) -> int:
        """All input tokens, cached ones included."""
        return self.counts.get("input_tokens", 0)

    @property
    def output_tokens(self) -> int:
        """All output tokens, reasoning included."""
        return self.counts.get("output_tokens", 0)


_PARTS_LAST_FIRST: tuple[Unit, ...] = tuple(unit for unit in reversed(UNITS) if unit in PARENTS)


def canonical(counts: Mapping[Unit, int]) -> Usage:
    """Make a usage of counts as a provider reported them: no negative count, no part above its total."""
    kept: dict[Unit, int] = {unit: count for unit, count in counts.items() if count > 0}
    for unit, count in kept.items():
        for total in PARENTS.get(unit, ()):
            if total not in kept or kept[total] < count:
                return Usage(_with_whole_totals(kept))
    return Usage(kept)


def _with_whole_totals(counts: dict[Unit, int]) -> dict[Unit, int]:
    for unit in _PARTS_LAST_FIRST:
        if unit in counts:
            for total in PARENTS[unit]:
                if counts.get(total, 0) < counts[unit]:  # a raised part raises its own total, which comes later
                    counts[total] = counts[unit]
    return counts
