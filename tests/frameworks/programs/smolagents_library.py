"""smolagents: a manager writes code that calls a searcher; a poet streams; one agent has no name.

Manager and poet are on OpenAI's SDK, the searcher on litellm.
"""

import os

from openai import OpenAI
from smolagents import CodeAgent, LiteLLMModel, OpenAIModel, ToolCallingAgent, tool

from otel_llmcost import attribute

model = OpenAIModel("gpt-4o-mini")


@tool
def search(query: str) -> str:
    """Search the library.

    Args:
        query: What to look for.
    """
    return f"Three shelves on {query}."


searcher = ToolCallingAgent(
    tools=[search],
    model=LiteLLMModel("openai/gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"]),
    name="searcher",
    description="Searches the library.",
    instructions="You search.",
)
manager = CodeAgent(
    tools=[],
    model=model,
    managed_agents=[searcher],
    name="manager",
    instructions="You manage.",
    planning_interval=3,
    verbosity_level=0,
)
poet = ToolCallingAgent(
    tools=[], model=model, name="poet", instructions="You rhyme.", stream_outputs=True, verbosity_level=0
)
nobody = ToolCallingAgent(tools=[], model=model, instructions="You greet.", max_steps=1, verbosity_level=0)

with attribute(user="ada"):
    manager.run("How many shelves on rivers?")
for number, _ in enumerate(poet.run("A couplet.", stream=True)):
    if number == 0:
        asked = {"role": "user", "content": "What the reader asks meanwhile."}
        OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[asked])
nobody.run("Say hello.")
with attribute(agent="porter"):
    nobody.run("Say hello.")
