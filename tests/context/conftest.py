"""Who a call is for, over every hop; what needs more than the standard library has an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from otel_llmcost.instrumentation import contain, hops, state
from tests.e2e.conftest import Scene, scene

__all__ = ["Scene", "scene"]

collect_ignore = [] if find_spec("celery") else ["test_servers.py", "test_clients.py", "test_queues.py"]
"""`make test-context` has what those need."""


@pytest.fixture
def carrying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Carry attribution in this process, for the time of a test, as if no SDK had been imported yet."""
    monkeypatch.setattr(contain, "reraise", True)
    monkeypatch.setattr(state, "is_installed", True)
    hops.wait()
    yield
    hops.remove()
