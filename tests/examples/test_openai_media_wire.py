"""OpenAI's pictures, sounds, moderations, files and batches, and Anthropic's batches, by their own SDKs."""

import base64
import io
import json
import wave
from typing import Any

import anthropic
import openai
import pytest
from openai.types import CreateEmbeddingResponse, ModerationCreateResponse
from openai.types.chat import ChatCompletion

from examples.provider_server import ProviderServer, Rule
from tests.examples.raw import IS_NEWEST, check

needs_newest = pytest.mark.skipif(not IS_NEWEST, reason=f"openai {openai.__version__} does not know this yet")
SPEECH: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "one two three"}


def wav(seconds: float) -> tuple[str, bytes]:
    held = io.BytesIO()
    with wave.open(held, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(range(256)) * int(seconds * 8000 * 2 / 256))
    return "a.wav", held.getvalue()


@needs_newest
def test_pictures_are_billed_by_tokens(openai_client: openai.OpenAI, server: ProviderServer) -> None:
    made = openai_client.images.generate(model="gpt-image-1", prompt="a cat", n=2, size="1024x1536", quality="high")
    edited = openai_client.images.edit(model="gpt-image-1", image=("a.png", b"\r\n\0x\n"), prompt="a dog")

    assert base64.b64decode(made.data[1].b64_json).startswith(b"\x89PNG")
    assert (made.usage.input_tokens, made.usage.output_tokens) == (2, 2 * 6240)
    assert (edited.usage.input_tokens_details.image_tokens, edited.usage.output_tokens) == (85, 1056)
    assert server.requests[1].body["image"] == {"filename": "a.png", "bytes": 5}


def test_older_pictures_are_billed_one_by_one(openai_client: openai.OpenAI, server: ProviderServer) -> None:
    made = openai_client.images.generate(model="dall-e-3", prompt="a cat", n=2)
    inside = openai_client.images.generate(model="dall-e-2", prompt="a cat", response_format="b64_json")

    assert [bool(each.url) for each in made.data] == [True, True]
    assert inside.data[0].b64_json
    assert [exchange.usage for exchange in server.requests] == [{"images": 2}, {"images": 1}]


def test_speech_is_made_and_only_its_events_say_what_it_took(
    openai_client: openai.OpenAI, server: ProviderServer
) -> None:
    sound = openai_client.audio.speech.create(**SPEECH)
    with openai_client.audio.speech.with_streaming_response.create(
        **SPEECH, extra_body={"stream_format": "sse"}
    ) as streamed:
        lines = [json.loads(line.removeprefix("data: ")) for line in streamed.iter_lines() if line]

    assert len(sound.read()) == 3 * 160
    assert lines[-1] == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 3, "output_tokens": 24, "total_tokens": 27},
    }
    assert server.requests[0].usage["characters"] == 13


@needs_newest
@pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
def test_sound_is_transcribed_by_tokens_or_by_its_length(openai_client: openai.OpenAI) -> None:
    create = openai_client.audio.transcriptions.create
    tokens = create(model="gpt-4o-transcribe", file=wav(4), prompt="two words")
    length = create(model="whisper-1", file=wav(4))
    verbose = create(model="whisper-1", file=wav(4), response_format="verbose_json")
    plain = create(model="whisper-1", file=("a.mp3", bytes(32_000)), response_format="text")
    events = list(create(model="gpt-4o-transcribe", file=wav(4), stream=True))
    translated = openai_client.audio.translations.create(model="whisper-1", file=wav(4))

    assert (tokens.usage.input_token_details.audio_tokens, tokens.usage.input_tokens) == (40, 42)
    assert tokens.usage.output_tokens == 9
    assert (length.usage.type, length.usage.seconds, verbose.duration) == ("duration", 4, 4.0)
    assert plain == "On a sound of\n"  # 2 seconds, 4 words
    assert (events[-1].type, events[-1].usage.output_tokens, events[-1].text) == (
        "transcript.text.done",
        9,
        length.text,
    )
    assert translated.text == length.text


def test_moderations_are_free(openai_client: openai.OpenAI, server: ProviderServer) -> None:
    one = openai_client.moderations.create(input="hello")
    two = openai_client.moderations.create(input=["hello", "again"])

    if IS_NEWEST:
        check(ModerationCreateResponse, one.to_dict())
    assert [len(one.results), len(two.results)] == [1, 2]
    assert server.requests[0].usage == {}


def upload(client: openai.OpenAI, *requests: dict[str, Any], url: str) -> str:
    lines = [
        json.dumps({"custom_id": str(number), "method": "POST", "url": url, "body": body})
        for number, body in enumerate(requests)
    ]
    return client.files.create(file=("in.jsonl", "\n".join(lines).encode()), purpose="batch").id


def test_a_batch_ends_with_the_usage_of_its_requests(openai_client: openai.OpenAI, server: ProviderServer) -> None:
    ask = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello in 12 words"}]}
    file = upload(openai_client, ask, ask, {"model": "gpt-4o-mini"}, url="/v1/chat/completions")
    batch = openai_client.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h")
    ended = openai_client.batches.retrieve(batch.id)
    lines = openai_client.files.content(ended.output_file_id).text.splitlines()

    assert (batch.status, ended.status) == ("validating", "completed")
    assert (ended.request_counts.completed, ended.request_counts.failed) == (2, 1)
    check(ChatCompletion, json.loads(lines[0])["response"]["body"])
    assert [json.loads(line)["response"]["status_code"] for line in lines] == [200, 200, 400]
    usage = server.requests[2].usage
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (18, 26, 44)
    assert openai_client.batches.retrieve(batch.id).output_file_id == ended.output_file_id


@needs_newest
def test_a_batch_says_its_usage_and_model(openai_client: openai.OpenAI) -> None:
    file = upload(openai_client, {"model": "text-embedding-3-small", "input": "one two"}, url="/v1/embeddings")
    batch = openai_client.batches.create(input_file_id=file, endpoint="/v1/embeddings", completion_window="24h")
    ended = openai_client.batches.retrieve(batch.id)
    line = json.loads(openai_client.files.content(ended.output_file_id).text)

    assert (ended.usage.input_tokens, ended.model) == (2, "text-embedding-3-small")
    check(CreateEmbeddingResponse, line["response"]["body"])


def test_what_is_not_there_or_not_served_in_batches_is_said(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        openai_client.batches.retrieve("batch_none")
    with pytest.raises(openai.BadRequestError, match="Invalid endpoint"):
        openai_client.batches.create(input_file_id="x", endpoint="/v1/x", completion_window="24h")  # type: ignore[arg-type]


@needs_newest
def test_anthropics_batches_end_with_a_message_each(
    anthropic_client: anthropic.Anthropic, server: ProviderServer
) -> None:
    params: Any = {
        "model": "claude-haiku-4-5",
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "Say hello in 12 words"}],
    }
    wrong = {name: value for name, value in params.items() if name != "max_tokens"}
    batch = anthropic_client.messages.batches.create(
        requests=[{"custom_id": "a", "params": params}, {"custom_id": "b", "params": wrong}]
    )
    ended = anthropic_client.messages.batches.retrieve(batch.id)
    good, bad = anthropic_client.messages.batches.results(batch.id)

    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 2)
    assert (ended.processing_status, ended.request_counts.succeeded, ended.request_counts.errored) == ("ended", 1, 1)
    assert (good.result.message.usage.output_tokens, good.result.message.usage.service_tier) == (13, "batch")
    assert (bad.custom_id, bad.result.type) == ("b", "errored")
    assert server.requests[-1].usage == {"input_tokens": 9, "output_tokens": 13}


def test_usage_of_sounds_can_be_replaced(openai_client: openai.OpenAI, server: ProviderServer) -> None:
    server.script.add(Rule(path="/v1/audio/*", usage={"characters": 7}))
    openai_client.audio.speech.create(**SPEECH).read()

    assert server.requests[0].usage["characters"] == 7
