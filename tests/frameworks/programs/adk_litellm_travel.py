"""Google ADK through LiteLLM: a coordinator hands over to an agent with an agent as a tool; then a pipeline."""

import asyncio

from google.adk.agents import LlmAgent, LoopAgent, ParallelAgent, SequentialAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner, Runner
from google.adk.sessions import InMemorySessionService
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

model = LiteLlm(model="openai/gpt-4o-mini")


def agent(name: str, **more) -> LlmAgent:
    return LlmAgent(name=name, model=model, instruction="Do your part.", description=f"Is the {name}.", **more)


booker = agent("booker", tools=[AgentTool(agent("price_finder"))], disallow_transfer_to_parent=True)
coordinator = agent("coordinator", sub_agents=[booker])
report = SequentialAgent(
    name="report",
    sub_agents=[
        ParallelAgent(name="sources", sub_agents=[agent("weather"), agent("traffic")]),
        LoopAgent(name="polish", sub_agents=[agent("editor")], max_iterations=2),
    ],
)


async def ask(runner: Runner, user: str, session: str, question: str) -> None:
    await runner.session_service.create_session(app_name=runner.app_name, user_id=user, session_id=session)
    message = types.Content(role="user", parts=[types.Part(text=question)])
    async for _ in runner.run_async(user_id=user, session_id=session, new_message=message):
        pass


async def main() -> None:
    desk = Runner(agent=coordinator, app_name="travel_desk", session_service=InMemorySessionService())
    await ask(desk, "ada", "trip-1", "Book me a train.")
    await ask(InMemoryRunner(agent=report), "lin", "trip-2", "How is it outside?")


asyncio.run(main())
