"""A local server that speaks the wire formats of seven providers, for demos and tests without API keys.

with ProviderServer() as server:
    client = OpenAI(base_url=server.openai_url, api_key="local")
    client.chat.completions.create(...)
    assert server.requests[0].usage["prompt_tokens"] == 12
"""

from examples.provider_server.faults import Fault
from examples.provider_server.log import Exchange
from examples.provider_server.script import Rule
from examples.provider_server.server import ProviderServer
from examples.provider_server.tokens import count
from examples.provider_server.wire import Answer, ToolCall

__all__ = ["Answer", "Exchange", "Fault", "ProviderServer", "Rule", "ToolCall", "count"]
