"""The form of a row: who speaks an API, how its requests are known, and where an SDK's calls pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import unquote

from otel_llmcost.adapters.endpoint import Endpoint, Place

UNSENT = frozenset(
    {
        *("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"),  # httpx
        *("NewConnectionError", "ConnectTimeoutError", "SSLCertVerificationError"),  # below requests
        *("ClientConnectorError", "ConnectionTimeoutError"),  # aiohttp
    }
)
UNANSWERED = frozenset(
    {
        *("TimeoutException", "NetworkError", "RemoteProtocolError", "Timeout"),  # httpx; requests
        *("ConnectionError", "ChunkedEncodingError", "ClientConnectionError", "ClientPayloadError"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What a provider's programs speak over HTTP: its paid endpoints, and how to know it by a request."""

    name: str
    """Of the SDK that usually speaks it."""
    provider: str
    """Told from the host where the host is known; else this."""
    endpoints: tuple[Endpoint, ...]
    hosts: Mapping[str, str] | None = None
    """End of the host → provider; with a `*`, a pattern of the whole host."""
    agents: tuple[str, ...] = ()
    """Words, in lower case, by which its SDK names itself in the headers `user-agent`, `x-fern-sdk-name` or
    `x-goog-api-client`."""
    is_common: bool = False
    """Servers of others speak it too, so its paths tell it on any host."""
    unsent: frozenset[str] = UNSENT
    """Names of errors raised before anything reached the provider."""
    unanswered: frozenset[str] = UNANSWERED
    """Names of errors after which the provider may have billed."""

    def known_at(self, host: str) -> str | None:
        """Tell who answers at a host that belongs to this API; None: not known."""
        for end, provider in (self.hosts or {}).items():
            if "*" in end:
                if fnmatchcase(host, end):
                    return provider
            elif host == end or host.endswith(end if end[0] in ".-:" else "." + end):
                return provider
        return None

    def place(self, path: str, method: str = "post") -> Place | None:
        """Find the endpoint of a URL's path, percent-encoded as it is sent, without its query."""
        for endpoint in self.endpoints:
            found = endpoint.matches.search(path) if endpoint.method == method else None
            if found is not None:
                named = found.groupdict()
                model = unquote(named["model"]) if "model" in named else None
                if not endpoint.models or any(word in (model or "").lower() for word in endpoint.models):
                    return Place(endpoint, model, named.get("id"))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSdk(Api):
    """An SDK all of whose calls pass one `request(cast_to, options, *, stream, stream_cls)` of its HTTP client.

    That method is where retries happen, so one call of the user is one call here, whatever helper, raw response or
    beta namespace it came through.
    """

    module: str
    """Patched when the app imports it."""
    sync_method: str = "SyncAPIClient.request"
    async_method: str = "AsyncAPIClient.request"
    unanswered: frozenset[str] = UNANSWERED | {"APITimeoutError", "APIConnectionError", "APIResponseValidationError"}
    within: str = ""
    """The SDK that this is a part of, in some of its versions; empty: one of its own."""
    answer_in_error: tuple[str, ...] = ()
    """Paths at which an error carries the paid answer it was raised about."""
    clients: Mapping[str, str] | None = None
    """Name of a client's class → provider, where the host does not tell, such as a gateway's."""

    def provider_of(self, client: type) -> str:
        """Tell who answers a client, by its class or one that it inherits from."""
        clients = self.clients or {}
        return next((clients[each.__name__] for each in client.__mro__ if each.__name__ in clients), self.provider)
