"""How amounts, counts, shares and words look, the same on every board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dashboards.builder.panels import Json, Style

BLUE, GREEN, YELLOW, ORANGE, RED, PURPLE, GRAY = "blue", "green", "#EAB839", "orange", "red", "purple", "#8e8e8e"
TEXT = "text"

Steps = Sequence[tuple[float | None, str]]


MONEY = Style(unit="currency:financial:$", decimals=2)
"""In full, to the cent."""
MONEY_AXIS = Style(unit="currencyUSD")
"""Where room is short: as many digits as tell two values apart."""
UNIT_COST = Style(unit="currencyUSD", decimals=5)
"""What one call costs."""
COUNT = Style(unit="locale", decimals=0)
"""In full: people compare counts with lists."""
TOKENS = Style(unit="short", decimals=1)
SHARE = Style(unit="percentunit", decimals=1)
SECONDS = Style(unit="s", decimals=1)
INSTANT = Style(unit="time:YYYY-MM-DD HH:mm")
"""In ms since 1970."""
DAYS = Style(unit="suffix: days", decimals=1)


def _where_largest(operator: str, value: float, decimals: int) -> tuple[Json, Style]:
    return {"id": "byValue", "options": {"reducer": "max", "op": operator, "value": value}}, Style(decimals=decimals)


SMALL_AMOUNTS = (_where_largest("lt", 1, 4), _where_largest("lt", 0.001, 6), _where_largest("eq", 0, 2))
"""For fields in which nothing reaches a dollar, as in trials: cents would be too coarse."""


def alarm(color: str = ORANGE) -> Style:
    """A count that is good as long as it is 0."""
    return replace(COUNT, color_mode="thresholds", steps=((None, GREEN), (1, color)))


def gauge_cell(steps: Steps) -> Style:
    """A share drawn as a bar in its cell, coloured by how far it is."""
    cell = {"cellOptions": {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}, "width": 150}
    return replace(SHARE, minimum=0, maximum=1, color_mode="thresholds", steps=steps, custom=cell)


def share_cell() -> Style:
    """A share of a whole, drawn as a bar of one colour in its cell."""
    return replace(gauge_cell(()), color_mode=None, color=BLUE)


def wide(style: Style, width: int, *, empty: str | None = None) -> Style:
    """Give a column its width in pixels, and what its cells say that have no value."""
    return replace(style, no_value=empty, custom={**style.custom, "width": width})


def words(texts: Mapping[str, tuple[str, str]]) -> Style:
    """Show values as words in their colours."""
    rows = enumerate(texts.items())
    options = {value: {"text": text, "color": color, "index": index} for index, (value, (text, color)) in rows}
    return Style(mappings=[{"type": "value", "options": options}], color_mode="thresholds")


def word_cell(texts: Mapping[str, tuple[str, str]], width: int | None = None) -> Style:
    """Show values as words in their colours, in the cells of a table."""
    return replace(words(texts), custom={"cellOptions": {"type": "color-text"}, **({"width": width} if width else {})})


LEVELS = {"warning": ("warning", YELLOW), "critical": ("critical", ORANGE), "exceeded": ("exceeded", RED)}
"""The levels of the default marks; others keep their name without a colour."""

TOKEN_COLORS = {"input": BLUE, "output": ORANGE, "cache_read": GREEN, "cache_write": PURPLE, "reasoning": YELLOW}
OUTCOME_COLORS = {
    "confirmed": GREEN,
    "estimated": YELLOW,
    "suspected": ORANGE,
    "unpriced": PURPLE,
    "failed": GRAY,
    "refused": RED,
}
