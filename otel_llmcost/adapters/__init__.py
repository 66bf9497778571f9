"""One table per SDK: where a call starts, what it asks for, where its usage lies."""

from otel_llmcost.adapters.anthropic import ANTHROPIC
from otel_llmcost.adapters.bedrock import BEDROCK
from otel_llmcost.adapters.compatible import CEREBRAS, GROQ, TOGETHER
from otel_llmcost.adapters.directory import Directory
from otel_llmcost.adapters.openai import OPENAI

SDKS = (OPENAI, ANTHROPIC, GROQ, TOGETHER, CEREBRAS)
"""SDKs with a wrapper of their own."""

APIS = (BEDROCK, OPENAI, ANTHROPIC)
"""What is known by its requests alone: those of one provider first, then those that servers of others speak too."""

DIRECTORY = Directory(APIS)
