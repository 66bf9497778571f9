"""One table per SDK: where a call starts, what it asks for, where its usage lies."""

from otel_llmcost.adapters.anthropic import ANTHROPIC
from otel_llmcost.adapters.bedrock import AIOBOTOCORE, BEDROCK, BOTOCORE, BOTOCORE_CONVERSE
from otel_llmcost.adapters.cohere import COHERE
from otel_llmcost.adapters.compatible import CEREBRAS, GROQ, TOGETHER, TOGETHER_1
from otel_llmcost.adapters.directory import Directory
from otel_llmcost.adapters.google_genai import GEMINI, INTERACTIONS, VERTEX
from otel_llmcost.adapters.huggingface import HUGGINGFACE
from otel_llmcost.adapters.mistral import MISTRAL
from otel_llmcost.adapters.ollama import OLLAMA
from otel_llmcost.adapters.openai import OPENAI
from otel_llmcost.adapters.openrouter import OPENROUTER
from otel_llmcost.adapters.perplexity import PERPLEXITY

SDKS = (OPENAI, ANTHROPIC, GROQ, TOGETHER, CEREBRAS, INTERACTIONS)
"""SDKs with a wrapper of their own."""

APIS = (
    AIOBOTOCORE,
    BOTOCORE_CONVERSE,
    BOTOCORE,
    BEDROCK,
    VERTEX,
    GEMINI,
    MISTRAL,
    COHERE,
    OLLAMA,
    HUGGINGFACE,
    OPENROUTER,
    TOGETHER_1,
    PERPLEXITY,
    OPENAI,
    ANTHROPIC,
)
"""What is known by its requests alone: those of one provider first, then those that servers of others speak too."""

DIRECTORY = Directory(APIS)
