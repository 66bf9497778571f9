"""Every replay runs with accounting on, against a server of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.instrumentation.conftest import process, start, store_kind  # noqa: F401 -- fixtures
from tests.replay.server import ReplayServer


@pytest.fixture
def replay() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server
