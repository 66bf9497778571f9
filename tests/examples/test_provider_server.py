"""The local server: its faults, its log, and how it is started."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from examples.provider_server import Fault, ProviderServer, Rule, count
from tests.examples.raw import post

HELLO: Any = [{"role": "user", "content": "Say hello in 30 words"}]
ROOT = Path(__file__).parents[2]


def ask_openai(client: openai.OpenAI, fault: str, **extra: Any) -> Any:
    return client.chat.completions.create(
        model="gpt-4o", messages=HELLO, extra_headers={"x-fault": fault} if fault else {}, **extra
    )


def ask_anthropic(client: anthropic.Anthropic, fault: str, **extra: Any) -> Any:
    return client.messages.create(
        model="claude-haiku-4-5", max_tokens=200, messages=HELLO, extra_headers={"x-fault": fault}, **extra
    )


@pytest.mark.parametrize(
    ("fault", "openai_error", "anthropic_error"),
    [
        ("401", openai.AuthenticationError, anthropic.AuthenticationError),
        ("404", openai.NotFoundError, anthropic.NotFoundError),
        ("429 retry-after=0", openai.RateLimitError, anthropic.RateLimitError),
        ("500", openai.InternalServerError, anthropic.InternalServerError),
        ("overloaded", openai.InternalServerError, anthropic.InternalServerError),
        ("drop", openai.APIConnectionError, anthropic.APIConnectionError),
        ("cut-mid-stream", openai.APIConnectionError, anthropic.APIConnectionError),
        ("nonsense", openai.BadRequestError, anthropic.BadRequestError),
    ],
)
def test_a_fault_reaches_the_program_as_the_sdks_own_error(
    openai_client: openai.OpenAI,
    anthropic_client: anthropic.Anthropic,
    fault: str,
    openai_error: type[Exception],
    anthropic_error: type[Exception],
) -> None:
    with pytest.raises(openai_error):
        ask_openai(openai_client, fault)
    with pytest.raises(anthropic_error):
        ask_anthropic(anthropic_client, fault)


def test_a_fault_that_comes_twice_is_outlived_by_the_sdks_retries(server: ProviderServer) -> None:
    with openai.OpenAI(base_url=server.openai_url, api_key="local", max_retries=2) as client:
        answer = ask_openai(client, "429 retry-after=0.01 times=2")

    assert answer.choices[0].finish_reason == "stop"
    assert [exchange.status for exchange in server.requests] == [429, 429, 200]


def test_the_script_can_make_faults_too(server: ProviderServer, openai_client: openai.OpenAI) -> None:
    server.script.add(Rule(path="/v1/chat/*", fault=Fault.parse("503"), times=1))

    with pytest.raises(openai.InternalServerError):
        ask_openai(openai_client, "")
    assert ask_openai(openai_client, "").choices


def test_a_stream_is_cut_in_the_middle_of_an_event(
    server: ProviderServer, openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    for stream in (
        ask_openai(openai_client, "cut-mid-stream", stream=True),
        ask_anthropic(anthropic_client, "cut-mid-stream", stream=True),
    ):
        seen = []
        with pytest.raises(Exception, match=r"Connection error|peer closed|incomplete"):
            seen.extend(iter(stream))
        assert len(seen) > 5

    assert [exchange.is_complete for exchange in server.requests] == [False, False]


def test_a_provider_can_be_overloaded_in_the_middle_of_a_stream(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(ask_openai(openai_client, "overloaded-mid-stream", stream=True))
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        list(ask_anthropic(anthropic_client, "overloaded-mid-stream", stream=True))


def test_an_answer_can_lack_its_usage(
    server: ProviderServer, openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic
) -> None:
    whole = ask_openai(openai_client, "no-usage")
    chunks = list(ask_openai(openai_client, "no-usage", stream=True, stream_options={"include_usage": True}))
    events = list(ask_anthropic(anthropic_client, "no-usage", stream=True))

    assert whole.usage is None
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert all("usage" not in event.to_dict() for event in events)
    assert all(exchange.usage for exchange in server.requests)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_streams_survive_being_cut_into_odd_pieces(
    openai_client: openai.OpenAI, anthropic_client: anthropic.Anthropic, size: int
) -> None:
    chunks = list(ask_openai(openai_client, f"chunk={size}", stream=True))
    events = list(ask_anthropic(anthropic_client, f"chunk={size}", stream=True))

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert count(text) == len(chunks) - 2  # one piece a token, the role before, the reason after
    assert events[-1].type == "message_stop"


def test_azures_empty_first_chunk_can_be_had(openai_client: openai.OpenAI) -> None:
    first, second, *_ = ask_openai(openai_client, "empty-choices", stream=True)

    assert first.choices == []
    assert second.choices[0].delta.role == "assistant"


def test_slow_answers_run_into_the_clients_timeout(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        ask_openai(openai_client.with_options(timeout=0.05), "slow=30")


def test_the_log_shows_what_was_sent(server: ProviderServer, openai_client: openai.OpenAI) -> None:
    openai_client.chat.completions.create(model="gpt-4o", messages=HELLO, extra_headers={"Baggage": "user.id=u-7"})

    exchange = server.requests[0]
    assert (exchange.method, exchange.path, exchange.provider) == ("POST", "/v1/chat/completions", "openai")
    assert (exchange.headers["baggage"], exchange.body["messages"]) == ("user.id=u-7", HELLO)
    assert exchange.usage["completion_tokens"] > 0
    assert exchange.is_complete


def test_the_log_can_be_read_and_cleared_from_outside(server: ProviderServer) -> None:
    def call(method: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, "/_log")
            return json.loads(connection.getresponse().read())

    post(server, "/v1/embeddings", {"model": "m", "input": "one two"})

    assert [entry["usage"]["prompt_tokens"] for entry in call("GET")] == [2]
    assert call("DELETE") == []
    assert server.requests == []


def test_held_requests_are_answered_on_release(server: ProviderServer, openai_client: openai.OpenAI) -> None:
    server.hold()
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(ask_openai(openai_client, ""))) for _ in range(3)]
    for thread in threads:
        thread.start()
    server.wait_for(3)
    assert answers == []

    server.release()
    for thread in threads:
        thread.join(10)

    assert len(answers) == 3


def test_waiting_for_requests_that_never_come_is_an_error(server: ProviderServer) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 requests"):
        server.wait_for(1, timeout_seconds=0.01)


def test_the_server_stops_at_once_while_an_answer_is_being_written() -> None:
    with ProviderServer() as server, openai.OpenAI(base_url=server.openai_url, api_key="x", max_retries=0) as client:
        stream = iter(ask_openai(client, "gap=30", stream=True))
        next(stream)


def start(tmp_path: Path, *options: str) -> tuple[subprocess.Popen[str], Path]:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "examples.provider_server", "--port", "0", "--port-file", str(port_file)]
    return subprocess.Popen([*command, *options], cwd=ROOT, text=True, stdout=-1, stderr=-1), port_file


def test_the_command_serves_a_script_until_it_is_told_to_stop(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"model": "gpt-*", "answer": {"text": "From the file."}}, {"fault": "503"}]))
    process, port_file = start(tmp_path, "--script", str(script))
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{port_file.read_text()}/v1", api_key="local", max_retries=0
        ) as client:
            answer = client.chat.completions.create(model="gpt-4o", messages=HELLO)
            with pytest.raises(openai.InternalServerError):
                client.chat.completions.create(model="other", messages=HELLO)
        process.send_signal(signal.SIGTERM)

    assert answer.choices[0].message.content == "From the file."
    assert "OPENAI_BASE_URL=http://127.0.0.1:" in said
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("content", "says"), [('[{"modle": "x"}]', "unknown key 'modle'"), ('[{"fault": "5000"}]', "5000"), ("[", "script")]
)
def test_a_wrong_script_is_refused_with_its_reason(tmp_path: Path, content: str, says: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(content)
    process, _ = start(tmp_path, "--script", str(script))
    _, error = process.communicate(timeout=20)

    assert process.returncode == 2
    assert says in error


def test_a_client_that_leaves_early_is_seen_in_the_log() -> None:
    with (
        ProviderServer() as server,
        openai.OpenAI(base_url=server.openai_url, api_key="local") as client,
        ask_openai(client, "gap=0.02", stream=True) as stream,
    ):
        next(stream)

    # the server has ended, so it has tried to write the rest
    assert (server.requests[0].status, server.requests[0].is_complete) == (200, False)


def test_a_body_that_is_not_json_is_refused(server: ProviderServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        for encoding in ("identity", "gzip"):
            headers = {"authorization": "Bearer local", "content-encoding": encoding}
            connection.request("POST", "/v1/chat/completions", b"not json", headers)
            answer = connection.getresponse()
            assert (answer.status, b"model" in answer.read()) == (400, True)
