"""litellm, on every way that it takes to a provider; collected only where it is installed (`make test-litellm`)."""

from __future__ import annotations

import asyncio
import os
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tests.instrumentation.conftest import process, start, store_kind  # noqa: F401 -- fixtures
from tests.replay.server import ReplayServer

IS_THERE = find_spec("litellm") is not None and find_spec("openinference") is not None

if IS_THERE:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks the network for one
    os.environ["HF_HUB_OFFLINE"] = "1"  # and for tokenizers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm
        import litellm.proxy

    litellm.suppress_debug_info = True
else:
    collect_ignore_glob = ["test_*.py"]


def pytest_configure(config: pytest.Config) -> None:
    """Let litellm, and what it leaves open in the background, warn as it likes."""
    if IS_THERE:
        config.addinivalue_line("filterwarnings", "ignore")


LOGGERS = (
    *("callbacks", "input_callback", "success_callback", "failure_callback", "service_callback"),
    *("_async_input_callback", "_async_success_callback", "_async_failure_callback"),
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_REGION_NAME": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LITELLM_RUST", raising=False)
    yield
    litellm.cache = None
    for name in LOGGERS:
        setattr(litellm, name, [])


@pytest.fixture
def replay() -> Iterator[ReplayServer]:
    with ReplayServer() as server:
        yield server


Call = Callable[..., Any]
"""Asks litellm, and returns its answer or a list of its chunks."""


def plain(name: str, **kwargs: Any) -> Any:
    return getattr(litellm, name)(**kwargs)


def streamed(name: str, **kwargs: Any) -> Any:
    return list(getattr(litellm, name)(stream=True, **kwargs))


def awaited(name: str, **kwargs: Any) -> Any:
    return asyncio.run(_awaited(name, kwargs))


async def _awaited(name: str, kwargs: dict[str, Any]) -> Any:
    return await getattr(litellm, f"a{name}")(**kwargs)


def streamed_async(name: str, **kwargs: Any) -> Any:
    return asyncio.run(_drained(getattr(litellm, f"a{name}")(stream=True, **kwargs)))


async def _drained(opening: Any) -> list[Any]:
    stream: AsyncIterator[Any] = await opening
    return [chunk async for chunk in stream]


WHOLE = [pytest.param(plain, id="sync"), pytest.param(awaited, id="async")]
STREAMS = [pytest.param(streamed, id="stream"), pytest.param(streamed_async, id="async-stream")]
