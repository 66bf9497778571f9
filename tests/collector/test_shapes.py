"""What is settled once for all spans that have the same attributes."""

from __future__ import annotations

from otel_llmcost_collector import shapes as module
from otel_llmcost_collector.bounded import Bounded
from otel_llmcost_collector.shapes import ShapesOfScope
from tests.collector.reading import reader_for

NAMES = ("gen_ai.operation.name", "gen_ai.request.model")


def test_a_shape_is_settled_once():
    """Finding out who reads it takes long."""
    asked: list[frozenset[str]] = []
    shapes = ShapesOfScope("s", lambda scope, keys: asked.append(keys) or reader_for(scope, keys))

    assert shapes.find(NAMES) is shapes.find(NAMES)
    assert asked == [frozenset(NAMES)]


def test_shapes_that_are_too_large_are_not_remembered():
    """Names come from whoever sends spans."""
    shapes = ShapesOfScope("s", reader_for)

    assert shapes.find((*NAMES, "x" * 10_000)).reader is not None

    assert not shapes
    assert not shapes.latest


def test_the_latest_are_bounded(monkeypatch):
    """Names come from whoever sends spans."""
    monkeypatch.setattr(module, "_MOST_SHAPES", 3)
    shapes = ShapesOfScope("s", reader_for)

    for number in range(1, 10):
        shapes.find(tuple("abcdefghij"[:number]))

    assert len(shapes) <= 3
    assert len(shapes.latest) <= 3


def test_a_reader_may_want_what_is_not_there():
    """It gets an empty value."""

    class Wanting:
        wanted = ("there", "missing")

    shape = ShapesOfScope("s", lambda *_: Wanting())[("there", "other")]

    assert list(shape.pick({"there": b"1", "other": b"2"})) == [b"1", b"", b"2"]


def test_a_memory_begins_anew_when_it_is_full():
    """It never holds more than it may."""
    made: list[int] = []
    memory: Bounded[int, int] = Bounded(lambda key: made.append(key) or -key, 2, is_kept=lambda key: key != 7)

    assert [memory[key] for key in (1, 2, 1, 3, 7, 7)] == [-1, -2, -1, -3, -7, -7]

    assert made == [1, 2, 3, 7, 7]
    assert memory == {3: -3}
