"""Which requests to Google are paid, and to whom: told by the address alone."""

from __future__ import annotations

import pytest

from otel_llmcost.adapters import DIRECTORY
from otel_llmcost.adapters.usage_at import Kind, UsageAt
from otel_llmcost.instrumentation.gate import PAID

GEMINI = "generativelanguage.googleapis.com"
VERTEX = "europe-west4-aiplatform.googleapis.com"
AT = "/v1/projects/p/locations/europe-west4"
EU, MTLS = "aiplatform.eu.rep.googleapis.com", "generativelanguage.mtls.googleapis.com"
SDK = "google-genai-sdk/3.4.0 gl-python/3.13.1"
FLASH = "gemini-2.5-flash"
CONTENT, EMBEDDINGS, IMAGES = "generate_content", "embeddings", "image_generation"
OF_GOOGLE, OF_CLAUDE = "/v1/publishers/google/models/", f"{AT}/publishers/anthropic/models/"
BY_GEMINI, BY_VERTEX = "gcp.gemini", "gcp.vertex_ai"


@pytest.mark.parametrize(
    ("host", "path", "agent", "found"),
    [
        (GEMINI, f"/v1beta/models/{FLASH}:generateContent", "", (BY_GEMINI, CONTENT, FLASH)),
        (GEMINI, f"/v1beta/models/{FLASH}:streamGenerateContent", "", (BY_GEMINI, CONTENT, FLASH)),
        (GEMINI, "/v1beta/tunedModels/mine-1:generateContent", "", (BY_GEMINI, CONTENT, "mine-1")),
        (GEMINI, "/v1beta/models/embedding-1:embedContent", "", (BY_GEMINI, EMBEDDINGS, "embedding-1")),
        (GEMINI, "/v1beta/models/embedding-1:batchEmbedContents", "", (BY_GEMINI, EMBEDDINGS, "embedding-1")),
        (GEMINI, "/v1beta/models/imagen-4:predict", "", (BY_GEMINI, IMAGES, "imagen-4")),
        (GEMINI, "/v1beta/interactions", "", (BY_GEMINI, CONTENT, None)),
        (MTLS, f"/v1/models/{FLASH}:generateContent", "", (BY_GEMINI, CONTENT, FLASH)),
        (GEMINI, "/v1beta/openai/chat/completions", "openai/python", (BY_GEMINI, "chat", None)),
        ("localhost:8000", f"/v1beta/models/{FLASH}:generateContent", SDK, (BY_GEMINI, CONTENT, FLASH)),
        ("localhost:8000", f"/v1beta/models/{FLASH}:generateContent", "", (BY_GEMINI, CONTENT, FLASH)),
        (VERTEX, f"{AT}{OF_GOOGLE[3:]}{FLASH}:generateContent", "", (BY_VERTEX, CONTENT, FLASH)),
        ("aiplatform.googleapis.com", f"{OF_GOOGLE}{FLASH}:generateContent", "", (BY_VERTEX, CONTENT, FLASH)),
        (EU, f"{AT}{OF_GOOGLE[3:]}{FLASH}:generateContent", "", (BY_VERTEX, CONTENT, FLASH)),
        ("localhost:8000", f"{AT}{OF_GOOGLE[3:]}{FLASH}:streamGenerateContent", SDK, (BY_VERTEX, CONTENT, FLASH)),
        (VERTEX, f"{AT}/endpoints/42:generateContent", "", (BY_VERTEX, CONTENT, "42")),
        (VERTEX, f"{AT}{OF_GOOGLE[3:]}embedding-5:predict", "", (BY_VERTEX, EMBEDDINGS, "embedding-5")),
        (VERTEX, f"{AT}{OF_GOOGLE[3:]}imagen-4:predict", "", (BY_VERTEX, IMAGES, "imagen-4")),
        (VERTEX, f"{OF_CLAUDE}claude-4:rawPredict", "", (BY_VERTEX, "chat", "claude-4")),
        (VERTEX, f"{OF_CLAUDE}claude-4:streamRawPredict", "", (BY_VERTEX, "chat", "claude-4")),
        (VERTEX, f"{AT}/publishers/mistralai/models/codestral:rawPredict", "", (BY_VERTEX, "chat", "codestral")),
        (VERTEX, f"{AT}/endpoints/openapi/chat/completions", "openai/python", (BY_VERTEX, "chat", None)),
        (VERTEX, f"{AT}/interactions", SDK, (BY_VERTEX, CONTENT, None)),
    ],
)  # fmt: skip
def test_a_paid_request_is_known_by_its_address(host, path, agent, found):
    assert PAID.search(path.encode())

    told = DIRECTORY.find(host, path, agent)

    assert told is not None
    assert (told.provider, told.endpoint.operation, told.model) == found


@pytest.mark.parametrize(
    ("host", "path"),
    [
        pytest.param(GEMINI, f"/v1beta/models/{FLASH}:countTokens", id="counting-is-free"),
        pytest.param(VERTEX, f"{AT}{OF_GOOGLE[3:]}{FLASH}:computeTokens", id="so-it-is-on-vertex"),
        pytest.param(VERTEX, f"{OF_CLAUDE}count-tokens:rawPredict", id="and-for-claude"),
        pytest.param(VERTEX, f"{AT}/endpoints/42:predict", id="a-model-on-machines-of-ones-own-is-paid-by-the-hour"),
        pytest.param(GEMINI, "/v1beta/models", id="listing"),
        pytest.param(GEMINI, "/v1beta/cachedContents", id="caching"),
        pytest.param(GEMINI, "/upload/v1beta/files", id="uploading"),
        pytest.param(GEMINI, "/v1beta/interactions/v1_abc/cancel", id="cancelling"),
    ],
)
def test_what_is_not_paid_by_the_call_is_let_through(host, path):
    assert DIRECTORY.find(host, path, SDK) is None


SEARCHES = UsageAt(
    where=("usage",),
    counts={"input_tokens": ("in",)},
    lengths={"web_searches": ("queries", "")},
    having={"maps_searches": ("places", "map")},
    once=("maps_searches",),
    kinds={"output_tokens": (Kind("parts", "", "", "told.tokens"), Kind("parts", "", "", "told.more"))},
)


def counts(*answers):
    seen = {}
    for answer in answers:
        SEARCHES.note(answer, seen)
    usage = SEARCHES.usage(seen)
    return None if usage is None else usage.counts


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        pytest.param({"places": [{"map": {}}, {"map": {}}, {"web": {}}, 7]}, {"maps_searches": 1}, id="once"),
        pytest.param({"places": [{"web": {}}]}, {}, id="none-of-the-kind"),
        pytest.param({"places": "there"}, {}, id="no-list"),
        pytest.param({"queries": ["a", "b"]}, {"web_searches": 2}, id="each"),
    ],
)
def test_things_listed_in_an_answer_are_counted(answer, counted):
    assert counts({"usage": {"in": 0}, **answer}) == counted


def test_counts_inside_a_list_s_items_add_up():
    parts = [{"told": {"tokens": 3}}, {"told": {"tokens": 4}}, {"told": {}}, {}, {"told": {"more": 5}}]

    assert counts({"usage": {"parts": parts}}) == {"output_tokens": 12}


def test_a_list_that_counts_nothing_tells_no_usage():
    assert counts({"usage": {"parts": [{"told": {}}]}}) is None


def test_a_later_list_without_a_kind_takes_the_earlier_count_back():
    assert counts({"usage": {"parts": [{"told": {"tokens": 3}}]}}, {"usage": {"parts": []}}) == {}
