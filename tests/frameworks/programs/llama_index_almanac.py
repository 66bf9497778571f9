"""LlamaIndex: an agent with a memory, twice; a workflow of the program's own, which asks a model and an agent."""

import asyncio

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.memory import Memory
from llama_index.core.workflow import StartEvent, StopEvent, Workflow, step
from llama_index.llms.openai import OpenAI

llm = OpenAI("gpt-4o-mini")


class Almanac(Workflow):
    @step
    async def write(self, ev: StartEvent) -> StopEvent:
        await llm.acomplete("A motto for the day.")
        keeper = FunctionAgent(name="calendar keeper", llm=llm, system_prompt="You know the days.")
        return StopEvent(result=str(await keeper.run("Which day is it?")))


async def main() -> None:
    memory = Memory.from_defaults(session_id="chat-7")
    guide = FunctionAgent(name="guide", llm=llm, system_prompt="You guide.")
    await guide.run("Where is the museum?", memory=memory)
    await guide.run("And the theatre?", memory=memory)
    await Almanac(timeout=60).run()
    await FunctionAgent(llm=llm).run("Hello.")


asyncio.run(main())
