"""`doctor` says of every SDK that is here whether its calls are seen, where, and who else instruments it."""

import json
import sys

import pytest

import otel_llmcost
from otel_llmcost.adapters import DIRECTORY, SDKS
from otel_llmcost.cli.sdks import THROUGH_HTTP
from otel_llmcost.instrumentation import state
from otel_llmcost.instrumentation.instrumentor import STARTING_MODULES
from tests.cli.conftest import Shell, texts


def facts(shell: Shell, sdk: str) -> dict:
    """What programs are told of one SDK."""
    found = json.loads(shell.run("doctor", "--json").stdout)
    return next(check["facts"] for check in found if (check["facts"] or {}).get("sdk") == sdk)


@pytest.fixture
def instrumented(shell):
    """As `opentelemetry-instrument` would have started this process."""
    shell.configure('store = "memory://"')
    otel_llmcost.instrument(shell.settings)
    yield shell
    otel_llmcost.uninstrument()


def test_an_sdk_is_found_to_pass_where_we_stand(shell):
    (text,) = (text for text in texts(shell, "SDKs", "ok") if text.startswith("openai "))

    assert text.partition(": ")[2] == (
        "paid calls are accounted for at SyncAPIClient.request and AsyncAPIClient.request of openai._base_client"
    )


def test_programs_are_told_each_entry_point(shell):
    told = facts(shell, "anthropic")

    assert told.pop("version")
    assert told == {
        "sdk": "anthropic",
        "entry_points": [
            "anthropic._base_client.SyncAPIClient.request",
            "anthropic._base_client.AsyncAPIClient.request",
        ],
        "is_patched": None,
    }


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(None, id="no-such-file"),
        pytest.param("class SyncAPIClient:\n    def send(self): ...\n", id="no-method"),
        pytest.param("def request(): ...\n", id="no-class"),
        pytest.param(
            "class SyncAPIClient:\n    x = 1\n\nclass Other:\n    def request(self): ...\n", id="of-another-class"
        ),
    ],
)
def test_an_sdk_that_was_built_anew_is_a_problem(shell, installed, source):
    installed("openai", **({} if source is None else {"_base_client": source}))

    assert texts(shell, "SDKs", "problem") == [
        "openai 9.0 has no openai._base_client.SyncAPIClient.request: its calls are not seen"
    ]


def test_an_sdk_without_a_wrapper_of_its_own_is_seen_at_its_http_client(shell, installed):
    installed("openrouter", requires=("httpx (>=0.28)", "aiohttp; extra == 'aiohttp'", "pydantic"))

    (text,) = (text for text in texts(shell, "SDKs", "ok") if text.startswith("openrouter "))
    assert text == "openrouter 9.0: paid calls are accounted for at Client.send and AsyncClient.send of httpx"


def test_an_sdk_that_sends_where_we_do_not_stand_is_a_problem(shell, installed):
    installed("openrouter", requires=("pycurl",))

    (problem,) = texts(shell, "SDKs", "problem")
    assert problem.startswith("openrouter 9.0 sends by none of httpx, ")


def test_an_sdk_that_passes_no_http_client_is_a_problem_whatever_it_requires(shell, installed):
    installed("xai-sdk", requires=("grpcio", "requests"))

    assert texts(shell, "SDKs", "problem") == [
        "xai-sdk 9.0 sends by gRPC, which passes no HTTP client: its calls are not seen"
    ]


@pytest.mark.parametrize(
    ("sdk", "host", "path"),
    [
        ("google-genai", "generativelanguage.googleapis.com", "/v1beta/models/gemini-2.5-pro:generateContent"),
        ("mistralai", "api.mistral.ai", "/v1/chat/completions"),
        ("cohere", "api.cohere.com", "/v2/chat"),
        ("ollama", "localhost:11434", "/api/chat"),
        ("huggingface-hub", "router.huggingface.co", "/v1/chat/completions"),
        ("boto3", "bedrock-runtime.us-east-1.amazonaws.com", "/model/amazon.nova-lite-v1%3A0/converse"),
        ("litellm", "api.deepseek.com", "/chat/completions"),
        ("openrouter", "openrouter.ai", "/api/v1/chat/completions"),
        ("perplexityai", "api.perplexity.ai", "/chat/completions"),
        ("fireworks-ai", "api.fireworks.ai", "/inference/v1/chat/completions"),
    ],
)
def test_what_is_said_to_be_seen_at_an_http_client_is_known_by_its_request(sdk, host, path):
    assert sdk in THROUGH_HTTP
    assert DIRECTORY.find(host, path, "") is not None


def test_sdks_that_are_not_installed_are_no_problem(shell, monkeypatch):
    monkeypatch.setattr(sys, "path", [])

    assert texts(shell, "SDKs", "note") == [
        f"not installed here: {', '.join([*(sdk.name for sdk in SDKS if not sdk.within), *THROUGH_HTTP])}"
    ]
    assert len(texts(shell, "loading", "problem")) == 2


def test_where_all_are_installed_none_is_said_not_to_be(shell, installed):
    for name in (*(sdk.name for sdk in SDKS if not sdk.within), "cerebras-cloud-sdk", *THROUGH_HTTP):
        installed(name)

    assert not [text for text in texts(shell, "SDKs", "note") if text.startswith("not installed")]


def test_every_sdk_that_starts_us_is_looked_for():
    started = {module.split(".")[0].replace("google", "google-genai").replace("_", "-") for module in STARTING_MODULES}

    assert started <= set(THROUGH_HTTP)


def test_in_a_process_of_ours_it_is_seen_whether_they_are_patched(instrumented):
    found = texts(instrumented, "SDKs", "ok")

    assert all(text.endswith(", patched in this process") for text in found)
    assert facts(instrumented, "openai")["is_patched"]
    assert texts(instrumented, "loading", "ok")[0].endswith("finds us, and has loaded us into this process")


def test_a_patch_that_somebody_took_away_is_a_problem(instrumented, monkeypatch):
    import openai._base_client

    facts(instrumented, "openai")
    monkeypatch.setattr(openai._base_client.SyncAPIClient, "request", lambda *_args, **_kwargs: None)

    (problem,) = texts(instrumented, "SDKs", "problem")
    assert problem.endswith(
        " is patched in this process, but somebody put another SyncAPIClient.request in its place: "
        "its calls are not seen"
    )
    assert facts(instrumented, "openai")["is_patched"] is False


def test_an_sdk_that_was_not_patched_is_a_problem(instrumented, monkeypatch):
    monkeypatch.setitem(state.patched, "openai", [])

    (problem,) = texts(instrumented, "SDKs", "problem")
    assert problem.endswith(" is not patched in this process, at openai._base_client: its calls are not seen")


def test_an_sdk_that_cannot_be_imported_is_a_problem_and_hides_nothing_else(instrumented, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai._base_client", None)

    (problem,) = texts(instrumented, "SDKs", "problem")
    assert "cannot be imported (ModuleNotFoundError: " in problem
    assert texts(instrumented, "SDKs", "ok")


@pytest.mark.parametrize(
    ("spans", "said"),
    [
        ("auto", "its spans get the cost, and we make none of our own"),
        ("own", 'with spans = "own" each call has two spans, but one charge'),
    ],
)
def test_other_instrumentations_of_the_same_sdks_are_named(shell, installed, spans, said):
    shell.configure(f'spans = "{spans}"')
    installed("acme", entry_points="[opentelemetry_instrumentor]\nopenai = acme.openai:Instrumentor\nredis = acme:R\n")

    assert f"openai is instrumented by acme.openai too: {said}" in texts(shell, "SDKs", "note")
    assert facts(shell, "openai")["sdk"] == "openai"


def test_an_instrumentation_is_known_by_all_its_words(shell, installed):
    """One of `genai.openai` is about OpenAI; one of `google_genai` about Google."""
    installed("google-genai", requires=("httpx",))
    entry_points = "[opentelemetry_instrumentor]\na = acme.genai.openai:I\nb = acme.google_genai:I\n"
    installed("acme", entry_points=entry_points)

    beside = [text.partition(":")[0] for text in texts(shell, "SDKs", "note") if "instrumented by acme" in text]

    assert beside == [
        "openai is instrumented by acme.genai.openai too",
        "google-genai is instrumented by acme.google_genai too",
    ]


@pytest.mark.parametrize(("switch", "is_said"), [("", True), ("true", True), ("False", False)])
def test_an_sdk_that_makes_spans_of_its_own_is_said_to(shell, installed, switch, is_said):
    source = "class SyncAPIClient:\n    def request(self): ...\nclass AsyncAPIClient(SyncAPIClient):\n"
    installed("anthropic", _base_client=source + "    def request(self): ...\n", _tracing="")
    shell.environ["ANTHROPIC_OPEN_TELEMETRY"] = switch

    native = [text for text in texts(shell, "SDKs", "note") if text.startswith("anthropic makes spans of its own")]

    assert bool(native) == is_said
