"""A small team of agents that answers the questions of two users: a planner, researchers, a writer.

It is an ordinary program on the providers' own SDKs. All it knows about costs is `attribute(...)`, which says for whom
and for what a call is made; start it by `opentelemetry-instrument` and its calls are priced, counted and limited.
It talks to the real providers, or to whatever OPENAI_BASE_URL and ANTHROPIC_BASE_URL name.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from otel_llmcost import attribute

PLANNER_MODEL = os.environ.get("PLANNER_MODEL", "gpt-4o-mini")
RESEARCHER_MODEL = os.environ.get("RESEARCHER_MODEL", "gpt-6-luna")
WRITER_MODEL = os.environ.get("WRITER_MODEL", "claude-haiku-5-5")
EMBEDDING_MODEL = os.environ.get("EMBEDDING_MODEL", "text-embedding-3-small")

LIBRARY = {
    "cold-chain.md": """
        Vaccines spoil above 8 degrees. In 2025 one box in nine arrived too warm; two thirds of these had waited on the
        apron of an airport for more than forty minutes. Insulated covers cost 11 dollars a box and a trip.""",
    "night-shift.md": """
        The night shift packs 30 % slower than the day shift. Half of the difference goes away where the light over the
        benches is brighter than 500 lux, and most of the rest where breaks are taken before two o'clock.""",
    "returns.md": """
        One parcel in fourteen comes back. Shoes lead; the size chart is the reason given most often. Shops that show
        how a size fits compared with a brand the customer knows get a third fewer of them back.""",
}


@dataclass(frozen=True)
class Task:
    id: str
    user: str
    question: str


TASKS = [
    Task("t-1", "ada", "How do we lose fewer vaccine boxes to heat next summer?"),
    Task("t-2", "ada", "What would make the night shift as fast as the day shift?"),
    Task("t-3", "lin", "Why do so many shoes come back, and what would a shop do about it?"),
]

LIST_SOURCES = {
    "type": "function",
    "function": {
        "name": "list_sources",
        "description": "Name the documents that the library has.",
        "parameters": {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]},
    },
}
SUBMIT_PLAN = {
    "type": "function",
    "function": {
        "name": "submit_plan",
        "description": "Hand in the questions that the researchers shall answer.",
        "parameters": {
            "type": "object",
            "properties": {"questions": {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3}},
            "required": ["questions"],
        },
    },
}


def plan(client: OpenAI, question: str) -> list[str]:
    """Planner: ask what the library has, then hand in three questions for the researchers."""
    messages = [
        {"role": "system", "content": "You plan research. Look at the library first, then submit three questions."},
        {"role": "user", "content": question},
    ]
    reply = client.chat.completions.create(model=PLANNER_MODEL, messages=messages, tools=[LIST_SOURCES]).choices[0]
    messages.append(reply.message.model_dump(exclude_none=True))
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps(list(LIBRARY))}
        for call in reply.message.tool_calls or []
    ]
    reply = client.chat.completions.create(
        model=PLANNER_MODEL,
        messages=messages,
        tools=[LIST_SOURCES, SUBMIT_PLAN],
        tool_choice={"type": "function", "function": {"name": "submit_plan"}},
    ).choices[0]
    return json.loads(reply.message.tool_calls[0].function.arguments)["questions"]


def research(client: OpenAI, question: str, source: str) -> str:
    """Researcher: read one source with one question in mind, as a stream."""
    stream = client.responses.create(
        model=RESEARCHER_MODEL,
        instructions="Answer from the source alone, in 80 words. Say so if the source does not know.",
        input=f"{question}\n\nSource {source}:\n{LIBRARY[source]}\n\nAnswer in 80 words.",
        max_output_tokens=400,
        stream=True,
    )
    return "".join(event.delta for event in stream if event.type == "response.output_text.delta")


async def write(question: str, notes: list[str]) -> str:
    """Writer: put the notes in order by relevance, then write the report and its title at the same time."""
    async with AsyncOpenAI() as openai, AsyncAnthropic() as anthropic:
        found = await openai.embeddings.create(model=EMBEDDING_MODEL, input=[question, *notes])
        asked, *vectors = (item.embedding for item in found.data)
        ranked = sorted(zip(vectors, notes, strict=True), key=lambda pair: -similarity(asked, pair[0]))
        body = "\n\n".join(note for _, note in ranked)
        parts = await asyncio.gather(write_title(anthropic, question), write_report(anthropic, question, body))
    return "\n\n".join(parts)


async def write_title(client: AsyncAnthropic, question: str) -> str:
    message = await client.messages.create(
        model=WRITER_MODEL,
        max_tokens=60,
        messages=[{"role": "user", "content": f"{question}\n\nGive a report on it a title of 8 words."}],
    )
    return message.content[0].text


async def write_report(client: AsyncAnthropic, question: str, notes: str) -> str:
    async with client.messages.stream(
        model=WRITER_MODEL,
        max_tokens=600,
        system="You write short reports for people who decide. No preamble.",
        messages=[{"role": "user", "content": f"{question}\n\nNotes:\n{notes}\n\nWrite the report in 150 words."}],
    ) as stream:
        return await stream.get_final_text()


def similarity(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def work_on(task: Task) -> str:
    """Take one task through the team and say how it went."""
    with attribute(task=task.id, user=task.user), OpenAI() as client:
        with attribute(agent="planner"):
            questions = plan(client, task.question)
        with attribute(agent="researcher"), ThreadPoolExecutor(max_workers=3) as pool:
            notes = list(pool.map(lambda pair: research(client, *pair), zip(questions, LIBRARY, strict=False)))
        with attribute(agent="writer"):
            report = asyncio.run(write(task.question, notes))
    return f"{len(questions)} questions, {len(notes)} notes, a report of {len(report.split())} words"


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the team.")
    parser.add_argument("--rounds", type=int, default=1, help="how often to work through all tasks; 0: for ever")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two tasks")
    options = parser.parse_args()
    if not (os.environ.get("OPENAI_API_KEY") and os.environ.get("ANTHROPIC_API_KEY")):
        sys.exit(
            "Set OPENAI_API_KEY and ANTHROPIC_API_KEY. Without keys: start `python -m examples.provider_server`, set"
            " OPENAI_BASE_URL and ANTHROPIC_BASE_URL to what it prints, and both keys to any word."
        )
    for number in range(1, options.rounds + 1) if options.rounds else itertools.count(1):
        print(f"round {number}", flush=True)
        for task in TASKS:
            try:
                print(f"  task {task.id} for {task.user}: {work_on(task)}", flush=True)
            except Exception as error:  # noqa: BLE001 -- whatever stops one task must not stop the team
                print(f"  task {task.id} for {task.user} stopped: {error}", flush=True)
            time.sleep(options.pause)


if __name__ == "__main__":
    main()
