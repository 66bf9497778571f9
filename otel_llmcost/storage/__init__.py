"""Where balances, ledger and outbox are kept: named by a URL, opened when first used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from otel_llmcost.errors import ConfigError

if TYPE_CHECKING:
    from otel_llmcost.storage.base import Store

_OPENERS: Mapping[str, str] = {
    "memory": "otel_llmcost.storage.memory:open_memory",
    "sqlite": "otel_llmcost.storage.sqlite:open_sqlite",
    "redis": "otel_llmcost.storage.redis:open_redis",
    "rediss": "otel_llmcost.storage.redis:open_rediss",
    "redis+sentinel": "otel_llmcost.storage.redis:open_sentinel",
    "rediss+sentinel": "otel_llmcost.storage.redis:open_rediss_sentinel",
    "redis+cluster": "otel_llmcost.storage.redis:open_cluster",
    "rediss+cluster": "otel_llmcost.storage.redis:open_rediss_cluster",
    "https": "otel_llmcost.storage.remote:open_https",
    "http": "otel_llmcost.storage.remote:open_http",
}
"""Scheme → function that takes what stands behind `://`; imported when the scheme is used."""
_EXPECTED = "memory://, sqlite:///absolute/path, sqlite://relative/path, redis://host or https://host:port"
_WITH_TOKEN = frozenset({"https", "http"})


def open_store(url: str, *, deadline_seconds: float = 5.0, token: str = "") -> Store:
    """Make the store a URL names; files and connections are opened at its first use.

    Args:
        url: `memory://`, `sqlite:///absolute/path`, `sqlite://relative/path`, `redis://host` (or `rediss`,
            `redis+sentinel`, `redis+cluster`) or `https://host:port`.
        deadline_seconds: how long an act may wait for other threads and processes.
        token: tells a store behind `https://` who asks; no other takes one.

    Raises:
        ConfigError: no store of ours is named so.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _OPENERS:
        problem = f"no store for {scheme + separator!r}"  # what stands behind may hold a password
        raise ConfigError(problem, key="store", expected=_EXPECTED)
    module, _, name = _OPENERS[scheme].partition(":")
    more = {"token": token} if scheme in _WITH_TOKEN else {}
    store: Store = getattr(import_module(module), name)(rest, deadline_seconds, **more)
    return store
