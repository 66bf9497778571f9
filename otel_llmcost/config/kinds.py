"""What a value in the file may be, and how that is said: one row per kind of value, at the end of this module."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Generic, TypeVar, cast

from otel_llmcost.core.attribution import DIMENSIONS, Dimension, Scope
from otel_llmcost.core.budget import Mark
from otel_llmcost.core.money import parse_usd
from otel_llmcost.core.window import parse_window, zone

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Place = tuple[str | int, ...]
"""The way to a value: keys of tables and positions in lists."""

FROM_ENVIRONMENT = "env:"
"""Before the name of the variable that holds the value."""
_MOST_USD = Decimal(1_000_000_000)
"""Stores keep nano-USD in 64 bits."""
_MOST_SHARE = Decimal(10)
"""Whoever writes more means a percentage."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_NOT_ON_A_CALENDAR = {"second": "1s", "minute": "1m"}
_SWITCH_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class WrongValueError(ValueError):
    """A value that cannot be used; inside a list or table, which part of it."""

    def __init__(self, found: object, *, at: Place = (), problem: str = "", expected: str = "") -> None:
        super().__init__(problem or expected)
        self.found = found
        self.at = at
        self.problem = problem
        """Empty: what was found says it."""
        self.expected = expected
        """Empty: what the kind expects."""


def _as_it_is(text: str) -> object:
    return text


@dataclass(frozen=True, slots=True, eq=False, repr=False)  # each of these costs time at every agent's start
class Kind(Generic[T_co]):
    """One kind of value."""

    expected: str
    read: Callable[[object], T_co]
    """Raises ValueError for anything else."""
    from_text: Callable[[str], object] = _as_it_is
    """Makes of a variable's text what the file would hold."""
    is_secret: bool = False
    """The value is never shown."""


def part(at: str | int, read: Callable[[object], T], value: object) -> T:
    """Read a part of a value, so that a fault says which part it is."""
    try:
        return read(value)
    except WrongValueError as error:
        at_part = (at, *error.at)
        raise WrongValueError(error.found, at=at_part, problem=error.problem, expected=error.expected) from None


def listed(choices: tuple[str, ...]) -> str:
    """Say a choice: `"a", "b" or "c"`."""
    quoted = [f'"{choice}"' for choice in choices]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    """Say that there is no such thing, and what was likely meant."""
    from difflib import get_close_matches  # noqa: PLC0415 -- only for mistakes: agents start without it

    near = get_close_matches(name, known, n=1)
    return f'no {what} is called "{name}"' + (f', perhaps "{near[0]}" is meant' if near else "")


def one_of(choices: tuple[T, ...]) -> Kind[T]:
    """Make the kind of a value that is one of a few words."""

    def read(value: object) -> T:
        for choice in choices:
            if choice == value:
                return choice
        raise WrongValueError(value)

    return Kind(listed(tuple(str(choice) for choice in choices)), read)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError(value)
    if not value.isprintable():
        raise WrongValueError(value, problem="has characters that cannot be printed")  # they are not printed either
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError(value)
    return value


def _url(value: object) -> str:
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", _text(value)):
        raise WrongValueError(value)
    return _text(value)


def _alert_url(value: object) -> str:
    return _text(value) if str(value).startswith(FROM_ENVIRONMENT) else _url(value)


def _usd(value: object) -> Decimal:
    amount = parse_usd(value)
    if not 0 <= amount <= _MOST_USD:
        raise WrongValueError(value)
    return amount


def _carry_over(value: object) -> Decimal | bool:
    return value if isinstance(value, bool) else _usd(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise WrongValueError(value)
    return value


def _zone(value: object) -> str:
    zone(_text(value))
    return _text(value)


def _window(value: object) -> str:
    text = _text(value)
    if text in _NOT_ON_A_CALENDAR:
        problem = f'there is no "{text}" of the calendar; "{_NOT_ON_A_CALENDAR[text]}" is the last {text}, at any time'
        raise WrongValueError(value, problem=problem)
    parse_window(text)
    return text


def _duration(value: object) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,9})\s*([smhd])", _text(value))
    if not found:
        raise WrongValueError(value)
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def _date(value: object) -> datetime:
    if not isinstance(value, date):  # what has a time of day is one too
        raise WrongValueError(value)
    at = value if isinstance(value, datetime) else datetime.combine(value, time())
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise WrongValueError(value) from None


def _unpriced(value: object) -> str:
    if value not in {"allow", "refuse"} and not re.fullmatch(r"assume:\S+", _text(value)):
        raise WrongValueError(value)
    return _text(value)


def _dimension(name: object) -> Dimension:
    text = _text(name)
    if text not in DIMENSIONS:
        raise WrongValueError(name, problem=unknown("dimension", text, DIMENSIONS), expected=listed(DIMENSIONS))
    return text


def _dimensions(value: object) -> tuple[Dimension, ...]:
    names: tuple[Dimension, ...] = tuple(part(at, _dimension, name) for at, name in enumerate(_list(value)))
    if len(set(names)) != len(names):
        raise WrongValueError(value, problem="a dimension is named twice")
    return names


def _scope(value: object) -> Scope:
    return Scope(
        {part(name, _dimension, name): part(name, _patterns, patterns) for name, patterns in table(value).items()}
    )


def _bearers(value: object) -> Scope:
    if not isinstance(value, list):
        return _scope(value)
    return Scope(dict.fromkeys(_dimensions(cast("list[object]", value)), ("*",)))


def _patterns(value: object) -> tuple[str, ...]:
    try:
        return (_text(value),) if isinstance(value, str) else _texts(value)
    except WrongValueError:
        raise WrongValueError(value, expected='a pattern such as "gpt-*", or a list of patterns') from None


def _marks(value: object) -> tuple[Mark, ...]:
    marks = tuple(Mark(level, part(level, _share, share)) for level, share in table(value).items())
    for before, mark in pairwise(marks):
        if mark.share <= before.share:
            problem = f"{mark.share} is not above {before.level} = {before.share}"
            raise WrongValueError(mark.share, at=(mark.level,), problem=problem, expected="shares in rising order")
    if any(mark.level == "ok" for mark in marks):
        raise WrongValueError(value, at=("ok",), problem='"ok" is the level below all marks')
    return marks


def _share(value: object) -> Decimal:
    share = parse_usd(value)
    if not 0 < share <= _MOST_SHARE:
        raise WrongValueError(value)
    return share


def _texts(value: object) -> tuple[str, ...]:
    return tuple(part(position, _text, each) for position, each in enumerate(_list(value)))


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise WrongValueError(value)
    found = cast("list[object]", value)
    if not found:
        raise WrongValueError(found)
    return found


def table(value: object) -> Mapping[str, object]:
    """Read a table.

    Raises:
        WrongValueError: it is none.
    """
    if not isinstance(value, dict):
        raise WrongValueError(value)
    return cast("Mapping[str, object]", value)


TEXT = Kind("a text that is not empty", _text)
PATH = Kind("the path of a file", _text)
SWITCH = Kind("true or false", _switch, from_text=lambda text: _SWITCH_WORDS.get(text.lower(), text))
STORE_URL = Kind("a URL such as sqlite:///var/lib/llmcost/ledger.db, memory:// or https://collector:4319", _url)
ALERT_URL = Kind('a URL such as https://hooks.example.com/llmcost, or "env:NAME"', _alert_url, is_secret=True)
SECRET = Kind('a text, or "env:NAME"', _text, is_secret=True)
USD = Kind(f"USD from 0 to {_MOST_USD:,}, such as 10.00", _usd)
COUNT = Kind("a whole number above 0", _count)
TIMEZONE = Kind('an IANA time zone such as "Europe/Berlin"', _zone)
WINDOW = Kind(
    'a window: "hour", "day", "week", "month", "quarter" or "year"; "session", "task" or "trace"; '
    'or a length such as "24h", up to ten years',
    _window,
)
DURATION = Kind('a time such as "30s" or "5m"', _duration)
DATE = Kind("a date such as 2026-01-01, without quotes", _date)
UNPRICED = Kind('"allow", "refuse" or "assume:<model>"', _unpriced)
PER = Kind('a list of dimensions such as ["user"]', _dimensions)
SCOPE = Kind('patterns by dimension, such as { team = "support", model = "gpt-*" }', _scope)
BEARERS = Kind(
    'dimensions that a call must name, such as ["agent"], or patterns by dimension, such as { model = "llama-*" }',
    _bearers,
)
CARRY_OVER: Kind[Decimal | bool | None] = Kind("true, or the most USD that is carried over", _carry_over)
SHARE = Kind(f"a share above 0 and up to {_MOST_SHARE}", _share)
MARKS = Kind(f"shares above 0 and up to {_MOST_SHARE}, such as {{ warning = 0.75, exceeded = 1.0 }}", _marks)
LEVELS = Kind('a list of levels such as ["warning", "exceeded"]', _texts)
