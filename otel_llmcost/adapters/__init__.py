"""One table per SDK: where a call starts, what it asks for, where its usage lies."""

from otel_llmcost.adapters.anthropic import ANTHROPIC
from otel_llmcost.adapters.openai import OPENAI

SDKS = (OPENAI, ANTHROPIC)
