"""LlamaIndex: a scout hands over to an author, the author to a critic; the scout's tool asks a model itself."""

import asyncio

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.llms.openai import OpenAI

llm = OpenAI("gpt-4o-mini")


def look_up(place: str) -> str:
    """Look a place up."""
    return llm.complete(f"Words for {place}.").text


scout = FunctionAgent(
    name="scout",
    description="Finds things out.",
    llm=llm,
    tools=[look_up],
    system_prompt="You scout.",
    can_handoff_to=["author"],
)
author = FunctionAgent(
    name="author",
    description="Writes.",
    llm=llm,
    system_prompt="You write.",
    can_handoff_to=["critic"],
    streaming=False,
)
critic = ReActAgent(name="critic", description="Judges.", llm=llm, system_prompt="You judge.", can_handoff_to=[])


async def main() -> None:
    team = AgentWorkflow(agents=[scout, author, critic], root_agent="scout")
    handler = team.run("Tell of Bonn.")
    async for _ in handler.stream_events():
        pass
    await handler


asyncio.run(main())
