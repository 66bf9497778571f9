"""Every replay runs with accounting on, against a server of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.instrumentation.conftest import process, start, store_kind  # noqa: F401 -- fixtures
from tests.replay.server import ReplayServer

_NEEDED = {
    "test_mistral.py": "mistralai",
    "test_cohere.py": "cohere",
    "test_ollama.py": "ollama",
    "test_huggingface.py": "huggingface_hub",
    "test_copies.py": "groq",
}
collect_ignore = [name for name, module in _NEEDED.items() if find_spec(module) is None]
"""Where the oldest openai and anthropic are, not all others can be."""


@pytest.fixture
def replay() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server
