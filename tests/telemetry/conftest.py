"""A process of ours within the test, for what other instrumentors' spans get from it."""

from tests.adapters.conftest import connect
from tests.instrumentation.conftest import process, server, start

__all__ = ["connect", "process", "server", "start"]
