"""On which line of a TOML text a key stands: the parser does not tell. The text is known to be valid TOML."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping

from otel_llmcost.config.kinds import Place

_TOKEN = re.compile(
    r'''
    (?P<blank> [ \t\r]+ | \#[^\n]* )
    | (?P<newline> \n )
    | (?P<text> """ (?: \\. | [^\\] )*? """ (?!") | \'\'\' .*? \'\'\' (?!\') | " (?: \\. | [^"\\] )* " | '[^']*' )
    | (?P<mark> [][{}=,.] )
    | (?P<word> [^][{}=,.\s\#"']+ )
    ''',
    re.VERBOSE | re.DOTALL,
)


def lines(text: str) -> Mapping[Place, int]:
    """Map the place of every key, table and list element to its line, counted from 1."""
    finder = _Finder(text)
    finder.document()
    return finder.found


class _Finder:
    """Walks the text once and notes where keys begin."""

    def __init__(self, text: str) -> None:
        self.found: dict[Place, int] = {}
        self._tokens = _tokens(text)
        self._kind, self._now, self._line = next(self._tokens)
        self._last: dict[Place, int] = {}
        """Arrays of tables → position of their last table."""

    def document(self) -> None:
        table: Place = ()
        while self._kind != "end":
            if self._kind == "newline":
                self._next()
            elif self._now == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Place:
        line = self._line
        self._next()
        is_array = self._now == "["
        if is_array:
            self._next()
        keys = self._keys("]")
        self._next()
        if is_array:
            self._next()
        place: Place = ()
        for key in keys[:-1]:
            place = (*place, key)
            self.found.setdefault(place, line)
            if place in self._last:
                place = (*place, self._last[place])
        place = (*place, keys[-1])
        if is_array:
            self.found.setdefault(place, line)
            self._last[place] = self._last.get(place, -1) + 1
            place = (*place, self._last[place])
        self.found[place] = line
        return place

    def _pair(self, table: Place) -> None:
        line = self._line
        place = table
        for key in self._keys("="):
            place = (*place, key)
            self.found.setdefault(place, line)
        self._next()
        self._value(place)

    def _keys(self, end: str) -> list[str]:
        keys: list[str] = []
        while self._now != end:
            if self._kind == "text":
                keys.append(tomllib.loads(f"key = {self._now}")["key"])
            elif self._kind == "word":
                keys.append(self._now)
            self._next()
        return keys

    def _value(self, place: Place) -> None:
        if self._now == "[":
            self._elements(place)
        elif self._now == "{":
            self._inline(place)
        else:
            while self._kind not in {"newline", "end"} and self._now not in {",", "]", "}"}:
                self._next()

    def _elements(self, place: Place) -> None:
        self._next()
        position = 0
        while self._now != "]":
            if self._kind == "newline":
                self._next()
            elif self._now == ",":
                position += 1
                self._next()
            else:
                self.found[*place, position] = self._line
                self._value((*place, position))
        self._next()

    def _inline(self, place: Place) -> None:
        self._next()
        while self._now != "}":
            if self._kind == "newline" or self._now == ",":
                self._next()
            else:
                self._pair(place)
        self._next()

    def _next(self) -> None:
        self._kind, self._now, self._line = next(self._tokens)


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for found in _TOKEN.finditer(text):
        kind = str(found.lastgroup)
        if kind != "blank":
            yield kind, found[0] if kind != "newline" else "", line
        line += found[0].count("\n")
    yield "end", "", line
