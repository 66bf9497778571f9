"""The line of every key is found, however TOML lets people write it."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_llmcost.config.lines import lines

DOCUMENT = Path(__file__).with_name("every_form.toml").read_text(encoding="utf-8")


def places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if at:
        yield at
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield from places(inner, (*at, step))


def test_every_place_of_a_document_has_a_line_that_shows_it():
    found = lines(DOCUMENT)
    text = DOCUMENT.splitlines()

    assert set(places(tomllib.loads(DOCUMENT))) == set(found)
    for place, line in found.items():
        keys = [step for step in place if isinstance(step, str)]
        shown = keys[-1].replace("key", r"\u006bey")
        assert isinstance(place[-1], int) or shown in text[line - 1], (place, line)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        pytest.param(("store",), 2, id="top"),
        pytest.param(("quoted key",), 3, id="quoted"),
        pytest.param(("a", "b", "c.d", "y", "z", 1, "deep"), 4, id="inline"),
        pytest.param(("budget",), 6, id="array-of-tables"),
        pytest.param(("budget", 0, "limit"), 10, id="after-a-text-of-lines"),
        pytest.param(("budget", 0, "per", 1, 1), 14, id="element"),
        pytest.param(("budget", 0, "scope", "team"), 17, id="table-in-the-last-one"),
        pytest.param(("budget", 1), 18, id="second-table"),
        pytest.param(("budget", 1, "when"), 22, id="after-a-literal-of-lines"),
        pytest.param(("budget", 1, "rows", 1, "k"), 26, id="array-in-array"),
        pytest.param(("tiers", "pro]", "daily"), 30, id="bracket-in-a-name"),
    ],
)
def test_a_key_stands_on_its_line(place, line):
    assert lines(DOCUMENT)[place] == line


def test_carriage_returns_do_not_count():
    assert lines("a = 1\r\nb = 2\r\n") == {("a",): 1, ("b",): 2}
