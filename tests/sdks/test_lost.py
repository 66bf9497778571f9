"""What other SDKs than openai's bring along: attempts of theirs, and answers that are files."""

import groq
import openai
import pytest

from examples.provider_server import Fault, ProviderServer, Rule
from tests.instrumentation.conftest import Process

CHAT = [{"role": "user", "content": "Say hello in 12 words"}]


@pytest.mark.parametrize("model", ["llama-3.3-70b-versatile", "a-model-without-a-price"])
def test_each_attempt_is_suspected_once_whether_it_has_a_price_or_not(process: Process, model: str) -> None:
    with (
        ProviderServer([Rule(fault=Fault.parse("drop"))]) as server,
        groq.Groq(base_url=server.url, api_key="local", max_retries=1) as client,
        pytest.raises(groq.APIConnectionError),
    ):
        client.chat.completions.create(model=model, messages=CHAT)

    assert sorted(charge.method for charge in process.charges) == ["lost-attempt", "no-answer-seen"]
    assert len(server.requests) == 2


def test_speech_is_charged_by_its_characters_however_it_is_read(process: Process, server: ProviderServer) -> None:
    with openai.OpenAI(base_url=server.openai_url, api_key="local") as client:
        whole = client.audio.speech.create(model="tts-1", voice="alloy", input="one two").read()
        with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="one two") as open_:
            streamed = open_.read()

    assert whole == streamed
    assert [charge.usage.counts for charge in process.charges] == [{"characters": 7}] * 2
