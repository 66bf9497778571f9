"""Pydantic AI: a chef delegates to a cook by a tool; answers are streamed; agents are named after their variables."""

import asyncio
from dataclasses import dataclass

from openai import AsyncOpenAI
from pydantic_ai import Agent, RunContext

chef = Agent("openai:gpt-4o-mini", name="chef", instructions="Have it cooked.")
cook = Agent("anthropic:claude-haiku-4-5", name="cook", instructions="Cook it.")
waiter = Agent("openai-responses:gpt-4o-mini", instructions="Serve it.")


@dataclass
class Guest:
    user_id: str


@chef.tool
async def have_cooked(ctx: RunContext[Guest], dish: str) -> str:
    """Have a dish cooked."""
    tasted = await AsyncOpenAI().embeddings.create(model="text-embedding-3-small", input=dish)
    done = await cook.run(f"{dish}, {len(tasted.data)} times", deps=ctx.deps, usage=ctx.usage)
    return done.output


async def main() -> None:
    dinner = await chef.run("Dinner, please.", deps=Guest("lin"), conversation_id="table-4")
    print(dinner.usage.requests)
    async with waiter.run_stream(dinner.output, conversation_id="table-4") as served:
        print(len([part async for part in served.stream_text()]) > 0)
    async with chef.run_stream_events("And a dessert.", deps=Guest("lin"), conversation_id="table-4") as events:
        async for _ in events:
            pass
    async with waiter.iter("The bill.", conversation_id="table-4") as run:
        async for _ in run:
            pass
    await AsyncOpenAI().embeddings.create(model="text-embedding-3-small", input="leftovers")


asyncio.run(main())
print(waiter.name, waiter.run_sync("Good night.").output != "")
