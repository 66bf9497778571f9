"""OpenAI Agents: triage hands over to a specialist; a guardrail of its own looks at the question meanwhile."""

import asyncio
from dataclasses import dataclass

from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrail,
    RunConfig,
    Runner,
    SQLiteSession,
    function_tool,
    set_trace_processors,
)

set_trace_processors([])


@dataclass
class Visitor:
    user_id: str


@function_tool
def find_invoice(month: str) -> str:
    """Find an invoice."""
    return f"The invoice of {month} is over 12 dollars."


screener = Agent(name="Screener", instructions="Is this a question for a help desk?", model="gpt-4o-mini")


async def screen(ctx, agent, question):
    verdict = await Runner.run(screener, question, context=ctx.context)
    return GuardrailFunctionOutput(output_info=verdict.final_output, tripwire_triggered=False)


billing = Agent(name="Billing", instructions="Answer questions on invoices.", tools=[find_invoice], model="gpt-4o-mini")
triage = Agent(
    name="Triage",
    instructions="Hand the question to whoever knows.",
    handoffs=[billing],
    input_guardrails=[InputGuardrail(guardrail_function=screen)],
    model="gpt-4o-mini",
)


async def main() -> None:
    session = SQLiteSession("desk-7")
    config = RunConfig(workflow_name="Help desk")
    answer = await Runner.run(triage, "What do I owe?", session=session, context=Visitor("ada"), run_config=config)
    print(answer.last_agent.name)
    stream = Runner.run_streamed(billing, "And in May?", session=session, context=Visitor("ada"), run_config=config)
    async for _ in stream.stream_events():
        pass
    print(stream.last_agent.name)


asyncio.run(main())
