"""How processes of the collector run."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from otel_llmcost_collector.running import spare_what_stays


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_stays_is_not_looked_at_again() -> None:
    """The price book has many thousand objects, and looking for garbage among them took a thirtieth of all time."""
    stays: list[list[int]] = [[] for _ in range(1000)]

    spare_what_stays()

    assert gc.get_freeze_count() >= len(stays)


def test_what_comes_later_is_looked_at() -> None:
    """What is frozen would never be freed."""
    spare_what_stays()
    before = gc.get_freeze_count()
    circle: list[object] = []
    circle.append(circle)

    assert gc.is_tracked(circle)
    assert gc.get_freeze_count() == before
