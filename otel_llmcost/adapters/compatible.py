"""SDKs built like openai's, for providers that copied its chat completions: groq, together, cerebras."""

from __future__ import annotations

from otel_llmcost.adapters.base import ClientSdk
from otel_llmcost.adapters.openai import HOSTS, chat

_ENDPOINTS = (chat(asks_usage=False),)  # they report a stream's usage without being asked

GROQ = ClientSdk(name="groq", module="groq._base_client", provider="groq", hosts=HOSTS, endpoints=_ENDPOINTS)
TOGETHER = ClientSdk(
    name="together", module="together._base_client", provider="together", hosts=HOSTS, endpoints=_ENDPOINTS
)
CEREBRAS = ClientSdk(
    name="cerebras",
    module="cerebras.cloud.sdk._base_client",
    provider="cerebras",
    hosts=HOSTS,
    endpoints=_ENDPOINTS,
)
