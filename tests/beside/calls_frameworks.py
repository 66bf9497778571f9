"""Calls made through frameworks, whose own instrumentors make spans of agents and chains around those of the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import agents
import openai
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
from agents.models.openai_responses import OpenAIResponsesModel
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

from tests.beside.kinds import of_type

SAY = "Say it in 30 words"
MODEL = "gpt-4o-mini"


def _chain(url: str) -> Any:
    chat = ChatOpenAI(base_url=url + "/v1", api_key="k", model=MODEL, max_retries=0)
    return ChatPromptTemplate.from_messages([("human", "{ask}")]) | chat


def langchain_chain(url: str) -> None:
    of_type(_chain(url).invoke({"ask": SAY}), AIMessage)


def langchain_stream(url: str) -> None:
    assert len("".join(chunk.text for chunk in _chain(url).stream({"ask": SAY})).split()) == 30


def langchain_async(url: str) -> None:
    of_type(asyncio.run(_chain(url).ainvoke({"ask": SAY})), AIMessage)


async def _agent(url: str, kind: Callable[..., Any]) -> None:
    async with openai.AsyncOpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
        agent = agents.Agent(name="writer", model=kind(MODEL, client))
        assert (await agents.Runner.run(agent, SAY)).final_output


def agent_responses(url: str) -> None:
    asyncio.run(_agent(url, OpenAIResponsesModel))


def agent_chat(url: str) -> None:
    asyncio.run(_agent(url, OpenAIChatCompletionsModel))


CALLS_FRAMEWORKS = {
    call.__name__: call for call in (langchain_chain, langchain_stream, langchain_async, agent_responses, agent_chat)
}
