"""What the provider of these tests answers, in as few words as the programs need to go on."""

from __future__ import annotations

from typing import Any

from examples.provider_server import Answer
from examples.provider_server.script import Rule
from examples.provider_server.wire import ToolCall
from tests.frameworks.conftest import Stage


def answer(stage: Stage, asked: str, said: Answer, times: int | None = None) -> None:
    """Answer requests with these words in them; what comes first goes first, and None is for ever."""
    stage.server.script.add(Rule(contains=asked, answer=said, times=times))


def text(words: str) -> Answer:
    return Answer(text=words)


def call(tool: str, **arguments: Any) -> Answer:
    return Answer(tool_calls=(ToolCall(name=tool, arguments=arguments),))
