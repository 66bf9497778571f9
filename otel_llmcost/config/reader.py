"""Hands out the values of a file's tables, and notes with line and key what cannot be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from enum import Enum
from typing import TypeVar, cast

from otel_llmcost.config.kinds import Kind, Place, WrongValueError, listed, unknown
from otel_llmcost.errors import ConfigError

T = TypeVar("T")
_LONGEST = 60


class Unread(Enum):
    """Why there is no value."""

    ABSENT = "absent"
    WRONG = "wrong"


class Notes:
    """All that is wrong with one configuration, or to be told about it."""

    def __init__(self) -> None:
        self.problems: list[ConfigError] = []
        self.notices: list[tuple[int, str]] = []
        """With the line each is about."""
        self.is_strict = False
        self.refuse_all_reason: str | None = None
        self.file = ""
        self.text = ""
        self._lines: Mapping[Place, int] | None = None

    def variable(self, name: str, problem: str, expected: str = "") -> None:
        """Note a problem of an environment variable or an argument."""
        self.problems.append(ConfigError(problem, key=name, expected=expected))

    def file_fault(self, problem: str, *, line: int | None = None) -> None:
        """Note that the whole file cannot be used."""
        self._add(problem, "nothing in the file is used", line=line, key="", expected="", guards=True)

    def place(self, place: Place, problem: str, *, loss: str, expected: str = "", guards: bool = False) -> None:
        """Note a problem of a key in the file.

        Args:
            place: the way to the key.
            problem: what is wrong.
            loss: what that means for the user.
            expected: what would be right.
            guards: whether what is lost would have held calls back; then, if strict, all calls are.
        """
        self._add(problem, loss, line=self.line_of(place), key=dotted(place), expected=expected, guards=guards)

    def notice(self, place: Place, text: str) -> None:
        """Note something that is right but has no effect yet."""
        line = self.line_of(place)
        self.notices.append((line or 0, str(ConfigError(text, file=self.file, line=line, key=dotted(place)))))

    def _add(self, problem: str, loss: str, *, line: int | None, key: str, expected: str, guards: bool) -> None:
        refuses = guards and self.is_strict
        text = f"{problem}; {'every call is refused (strict = true)' if refuses else loss}"
        error = ConfigError(text, file=self.file, line=line, key=key, expected=expected)
        self.problems.append(error)
        if refuses and self.refuse_all_reason is None:
            self.refuse_all_reason = str(error)

    def line_of(self, place: Place) -> int | None:
        """Find the line of a key, or of the table in which it is missing."""
        if self._lines is None:
            from otel_llmcost.config.lines import lines  # noqa: PLC0415 -- only for mistakes: agents start without it

            self._lines = lines(self.text)
        while place and place not in self._lines:
            place = place[:-1]
        return self._lines.get(place)


class Table:
    """One table of the file. A key that is never asked for is unknown."""

    def __init__(self, notes: Notes, place: Place, values: Mapping[str, object], *, loss: str, guards: bool) -> None:
        self.place = place
        self.is_usable = True
        self._notes = notes
        self.values = values
        self._loss = loss
        self._guards = guards
        self._known: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def require(self, key: str, kind: Kind[T]) -> T | None:
        """Read a key that must be there; if it is not right, the table is not usable."""
        if key not in self.values:
            self.fault((key,), "is missing", kind.expected)
        wanted: Kind[T | None] = kind
        return self.choose(key, wanted, None)

    def choose(self, key: str, kind: Kind[T], default: T) -> T:
        """Read a key that may be left out; if it is not right, the table is not usable."""
        value = self._read(key, kind, self._loss)
        if isinstance(value, Unread):
            self.is_usable = self.is_usable and value is Unread.ABSENT
            return default
        return value

    def take(self, key: str, kind: Kind[T], default: T) -> T:
        """Read a key that may be left out or, unless all is strict, be wrong: then it is as if left out."""
        if self._guards and self._notes.is_strict:
            return self.choose(key, kind, default)
        value = self._read(key, kind, "it is taken as if left out")
        return default if isinstance(value, Unread) else value

    def has_only(self, keys: Sequence[str]) -> bool:
        """Note all other keys; tell whether the table is usable."""
        self._known.extend(keys)
        return self.finish()

    def fault(self, at: Place, problem: str, expected: str = "") -> None:
        """Note something that makes the table unusable."""
        self.is_usable = False
        self.mention(at, problem, expected, self._loss)

    def mention(self, at: Place, problem: str, expected: str, loss: str) -> None:
        """Note something without which the table is still usable."""
        self._notes.place((*self.place, *at), problem, loss=loss, expected=expected, guards=self._guards)

    def notice(self, at: Place, text: str) -> None:
        """Note something that is right but has no effect yet."""
        self._notes.notice((*self.place, *at), text)

    def finish(self) -> bool:
        """Note keys that nobody asked for; tell whether the table is usable."""
        for key in self.values:
            if key not in self._known:
                self.fault((key,), unknown("key", key, tuple(self._known)), listed(tuple(self._known)))
        return self.is_usable

    def _read(self, key: str, kind: Kind[T], loss: str) -> T | Unread:
        self._known.append(key)
        if key not in self.values:
            return Unread.ABSENT
        try:
            return kind.read(self.values[key])
        except ValueError as error:
            wrong = error if isinstance(error, WrongValueError) else WrongValueError(self.values[key])
            problem = wrong.problem or said(wrong.found, kind)
            self.mention((key, *wrong.at), problem, wrong.expected or kind.expected, loss)
            return Unread.WRONG


def rows(notes: Notes, document: Mapping[str, object], key: str, *, loss: str, guards: bool = False) -> Iterator[Table]:
    """Give the tables headed `[[key]]` one by one."""
    found = document.get(key, [])
    if not isinstance(found, list):
        notes.place((key,), f"found {shown(found)}", loss=loss, expected=f"tables headed [[{key}]]", guards=guards)
        return
    for position, row in enumerate(cast("list[object]", found)):
        if isinstance(row, dict):
            yield Table(notes, (key, position), cast("Mapping[str, object]", row), loss=loss, guards=guards)
        else:
            expected = f"a table headed [[{key}]]"
            notes.place((key, position), f"found {shown(row)}", loss=loss, expected=expected, guards=guards)


def inner_tables(
    notes: Notes, document: Mapping[str, object], key: str, *, loss: str, guards: bool = False
) -> Iterator[Table]:
    """Give the tables headed `[key.…]` one by one."""
    found = document.get(key, {})
    if not isinstance(found, dict):
        notes.place((key,), f"found {shown(found)}", loss=loss, expected=f"tables headed [{key}.<name>]", guards=guards)
        return
    for name, values in cast("Mapping[str, object]", found).items():
        if isinstance(values, dict):
            yield Table(notes, (key, name), cast("Mapping[str, object]", values), loss=loss, guards=guards)
        else:
            expected = f"a table headed [{key}.<name>]"
            notes.place((key, name), f"found {shown(values)}", loss=loss, expected=expected, guards=guards)


def dotted(place: Place) -> str:
    """Write a place as people say it: `budget[1].limit`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def said(value: object, kind: Kind[object]) -> str:
    """Say what was found, unless it is nobody's business."""
    return "what was found cannot be used" if kind.is_secret else f"found {shown(value)}"


def shown(value: object) -> str:
    """Show a value much as it stands in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value if len(value) <= _LONGEST else value[:_LONGEST] + "…"}"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        inner = ", ".join(shown(each) for each in cast("list[object]", value))
        return f"[{inner}]" if len(inner) <= _LONGEST else "a list"
    return value.isoformat() if isinstance(value, date) else str(value)
