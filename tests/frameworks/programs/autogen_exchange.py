"""AutoGen's core: one runtime, started before anybody came, answers several users; a team lives on it too."""

import asyncio
from dataclasses import dataclass

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import (
    AgentId,
    DefaultTopicId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    default_subscription,
    message_handler,
)
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient

from otel_llmcost import attribute

client = OpenAIChatCompletionClient(model="gpt-4o-mini")


@dataclass
class Page:
    words: str


@dataclass
class Draft:
    words: str


async def ask(words: str) -> None:
    await client.create([UserMessage(content=words, source="user")])


@default_subscription
class Translator(RoutedAgent):
    @message_handler
    async def translate(self, message: Page, ctx: MessageContext) -> None:
        await ask(message.words)
        await self.send_message(Draft(message.words), AgentId("proofreader", "default"))


class Proofreader(RoutedAgent):
    @message_handler
    async def read(self, message: Draft, ctx: MessageContext) -> None:
        await ask(message.words)


async def main() -> None:
    runtime = SingleThreadedAgentRuntime()
    await Translator.register(runtime, "translator", lambda: Translator("translates"))
    await Proofreader.register(runtime, "proofreader", lambda: Proofreader("reads"))
    with attribute(user="whoever starts it"):
        runtime.start()

    with attribute(user="ada"):
        await runtime.send_message(Page("Bonjour"), AgentId("translator", "default"))
    with attribute(user="lin"):
        await runtime.publish_message(Page("Bonsoir"), DefaultTopicId())
    await runtime.stop_when_idle()

    runtime.start()
    columnist = AssistantAgent("columnist", client, system_message="You have opinions.")
    with attribute(user="mel"):
        await RoundRobinGroupChat([columnist], name="opinions", max_turns=1, runtime=runtime).run(task="On rain.")
    await runtime.stop_when_idle()


asyncio.run(main())
