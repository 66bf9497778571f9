"""Which requests are paid ones, and whom they are paid to: each is posted with the SDK's own client."""

import pytest

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "input_tokens": 11,
    "output_tokens": 3,
    "cache_read_input_tokens": 100,
}
SAYS = {"id": "r-1", "model": "gpt-4o-mini", "usage": USAGE}
HERE = {"openai": "https://api.openai.com/v1", "anthropic": "https://api.anthropic.com"}


def post(client, path):
    client.post(path, cast_to=object, body={"model": "gpt-4o-mini"})


@pytest.mark.parametrize(
    ("sdk", "path", "operation", "tokens"),
    [
        pytest.param("openai", "/chat/completions", "chat", (11, 3), id="chat"),
        pytest.param("openai", "/completions", "text_completion", (11, 3), id="completions"),
        pytest.param("openai", "/responses", "chat", (11, 3), id="responses"),
        pytest.param("openai", "/responses?beta=true", "chat", (11, 3), id="a-query-is-no-part-of-the-path"),
        pytest.param("openai", "/embeddings", "embeddings", (11, 0), id="embeddings"),
        pytest.param("openai", "/deployments/d/chat/completions", "chat", (11, 3), id="azure-chat"),
        pytest.param("openai", "/deployments/d/completions", "text_completion", (11, 3), id="azure-completions"),
        pytest.param("openai", "/deployments/d/embeddings", "embeddings", (11, 0), id="azure-embeddings"),
        pytest.param("anthropic", "/v1/messages", "chat", (111, 3), id="messages"),
        pytest.param("anthropic", "/v1/messages?beta=true", "chat", (111, 3), id="beta-messages"),
    ],
)
def test_a_paid_request_is_read_by_its_own_row(process, connect, sdk, path, operation, tokens):
    """`/completions` is also the end of `/chat/completions`, so the order of rows counts."""
    post(connect(sdk, HERE[sdk], SAYS), path)

    charge = process.charge
    assert charge.operation == operation
    assert (charge.usage.input_tokens, charge.usage.output_tokens) == tokens


@pytest.mark.parametrize(
    ("sdk", "path"),
    [
        ("openai", "/files"),
        ("openai", "/uploads"),
        ("openai", "/responses/r-1/cancel"),
        ("anthropic", "/v1/messages/count_tokens"),
        ("anthropic", "/v1/messages/batches"),
    ],
)
def test_other_requests_are_let_through_uncounted(process, connect, sdk, path):
    post(connect(sdk, HERE[sdk], SAYS), path)

    assert process.charges == []


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_looking_at_an_answer_again_is_not_paid_again(process, connect, sdk):
    path = "/responses" if sdk == "openai" else "/v1/messages"

    connect(sdk, HERE[sdk], SAYS).get(path, cast_to=object)

    assert process.charges == []


@pytest.mark.parametrize(
    ("sdk", "host", "provider"),
    [
        ("openai", "api.openai.com", "openai"),
        ("openai", "eu.api.openai.com", "openai"),
        ("openai", "my-company.openai.azure.com", "azure.ai.openai"),
        ("openai", "my-company.services.ai.azure.com", "azure.ai.inference"),
        ("openai", "api.deepseek.com", "deepseek"),
        ("openai", "api.x.ai", "x_ai"),
        ("openai", "api.mistral.ai", "mistral_ai"),
        ("openai", "openrouter.ai", "openrouter"),
        ("openai", "generativelanguage.googleapis.com", "gcp.gemini"),
        pytest.param("openai", "localhost", "openai", id="unknown-is-the-sdk's"),
        pytest.param("openai", "notapi.openai.com", "openai", id="unknown-below-a-known-domain"),
        pytest.param("openai", "evil-api.x.ai", "openai", id="only-whole-labels-count"),
        ("anthropic", "api.anthropic.com", "anthropic"),
        ("anthropic", "bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("anthropic", "bedrock-mantle.eu-west-1.api.aws", "aws.bedrock"),
        ("openai", "bedrock-mantle.eu-west-1.api.aws", "aws.bedrock"),
        ("openai", "vpce-1.bedrock-runtime.us-west-2.vpce.amazonaws.com", "aws.bedrock"),
        pytest.param("openai", "models-1.us-east-1.elb.amazonaws.com", "openai", id="a-server-of-ones-own-at-amazon"),
        ("anthropic", "us-east5-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("anthropic", "my-company.services.ai.azure.com", "azure.ai.inference"),
        pytest.param("anthropic", "llm-gateway.example", "anthropic", id="a-gateway-is-the-sdk's"),
    ],
)
def test_the_host_tells_who_bills(process, connect, sdk, host, provider):
    path = "/chat/completions" if sdk == "openai" else "/v1/messages"

    post(connect(sdk, f"https://{host}/v1", SAYS), path)

    assert process.charge.provider == provider
