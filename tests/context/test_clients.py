"""Out with HTTP clients under OpenTelemetry's own instrumentations: services are told, providers are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Scene

ROOT = Path(__file__).parents[2]

AGENT = """
import asyncio, contextlib, json
from opentelemetry import baggage, context
from otel_llmcost import attribute

from tests.context.asked import asked

server, MESSAGES = asked(), [{"role": "user", "content": "x"}]
URL, seen = server.__enter__()
KEYS = {"api_key": "k", "max_retries": 0}
AWS = {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b", "endpoint_url": URL}
CHAT = {"model": "mistral-small-latest", "messages": MESSAGES}
context.attach(baggage.set_baggage("theirs", "kept"))

import anthropic, boto3, cohere, groq, huggingface_hub, ollama, openai, together
import aiohttp, httpx, requests
from google import genai
from mistralai.client import Mistral
openai_client = openai.OpenAI(base_url=URL + "/v1", **KEYS)
async_openai = openai.AsyncOpenAI(base_url=URL + "/v1", **KEYS)
anthropic_client = anthropic.Anthropic(base_url=URL, **KEYS)
google = genai.Client(api_key="k", http_options={"base_url": URL})
mistral = Mistral(api_key="k", server_url=URL)
cohere_client, async_cohere = cohere.ClientV2("k", base_url=URL), cohere.AsyncClientV2("k", base_url=URL)
bedrock, bedrock_free = boto3.client("bedrock-runtime", **AWS), boto3.client("bedrock", **AWS)
queues = boto3.client("sqs", **AWS)
hub = huggingface_hub.InferenceClient(base_url=URL + "/v1", api_key="k")
groq_client, together_client = groq.Groq(base_url=URL, **KEYS), together.Together(base_url=URL, **KEYS)

async def aio(path, body):
    async with aiohttp.ClientSession() as session, session.post(URL + path, json=body) as answer:
        await answer.read()

NOVA = {"modelId": "amazon.nova-lite-v1:0"}
PROVIDERS = {
    "openai": lambda: openai_client.chat.completions.create(**CHAT),
    "openai, async": lambda: async_openai.chat.completions.create(**CHAT),
    "openai, free": lambda: openai_client.models.list(),
    "anthropic": lambda: anthropic_client.messages.create(max_tokens=5, **CHAT),
    "anthropic, free": lambda: anthropic_client.models.list(),
    "google": lambda: google.models.generate_content(model="gemini-2.5-flash", contents="x"),
    "google, async": lambda: google.aio.models.generate_content(model="gemini-2.5-flash", contents="x"),
    "google, free": lambda: list(google.models.list()),
    "mistral": lambda: mistral.chat.complete(**CHAT),
    "mistral, async": lambda: mistral.chat.complete_async(**CHAT),
    "mistral, free": lambda: mistral.models.list(),
    "cohere": lambda: cohere_client.chat(**CHAT),
    "cohere, async": lambda: async_cohere.chat(**CHAT),
    "bedrock": lambda: bedrock.converse(messages=[{"role": "user", "content": [{"text": "x"}]}], **NOVA),
    "bedrock, raw": lambda: bedrock.invoke_model(body="{}", **NOVA),
    "bedrock, free": lambda: bedrock_free.list_foundation_models(),
    "ollama": lambda: ollama.Client(host=URL).chat(**CHAT),
    "ollama, async": lambda: ollama.AsyncClient(host=URL).chat(**CHAT),
    "hub": lambda: hub.chat_completion(MESSAGES, model="m"),
    "groq": lambda: groq_client.chat.completions.create(**CHAT),
    "together": lambda: together_client.chat.completions.create(**CHAT),
    "requests": lambda: requests.post(URL + "/v1/chat/completions", json=CHAT),
    "httpx": lambda: httpx.post(URL + "/v1/chat/completions", json=CHAT),
    "aiohttp": lambda: aio("/v1/chat/completions", CHAT),
}
SERVICES = {
    "amazon's queues": lambda: queues.list_queues(),
    "requests": lambda: requests.post(URL + "/tickets", json={}),
    "httpx": lambda: httpx.post(URL + "/tickets", json={}),
    "aiohttp": lambda: aio("/tickets", {}),
}

async def ask(asks):
    told = {}
    for name, call in asks.items():
        del seen[:]
        with contextlib.suppress(Exception), attribute(user="alice"):
            answer = call()
            if asyncio.iscoroutine(answer):
                await answer
        told[name] = sorted(set(seen))
    return told

print(json.dumps([asyncio.run(ask(PROVIDERS)), asyncio.run(ask(SERVICES))]))
server.__exit__(None, None, None)
"""


@pytest.mark.parametrize("disabled", ["none", "botocore,requests,httpx,aiohttp-client"], ids=["all", "only-urllib3"])
def test_services_are_told_whom_work_is_for_and_providers_are_not(disabled: str, scene: Scene) -> None:
    """Of every SDK, plain and async, paid calls and free ones; what others say in baggage goes where it went."""
    environ = {"PYTHONPATH": str(ROOT), "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled}

    done = scene.run_bare(AGENT, **environ)

    assert done.returncode == 0, done.stderr
    providers, services = json.loads(done.stdout)
    assert not [name for name, seen in providers.items() if not seen or "alice" in str(seen)]
    if disabled != "none":
        assert providers["bedrock, free"] == ["theirs=kept"]
        assert services["amazon's queues"] == ["theirs=kept,user.id=alice"]
    else:
        silent = {name for name, seen in providers.items() if seen != ["theirs=kept"]}
        assert silent == {"bedrock", "bedrock, raw", "bedrock, free"}  # AWS has a header of its own
        del services["amazon's queues"]
        assert [seen for seen in services.values() if seen != ["theirs=kept,user.id=alice"]] == []


BY_HAND = """
import asyncio, json, os
import aiohttp, httpx, requests
from otel_llmcost import attribute
url = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
asked = {
    "json": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "x"}]},
    "headers": {"authorization": "Bearer k"},
}
async def aio():
    async with aiohttp.ClientSession() as session, session.post(url, **asked) as answer:
        return await answer.json()
with attribute(user="alice"):
    requests.post(url, **asked).json(), httpx.post(url, **asked).json(), asyncio.run(aio())
"""


def test_what_is_kept_from_the_provider_is_known_to_the_ledger(scene: Scene) -> None:
    """Also of calls that no SDK makes, beside the official instrumentations of their HTTP clients."""
    done = scene.run_bare(BY_HAND)

    assert done.returncode == 0, done.stderr
    assert [charge.tags["user"] for charge in scene.charges] == ["alice"] * 3
    assert not [each for request in scene.server.requests for each in request.headers.values() if "alice" in each]
