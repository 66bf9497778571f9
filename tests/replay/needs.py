"""What an older SDK does not have yet."""

from __future__ import annotations

import anthropic
import openai
import pytest

responses = pytest.mark.skipif(not hasattr(openai.OpenAI, "responses"), reason="this openai has no responses yet")
realtime = pytest.mark.skipif(not hasattr(openai.OpenAI, "realtime"), reason="this openai has no realtime yet")
claude_batches = pytest.mark.skipif(
    not hasattr(anthropic.resources.Messages, "batches"), reason="this anthropic has no batches yet"
)
claude_beta = pytest.mark.skipif(
    not hasattr(anthropic.resources.Beta, "messages"), reason="this anthropic has no beta messages yet"
)
