"""Finding, by a request alone, which API it speaks, what it asks for and who is paid for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from otel_llmcost.adapters.base import Api, Endpoint, Place

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

    def _find(self, netloc: str, path: str, agent: str) -> Found | None:
        """Find the endpoint of a request.

        Args:
            netloc: host, with its port if the URL says one.
            path: percent-encoded, without the query.
            agent: what `agent_of` gives.
        """
        host = netloc.rpartition(":")[0] if netloc.rpartition(":")[2].isdigit() else netloc
        for api in self._apis:
            if any(word in agent for word in api.agents) and (place := api.place(path)) is not None:
                return self._found(api, place, netloc, host)
        for api in self._apis:
            if (api.known_at(host) or api.known_at(netloc)) and (place := api.place(path)) is not None:
                return self._found(api, place, netloc, host)
        if any(each in path for each in _UNMISTAKABLE):
            for api in self._apis:
                if api.is_common and (place := api.place(path)) is not None:
                    return self._found(api, place, netloc, host)
        return None

    def _found(self, api: Api, place: Place, netloc: str, host: str) -> Found:
        known = (each.known_at(host) or each.known_at(netloc) for each in (api, *self._apis))
        provider = next((each for each in known if each is not None), api.provider)
        return Found(api, place.endpoint, provider, place.model, place.id)


def agent_of(headers: Mapping[str, str]) -> str:
    """Return how the sender of a request names itself, in lower case."""
    return " ".join(headers.get(name) or "" for name in AGENT_HEADERS).lower()
