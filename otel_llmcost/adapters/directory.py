"""Finding, by a request alone, which API it speaks, what it asks for and who is paid for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from otel_llmcost.adapters.base import Api
from otel_llmcost.adapters.endpoint import Endpoint, Place

AGENT_HEADERS = ("user-agent", "x-fern-sdk-name", "x-goog-api-client")
"""Where SDKs name themselves."""

_MOST = 2000
_UNMISTAKABLE = ("/v1", "/openai/", "/chat/completions", ":", "/model/")
"""On a host that nobody knows, a path must hold one of these: a program's own servers have paths like `/responses`."""


class Found(NamedTuple):
    """What a request is."""

    api: Api
    endpoint: Endpoint
    provider: str
    model: str | None
    """As the URL says; None: the body says it."""
    id: str | None
    """What the URL is about, such as a batch."""


class Directory:
    """All APIs that are known. What was found is remembered, as a program asks the same few places again and again."""

    def __init__(self, apis: Sequence[Api]) -> None:
        self._apis = tuple(apis)
        self.find = lru_cache(_MOST)(self._find)
        self.at = lru_cache(_MOST)(self._at)
        self.provider_at = lru_cache(_MOST)(self._provider_at)

    def is_provider(self, netloc: str, agent: str) -> bool:
        """Tell whether a request goes to a provider, by its host or its sender, whatever it asks for."""
        return self.provider_at(netloc) is not None or any(word in agent for api in self._apis for word in api.agents)

    def _find(self, netloc: str, path: str, agent: str, meant: str = "") -> Found | None:
        """Find the endpoint of a request.

        Args:
            netloc: host, with its port if the URL says one.
            path: percent-encoded, without the query.
            agent: what `agent_of` gives.
            meant: the provider, if whoever sends this says so; counts where nobody knows the host.
        """
        named = [api for api in self._apis if any(word in agent for word in api.agents)]
        at_home = [api for api in self._apis if known_at(api, netloc)]
        common = [api for api in self._apis if api.is_common] if any(each in path for each in _UNMISTAKABLE) else []
        theirs = [api for api in self._apis if api.provider == meant]
        for api in (*named, *at_home, *theirs, *common):
            if (place := api.place(path)) is not None:
                provider = known_at(api, netloc) or self.provider_at(netloc) or meant or api.provider
                return Found(api, place.endpoint, provider, place.model, place.id)
        return None

    def _at(self, netloc: str, path: str) -> Place | None:
        """Find an endpoint that a host has in a form of its own, whatever SDK asks it; None: no such host is known."""
        places = (api.place(path) for api in self._apis if not api.is_common and known_at(api, netloc))
        return next((place for place in places if place is not None), None)

    def _provider_at(self, netloc: str) -> str | None:
        """Tell who answers at a host; None: nobody knows."""
        return next((known for api in self._apis if (known := known_at(api, netloc)) is not None), None)


def known_at(api: Api, netloc: str) -> str | None:
    """Tell who answers at a host and port that belong to an API; None: they do not."""
    host, colon, port = netloc.rpartition(":")
    is_port = bool(colon) and port.isdigit()
    return (api.known_at(host) if is_port else None) or api.known_at(netloc)


def agent_of(headers: Mapping[str, str]) -> str:
    """Return how the sender of a request names itself, in lower case."""
    return " ".join(headers.get(name) or "" for name in AGENT_HEADERS).lower()
