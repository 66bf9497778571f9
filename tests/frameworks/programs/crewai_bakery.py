"""CrewAI: a flow that goes on with what it kept, in asyncio: an agent, then a crew whose answer is checked."""

import asyncio

from crewai import LLM, Agent, Crew, Task
from crewai.flow.flow import Flow, listen, start

llm = LLM(model="openai/gpt-4o-mini")


def agent(role: str) -> Agent:
    return Agent(role=role, goal="Sell bread.", backstory="You are up early.", llm=llm)


class Bakery(Flow):
    @start()
    async def choose(self) -> str:
        chosen = await agent("Baker").kickoff_async("Which bread today?")
        return chosen.raw

    @listen(choose)
    async def sell(self, bread: str) -> str:
        seller = agent("Seller")
        task = Task(description=f"Sell {bread}", expected_output="A price.", agent=seller, guardrail="A fair price.")
        return (await Crew(name="shop", agents=[seller], tasks=[task]).akickoff()).raw


asyncio.run(Bakery().kickoff_async(inputs={"id": "morning-3"}))
agent("Barista").kickoff("A coffee, please.")
