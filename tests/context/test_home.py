"""No provider is told whom work is for, whatever it is asked for; services downstream are."""

from __future__ import annotations

import contextlib

import aiohttp
import anthropic
import httpx2
import pytest
import requests
from opentelemetry import baggage, context, propagate

from otel_llmcost import attribute
from otel_llmcost.instrumentation import contain
from otel_llmcost.telemetry.baggage import others_of_header
from tests.context.asked import asked

SDK = {"x-stainless-lang": "python"}


@pytest.fixture
def theirs():
    token = context.attach(baggage.set_baggage("theirs", "kept"))
    yield
    context.detach(token)


def carried():
    """What an instrumentation would send along now."""
    headers = {}
    propagate.inject(headers)
    return headers.get("baggage", "")


class Noting(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """What is sent, and what an instrumentation below would add to it."""

    def __init__(self):
        self.seen = []

    def handle_request(self, request):
        self.seen.append((request.headers.get("baggage"), carried()))
        return httpx2.Response(200, request=request)

    async def handle_async_request(self, request):
        return self.handle_request(request)


@pytest.mark.usefixtures("carrying", "theirs")
@pytest.mark.parametrize(
    ("url", "headers", "kept"),
    [
        pytest.param("https://api.openai.com/v1/models", {}, "theirs=kept", id="provider"),
        pytest.param("https://user:key@API.openai.com:443/v1/files", {}, "theirs=kept", id="provider-with-port"),
        pytest.param("http://gateway.internal/v1/models", SDK, "theirs=kept", id="sdk"),
        pytest.param(
            "http://gateway.internal/api/tags", {"user-agent": "ollama-python/0.6.3"}, "theirs=kept", id="agent"
        ),
        pytest.param("https://tickets.internal/v1/models", {}, "theirs=kept,user.id=alice", id="downstream"),
    ],
)
async def test_only_services_downstream_are_told(url, headers, kept):
    transport = Noting()
    async with httpx2.AsyncClient(transport=transport) as async_client:
        with attribute(user="alice"), httpx2.Client(transport=transport) as client:
            client.get(url, headers=headers)
            await async_client.get(url, headers=headers)
            await async_client.send(request=async_client.build_request("GET", url, headers=headers))
            after = carried()

    assert transport.seen == [(None, kept)] * 3
    assert after == "theirs=kept,user.id=alice"


@pytest.mark.usefixtures("carrying")
@pytest.mark.parametrize(
    ("written", "kept"),
    [("user.id=alice,theirs=kept", "theirs=kept"), ("user.id=alice", None), ("theirs=kept", "theirs=kept")],
)
def test_what_was_written_into_a_header_before_is_taken_out(written, kept):
    """As the anthropic SDK and OpenTelemetry's instrumentation of `requests` do; others' entries stay as they are."""
    transport = Noting()
    with attribute(user="alice"), httpx2.Client(transport=transport) as client:
        client.get("https://api.openai.com/v1/models", headers={"baggage": written})
        client.get("https://tickets.internal/", headers={"baggage": written})

    assert transport.seen == [(kept, ""), (written, "user.id=alice")]


@pytest.mark.usefixtures("carrying", "theirs")
def test_an_sdk_that_sends_baggage_by_itself_sends_none_of_ours():
    """anthropic 2 does so in all of its requests, paid for or not."""
    with (
        asked() as (url, seen),
        attribute(user="alice"),
        anthropic.Anthropic(base_url=url, api_key="k") as client,
        contextlib.suppress(anthropic.BadRequestError),
    ):
        client.models.list()

    assert [each for each in seen if "alice" in each] == []


@pytest.mark.usefixtures("carrying")
def test_requests_sends_no_header_of_ours_to_a_provider():
    with asked() as (url, seen), attribute(user="alice"):
        requests.get(url, headers={"baggage": "user.id=alice,theirs=kept", **SDK}, timeout=10)
        requests.Session().send(request=requests.Request("GET", url, headers={"baggage": "user.id=alice"}).prepare())

    assert seen == ["theirs=kept", "user.id=alice"]


@pytest.mark.usefixtures("carrying", "theirs")
async def test_aiohttp_asks_a_provider_in_a_context_without_ours():
    seen = []

    async def note(*_):
        seen.append(carried())

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    with asked() as (url, _), attribute(user="alice"):
        async with aiohttp.ClientSession(url, trace_configs=[trace]) as session:
            for headers in (SDK, {"user-agent": "ollama-python/0.6.3"}, None):
                async with session.get("/", headers=headers) as answer:
                    await answer.read()
            (await session._request(method="GET", str_or_url=url)).close()

    assert seen == ["theirs=kept", "theirs=kept", *["theirs=kept,user.id=alice"] * 2]


@pytest.mark.usefixtures("carrying")
def test_a_fault_of_ours_lets_the_request_go(monkeypatch, caplog):
    monkeypatch.setattr(contain, "reraise", False)
    transport = Noting()

    with attribute(user="alice"), httpx2.Client(transport=transport) as client:
        monkeypatch.setattr("otel_llmcost.telemetry.baggage.with_only", None)
        assert client.get("https://api.openai.com/v1/models").status_code == 200

    assert "could not keep attribution from a provider" in caplog.text
    contain.seen.clear()


@pytest.mark.parametrize(
    ("header", "others"),
    [
        ("user.id=u,theirs=1;p=2 , llmcost.team = red;x,b=,gen_ai.conversation.id=c", "theirs=1;p=2 ,b="),
        ("user.id=u", ""),
        ("", ""),
    ],
)
def test_others_entries_of_a_header_are_left_as_they_were_written(header, others):
    assert others_of_header(header) == others
