"""OpenAI Agents: an editor uses other agents as tools, by chat completions; then two agents work side by side."""

import asyncio

from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_trace_processors, trace
from openai import AsyncOpenAI, OpenAI

set_trace_processors([])
model = OpenAIChatCompletionsModel("gpt-4o-mini", AsyncOpenAI())


@function_tool
def look_up(subject: str) -> str:
    """Look a subject up."""
    asked = {"role": "user", "content": subject}
    return OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[asked]).choices[0].message.content


reporter = Agent(name="Reporter", instructions="Report.", tools=[look_up], model=model)
editor = Agent(
    name="Editor",
    instructions="Have it reported.",
    tools=[reporter.as_tool(tool_name="report", tool_description="Report on a subject.")],
    model=model,
)
printers = [Agent(name=name, instructions="Set it in type.", model=model) for name in ("Front page", "Back page")]


async def main() -> None:
    with trace("Morning paper", group_id="edition-1"):
        story = await Runner.run(editor, "What is new?")
        await asyncio.gather(*(Runner.run(printer, story.final_output) for printer in printers))


asyncio.run(main())
corrector = Agent(name="Corrector", instructions="Correct the date.", model="gpt-4o-mini")
print(Runner.run_sync(corrector, "It is Tuesday.").last_agent.name)
