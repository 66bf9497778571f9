"""AutoGen: a desk hands over to billing, read as a stream; then agents on their own, and a team nobody named."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Handoff
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat, Swarm
from autogen_core import CancellationToken
from autogen_core.models import UserMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient


async def main() -> None:
    client = OpenAIChatCompletionClient(model="gpt-4o-mini")
    desk = AssistantAgent("front_desk", client, handoffs=[Handoff(target="billing")], system_message="You greet.")
    billing = AssistantAgent("billing", client, system_message="You do the bills.")
    team = Swarm([desk, billing], name="service desk", termination_condition=TextMentionTermination("SETTLED"))
    async for _ in team.run_stream(task="My bill is wrong."):
        pass

    columnist = AssistantAgent("columnist", client, system_message="You have opinions.")
    await columnist.run(task="On rain.")
    async for _ in columnist.run_stream(task="On snow."):
        await client.create([UserMessage(content="What the reader asks meanwhile.", source="user")])
        break
    await columnist.on_messages([TextMessage(content="On fog.", source="user")], CancellationToken())
    await RoundRobinGroupChat([columnist], max_turns=1).run(task="On hail.")


asyncio.run(main())
