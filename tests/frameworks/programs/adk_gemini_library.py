"""Google ADK on Gemini: a librarian hands over to an archivist; then a workflow of a function and an agent."""

import asyncio

from google import genai
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.runners import InMemoryRunner, Runner
from google.adk.sessions import InMemorySessionService
from google.adk.workflow import START, Workflow, node
from google.genai import types

MODEL = "gemini-2.5-flash"


def shelf_of(title: str) -> str:
    """Say on which shelf a book stands."""
    return "Shelf 12."


archivist = LlmAgent(
    name="archivist",
    model=MODEL,
    instruction="Find it.",
    description="Knows the shelves.",
    tools=[shelf_of],
    disallow_transfer_to_parent=True,
)
librarian = LlmAgent(name="librarian", model=MODEL, instruction="Ask who knows.", sub_agents=[archivist])


@node
async def summarize(ctx, node_input) -> str:
    """Asks the model by itself, in no agent's name but its own."""
    client = genai.Client()  # kept: one that nobody holds closes its connections in the middle of a call
    answer = await client.aio.models.generate_content(model=MODEL, contents="Sum the catalogue up.")
    return answer.text


reviewer = LlmAgent(name="reviewer", model=MODEL, instruction="Review it.")
catalogue = Workflow(name="catalogue", edges=[(START, summarize, reviewer)])


async def ask(runner: Runner, session: str, mode: StreamingMode) -> None:
    await runner.session_service.create_session(app_name=runner.app_name, user_id="ada", session_id=session)
    message = types.Content(role="user", parts=[types.Part(text="Where is it?")])
    config = RunConfig(streaming_mode=mode)
    async for _ in runner.run_async(user_id="ada", session_id=session, new_message=message, run_config=config):
        pass


async def main() -> None:
    library = Runner(agent=librarian, app_name="library", session_service=InMemorySessionService())
    await ask(library, "s-1", StreamingMode.NONE)
    await ask(library, "s-1b", StreamingMode.SSE)
    await ask(InMemoryRunner(node=catalogue), "s-2", StreamingMode.NONE)


asyncio.run(main())
