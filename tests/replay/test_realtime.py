"""Connections on which many answers come: each is a call of its own, refused before it is asked for."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from websockets.sync.server import ServerConnection, serve

from otel_llmcost import BudgetExceededError
from tests.instrumentation.conftest import Process, Start
from tests.replay import needs
from tests.replay.changing import changing, the_charge
from tests.replay.exchange import Expected, check, told

USAGE = {
    "total_tokens": 1500,
    "input_tokens": 1000,
    "output_tokens": 500,
    "input_token_details": {
        "text_tokens": 400,
        "audio_tokens": 600,
        "cached_tokens": 300,
        "cached_tokens_details": {"text_tokens": 200, "audio_tokens": 100},
    },
    "output_token_details": {"text_tokens": 100, "audio_tokens": 400},
}
COUNTS = {
    "input_tokens": 1000,
    "input_audio_tokens": 600,
    "cache_read_tokens": 300,
    "cache_read_audio_tokens": 100,
    "output_tokens": 500,
    "output_audio_tokens": 400,
}
# gpt-realtime, USD per million: 200 x 4.00 text, 500 x 32.00 sound, 200 + 100 x 0.40 cached, 100 x 16.00, 400 x 64.00
COST = "0.04412"


@dataclass
class Speaker:
    """Answers each `response.create`; `speaks_first`: it also answers what it has heard of itself."""

    speaks_first: bool = False
    received: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""

    def talk(self, line: ServerConnection) -> None:
        self._say(line, {"type": "session.created", "session": {"id": "sess_1", "model": "gpt-realtime"}})
        if self.speaks_first:
            self._answer(line, "resp_0")
        for message in line:
            self.received.append(json.loads(message))
            if self.received[-1]["type"] == "response.create":
                self._answer(line, f"resp_{len(self.received)}")

    def _answer(self, line: ServerConnection, response_id: str) -> None:
        response = {"id": response_id, "object": "realtime.response", "status": "in_progress", "usage": None}
        self._say(line, {"type": "response.created", "response": response})
        self._say(line, {"type": "response.output_audio.delta", "delta": "UklGRg=="})
        self._say(line, {"type": "response.done", "response": {**response, "status": "completed", "usage": USAGE}})

    def _say(self, line: ServerConnection, event: dict[str, Any]) -> None:
        line.send(json.dumps({"event_id": "event_1", **event}))


@pytest.fixture
def speaker() -> Iterator[Speaker]:
    speaker = Speaker()
    with serve(speaker.talk, "127.0.0.1", 0) as server:
        speaker.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield speaker
        server.shutdown()
        thread.join()


@contextmanager
def connected(speaker: Speaker) -> Iterator[Any]:
    with (
        openai.OpenAI(api_key="k", websocket_base_url=speaker.url) as ours,
        ours.realtime.connect(model="gpt-realtime") as connection,
    ):
        yield connection


def heard_to_the_end(connection: Any) -> list[str]:
    kinds: list[str] = []
    while "response.done" not in kinds:
        kinds.append(connection.recv().type)
    return kinds


pytestmark = needs.realtime
EXPECTED = Expected(provider="openai", model="gpt-realtime", usage=COUNTS, cost_usd=COST)


def test_each_answer_on_a_connection_is_a_call(process: Process, speaker: Speaker):
    """What was text, sound and cached has its price each; the program hears what it would hear without us."""
    with connected(speaker) as connection:
        connection.recv()
        for _ in range(2):
            connection.response.create()
            assert heard_to_the_end(connection) == ["response.created", "response.output_audio.delta", "response.done"]

    assert [charge.response_id for charge in process.charges] == ["resp_1", "resp_2"]
    for charge in process.charges:
        check(charge, EXPECTED)
    assert [told(span)["gen_ai.request.model"] for span in process.spans] == ["gpt-realtime", "gpt-realtime"]


async def test_the_same_holds_for_an_async_connection(process: Process, speaker: Speaker):
    async with (
        openai.AsyncOpenAI(api_key="k", websocket_base_url=speaker.url) as ours,
        ours.realtime.connect(model="gpt-realtime") as connection,
    ):
        await connection.recv()
        await connection.response.create()
        kinds = [(await connection.recv()).type for _ in range(3)]

    assert kinds[-1] == "response.done"
    check(process.charge, EXPECTED)


def test_an_answer_that_nobody_asked_for_is_charged_all_the_same(process: Process, speaker: Speaker):
    """As where the provider hears by itself that somebody has finished speaking."""
    speaker.speaks_first = True

    with connected(speaker) as connection:
        heard_to_the_end(connection)

    check(process.charge, EXPECTED)


def test_an_answer_that_does_not_fit_is_never_asked_for(start: Start, speaker: Speaker):
    """The connection itself goes on."""
    process = start('[[budget]]\nname = "all"\nlimit = 0.05\nwindow = "day"\nmarks = {}\nreserve = "expected"\n')
    with connected(speaker) as connection:
        connection.recv()
        connection.response.create()
        heard_to_the_end(connection)
        with pytest.raises(BudgetExceededError):
            connection.response.create()

    assert len(speaker.received) == len(process.charges) == 1


def test_a_connection_that_is_left_within_an_answer_leaves_nothing_held(start: Start, speaker: Speaker):
    """What came of it is not known, so it is estimated."""
    process = start('[[budget]]\nname = "all"\nlimit = 5\nwindow = "day"\n')
    with connected(speaker) as connection:
        connection.recv()
        connection.response.create()

    assert process.open_reservations == 0
    assert [charge.status for charge in process.charges] == ["estimated"]


def test_what_a_budget_would_change_is_told_to_be_impossible(start: Start, speaker: Speaker):
    """What is asked on a connection goes out as it is."""
    process = changing(start, cap=50, route={"gpt-realtime": "gpt-realtime-mini"})

    with connected(speaker) as connection:
        connection.recv()
        connection.response.create()
        heard_to_the_end(connection)

    assert speaker.received == [{"type": "response.create"}]
    assert [each.endswith("(not possible)") for each in the_charge(process).actions] == [True, True]
