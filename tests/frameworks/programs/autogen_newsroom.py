"""AutoGen: a model picks who speaks next; the reporter asks a fact checker, an agent that serves as a tool."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import SelectorGroupChat
from autogen_agentchat.tools import AgentTool
from autogen_ext.models.openai import OpenAIChatCompletionClient


async def main() -> None:
    client = OpenAIChatCompletionClient(model="gpt-4o-mini", parallel_tool_calls=False)
    checker = AssistantAgent("fact_checker", client, system_message="You check facts.")
    reporter = AssistantAgent(
        "reporter", client, tools=[AgentTool(checker)], system_message="You report.", reflect_on_tool_use=True
    )
    editor = AssistantAgent("editor", client, system_message="You edit.", model_client_stream=True)
    team = SelectorGroupChat(
        [reporter, editor],
        client,
        name="newsroom",
        selector_prompt="Pick one of {participants}: {roles} {history}",
        termination_condition=MaxMessageTermination(5),
    )
    await team.run(task="Report on the harbour.")


asyncio.run(main())
