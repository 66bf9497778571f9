"""Whatever goes wrong with an SDK's stream, the program sees the same as without us, and the call is charged once."""

from typing import Any

import pytest

from examples.provider_server import Fault, ProviderServer, Rule
from tests.instrumentation.conftest import Start
from tests.sdks.test_counts import CASES, Calls

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")

STREAMS = [
    *("gemini-stream", "gemini-async-stream", "gemini-interaction-stream", "mistral-stream", "mistral-async-stream"),
    *("mistral-conversation-stream", "cohere-stream", "cohere-async-stream", "cohere-1-stream"),
    *("bedrock-converse-stream", "bedrock-claude-stream", "ollama-stream", "ollama-async-stream"),
]
CALLS: dict[str, Calls] = {case.id: case.values[0] for case in CASES}


def outcome(call: Calls, fault: str) -> tuple[str, Any]:
    """Say what a program sees of a call: how many pieces came, or which error."""
    with ProviderServer([Rule(fault=Fault.parse(fault))]) as server:
        try:
            answer = call(server.url)
        except Exception as error:  # noqa: BLE001 -- an SDK's own, whichever that is
            return type(error).__name__, len(server.requests)
        return "answered", len(answer) if isinstance(answer, list) else len(server.requests)


@pytest.mark.parametrize("fault", ["401", "cut-mid-stream", "overloaded-mid-stream", "chunk=3", "no-usage"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_program_sees_what_it_would_see_without_us(start: Start, name: str, fault: str) -> None:
    before = outcome(CALLS[name], fault)
    process = start()
    after = outcome(CALLS[name], fault)

    assert after == before
    charges = process.charges
    if fault == "401":
        assert charges == []
        return
    (charge,) = charges
    is_counted = fault == "chunk=3" or (fault == "no-usage" and name.startswith("ollama"))
    assert charge.method == "reported" if is_counted else charge.status in ("estimated", "unpriced")
    if fault in ("cut-mid-stream", "overloaded-mid-stream"):
        assert 0 < charge.usage.output_tokens < 13
    elif not name.startswith("ollama"):
        assert charge.usage.output_tokens >= 13
