"""Which provider an address belongs to. Where two share one, a prefix or the client's own headers tell them apart."""

from __future__ import annotations

import re
from collections.abc import Mapping

from examples.provider_server.wire import Provider

PREFIXES: Mapping[str, Provider] = {"/mistral": "mistral"}
"""Put before a provider's own paths, where another's are the same."""
ALIASES = ("/openai", "/api", "/inference")
"""What hosts that speak OpenAI's language put before its paths, as Groq, OpenRouter and Fireworks do."""

_PATHS: tuple[tuple[str, Provider], ...] = (
    (r"/v1(beta|beta1|alpha)?/(models/[^/]+:|projects/|publishers/)", "gemini"),
    (r"/v1(beta|beta1|alpha)/", "gemini"),
    (r"/v1/interactions", "gemini"),
    (r"/model/[^/]+/", "bedrock"),
    (r"/api/(chat|generate|embed|embeddings|tags|show|ps|version)$", "ollama"),
    (r"/v2/", "cohere"),
    (r"/v1/(chat|embed|rerank|generate|classify)$", "cohere"),
    (r"/v1/messages", "anthropic"),
)


def provider_of(path: str, headers: Mapping[str, str]) -> Provider:
    """Tell whose client sent a request, by its path and the names of its headers in lower case."""
    for prefix, provider in PREFIXES.items():
        if path.startswith(prefix + "/"):
            return provider
    for pattern, provider in _PATHS:
        if re.match(pattern, path):
            return provider
    if "mistral-client" in headers.get("user-agent", ""):
        return "mistral"
    return "anthropic" if "anthropic-version" in headers else "openai"


def plain(path: str) -> str:
    """Return a path without what only tells whose it is."""
    for prefix in (*PREFIXES, *ALIASES):
        rest = path.removeprefix(prefix)
        if rest != path and rest.startswith(("/v1", "/deployments/")):
            return rest
    return path
