"""Names as SDKs, clouds, gateways and instrumentors really write them, each judged by hand."""

# ruff: noqa: E501 -- a table reads best with a row a line

import pytest

from otel_llmcost.pricebook.book import load

KNOWN = [
    # the providers' own
    ("openai", "gpt-4o", "openai/gpt-4o"),
    ("openai", "gpt-4o-2024-11-20", "openai/gpt-4o"),
    ("openai", "gpt-4o-2024-05-13", "openai/gpt-4o-2024-05-13"),
    ("openai", "gpt-5.2-2025-12-11", "openai/gpt-5.2"),
    ("openai", "gpt-5.2-20251211", "openai/gpt-5.2"),
    ("openai", "GPT-4o", "openai/gpt-4o"),
    ("openai", "o3", "openai/o3"),
    ("openai", "text-embedding-3-small", "openai/text-embedding-3-small"),
    ("anthropic", "claude-3-5-sonnet-20241022", "anthropic/claude-3-5-sonnet"),
    ("anthropic", "claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-0"),
    ("anthropic", "claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4-5"),
    ("anthropic", "claude-opus-5", "anthropic/claude-opus-5"),
    ("anthropic", "claude-opus-5-5", "anthropic/claude-opus-5-5"),
    ("anthropic", "claude-haiku-5-5", "anthropic/claude-haiku-5-5"),
    ("gcp.gemini", "gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("mistral_ai", "mistral-large-latest", "mistral/mistral-large-latest"),
    ("mistral_ai", "mistral-large-2411", "mistral/mistral-large"),
    ("mistral_ai", "codestral-latest", "mistral/codestral"),
    ("mistral_ai", "mistral-ocr-latest", "mistral/mistral-ocr-latest"),
    ("x_ai", "grok-4.6", "x-ai/grok-4.6"),
    ("deepseek", "deepseek-chat", "deepseek/deepseek-chat"),
    ("groq", "openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
    ("cohere", "command-r-plus", "cohere/command-r-plus"),
    ("moonshot_ai", "kimi-k2.5", "moonshotai/kimi-k2.5"),
    ("perplexity", "sonar-pro", "perplexity/sonar-pro"),
    ("zai", "glm-4.6", "zai/GLM-4.6"),
    ("zai", "glm-4.5-flash", "zai/GLM-4.5-Flash"),
    ("z_ai", "glm-4.6", "zai/GLM-4.6"),
    ("perplexity_ai", "sonar", "perplexity/sonar"),
    ("fireworks-ai", "accounts/fireworks/models/gpt-oss-120b", "fireworks/gpt-oss-120b"),
    ("cerebras", "gpt-oss-120b", "cerebras/gpt-oss-120b"),
    ("groq", "meta-llama/llama-4-scout-17b-16e-instruct", "groq/meta-llama/llama-4-scout-17b-16e-instruct"),
    ("groq", "whisper-large-v3-turbo", "groq/whisper-large-v3-turbo"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo", "together/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("fireworks", "accounts/fireworks/models/llama-v3p1-8b-instruct", "fireworks/llama-v3p1-8b-instruct"),
    ("fireworks_ai", "accounts/fireworks/models/gpt-oss-120b", "fireworks/gpt-oss-120b"),
    ("cohere", "embed-english-v3.0", "cohere/embed-english-v3.0"),
    ("cohere", "rerank-v3.5", "cohere/rerank-v3.5"),
    ("voyage", "rerank-2.5", "voyageai/rerank-2.5"),
    ("openai", "text-embedding-ada-002-v2", "openai/text-embedding-ada-002"),
    ("openai", "gpt-4o-mini-tts-2025-03-20", "openai/gpt-4o-mini-tts"),
    # Hugging Face: at the price of whoever is asked to serve
    ("huggingface", "meta-llama/Llama-3.3-70B-Instruct:together", "huggingface_together/meta-llama/Llama-3.3-70B-Instruct"),
    ("huggingface", "deepseek-ai/DeepSeek-R1:novita", "huggingface_novita/deepseek-ai/DeepSeek-R1"),
    # with the provider, or a path, before the name
    ("openai", "openai/gpt-4o", "openai/gpt-4o"),
    ("anthropic", "anthropic/claude-opus-5", "anthropic/claude-opus-5"),
    ("gcp.gemini", "models/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("gcp.gemini", "gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("gcp.gen_ai", "models/gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("", "openai/gpt-4o", "openai/gpt-4o"),
    ("", "gpt-4o", "openai/gpt-4o"),
    ("", "claude-opus-5", "anthropic/claude-opus-5"),
    ("litellm", "anthropic/claude-opus-5", "anthropic/claude-opus-5"),
    ("litellm", "vertex_ai/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("litellm", "gemini/gemini-2.5-flash", "google/gemini-2.5-flash"),
    ("litellm", "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo", "together/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("openrouter", "anthropic/claude-opus-5", "openrouter/anthropic/claude-opus-5"),
    ("openrouter", "openrouter/anthropic/claude-opus-5", "openrouter/anthropic/claude-opus-5"),
    ("openrouter", "deepseek/deepseek-chat-v3-0324:free", "openrouter/any:free"),
    ("openrouter", "openai/gpt-4.1-mini-2025-04-14", "openrouter/openai/gpt-4.1-mini"),
    ("litellm_proxy", "gpt-4o", "openai/gpt-4o"),
    # fine-tuned: at the fine-tuned price
    ("openai", "ft:gpt-4o-mini-2024-07-18:org::id", "openai/ft:gpt-4o-mini"),
    ("openai", "ft:gpt-4o-2024-08-06:org:suffix:id", "openai/ft:gpt-4o"),
    ("openai", "ft:gpt-3.5-turbo-0125:org::id", "openai/ft:gpt-3.5-turbo-"),
    ("openai", "ft:gpt-4.1-mini-2025-04-14:org::id", "openai/ft:gpt-4.1-mini"),
    ("openai", "openai/ft:gpt-4.1-2025-04-14:org::id", "openai/ft:gpt-4.1"),
    ("azure.ai.openai", "gpt-4o-mini-2024-07-18.ft-0a1b2c", "openai/gpt-4o-mini-2024-07-18.ft-"),
    # Azure: the model that answered, or a deployment of its name; sold at the maker's price
    ("azure.ai.openai", "gpt-4o-2024-11-20", "openai/gpt-4o"),
    ("azure.ai.openai", "gpt-35-turbo", "openai/gpt-3.5-turbo"),
    ("az.ai.openai", "gpt-4o", "openai/gpt-4o"),
    ("azure", "azure/gpt-4o", "openai/gpt-4o"),
    ("azure-openai", "phi-4", "azure/phi-4"),
    ("azure.ai.inference", "phi-4", "azure/phi-4"),
    ("azure.ai.inference", "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"),
    ("azure.ai.inference", "DeepSeek-R1", "azure/deepseek-r1"),
    # Bedrock: regional ones cost more than global ones
    ("aws.bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0", "aws/regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
    ("aws.bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0", "aws/regional.anthropic.claude-sonnet-4-20250514-v1:0"),
    ("aws.bedrock", "eu.anthropic.claude-haiku-4-5-20251001-v1:0", "aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ("aws.bedrock", "global.anthropic.claude-opus-4-5-20251101-v1:0", "aws/global.anthropic.claude-opus-4-5-v1:0"),
    ("aws.bedrock", "us.amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
    ("aws.bedrock", "bedrock/us.amazon.nova-pro-v1:0", "aws/amazon.nova-pro-v1:0"),
    ("aws.bedrock", "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5", "aws/regional.anthropic.claude-opus-5"),
    ("aws.bedrock", "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "aws/amazon.nova-lite-v1:0"),
    ("aws.bedrock", "jp.anthropic.claude-haiku-4-5-20251001-v1:0", "aws/regional.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ("aws.bedrock", "eu.amazon.nova-lite-v1:0", "aws/eu.amazon.nova-lite-v1:0"),
    ("aws.bedrock", "amazon.titan-embed-text-v2:0", "aws/amazon.titan-embed-text-v2:0"),
    ("aws.bedrock", "cohere.embed-english-v3", "aws/cohere.embed-english-v3"),
    ("aws.bedrock", "cohere.rerank-v3-5:0", "aws/cohere.rerank-v3-5:0"),
    ("aws.bedrock", "us.meta.llama3-3-70b-instruct-v1:0", "aws/meta.llama3-3-70b-instruct-v1:0"),
    ("aws.bedrock", "mistral.mistral-7b-instruct-v0:2", "aws/mistral.mistral-7b-instruct-v0:2"),
    ("aws.bedrock", "openai.gpt-oss-120b-1:0", "aws/openai.gpt-oss-120b-1:0"),
    # Vertex AI
    ("gcp.vertex_ai", "gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("gcp.vertex_ai", "publishers/google/models/gemini-2.5-pro", "google/gemini-2.5-pro"),
    ("gcp.vertex_ai", "claude-sonnet-4@20250514", "google/claude-4-sonnet"),
    ("gcp.vertex_ai", "publishers/anthropic/models/claude-opus-4-5@20251101", "google/claude-opus-4-5"),
    ("vertex_ai", "claude-3-5-sonnet-v2@20241022", "google/claude-3-5-sonnet"),
    ("gcp.vertex_ai", "claude-opus-4-6@default", "google/claude-opus-4-6"),
    ("gcp.vertex_ai", "publishers/mistralai/models/mistral-large-2411@001", "google/mistral-large-2411"),
]  # fmt: skip

UNKNOWN = [
    ("openai", "gpt-99"),
    ("openai", "gpt-4o-2099-01-01"),
    ("openai", "ft:gpt-9:org::id"),
    ("openai", "ft:o3-2025-04-16:org::id"),
    ("openai", "my-model"),
    ("openai", "mistral/mistral-large-latest"),
    ("openai", "google/gemma-3-27b-it"),
    ("azure.ai.openai", "prod-deployment-1"),
    ("aws.bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123"),
    ("aws.bedrock", "arn:aws:bedrock:us-east-1:1:provisioned-model/abc123"),
    ("gcp.vertex_ai", "projects/1/locations/eu/endpoints/1234567890"),
    ("gcp.gemini", "tunedModels/my-tuned-abc"),
    ("ollama", "llama3.2"),
    ("ollama", "gpt-oss:20b"),
    ("ollama", "mistral"),
    ("ollama", "deepseek-r1:1.5b"),
    ("vllm", "gpt-4o"),
    ("hosted_vllm", "meta-llama/Llama-3.1-8B-Instruct"),
    ("lmstudio", "openai/gpt-oss-20b"),
    ("huggingface", "meta-llama/Llama-3.1-8B-Instruct"),
    ("huggingface", "meta-llama/Llama-3.1-8B-Instruct:nobody"),
    ("openrouter", "openrouter/auto"),
    ("openrouter", "openai/gpt-4o:nitro"),
    ("unknown", "gpt-4o"),
    ("my-company", "gpt-4o"),
    ("litellm", "my-alias"),
    ("", "llama3.2"),
    ("", ""),
]


@pytest.fixture(scope="module")
def book():
    return load()


@pytest.mark.parametrize(("provider", "name", "expected"), KNOWN)
def test_a_name_means_what_a_person_takes_it_for(book, provider, name, expected):
    found = book.find(provider, name)

    assert found is not None
    assert f"{found.provider}/{found.model}" == expected


@pytest.mark.parametrize(("provider", "name"), UNKNOWN)
def test_what_nobody_can_know_stays_unknown(book, provider, name):
    assert book.find(provider, name) is None
