"""LangGraph: the nodes of a graph are the agents, side by side in threads and then in a stream; one holds an agent."""

import asyncio

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

model = ChatOpenAI(model="gpt-4o-mini")


@tool
def weigh(thing: str) -> int:
    """Weigh a thing."""
    return 12


def optimist(state: MessagesState) -> dict:
    return {"messages": [model.invoke("What may go well?")]}


def pessimist(state: MessagesState) -> dict:
    return {"messages": [model.invoke("What may go wrong?")]}


def researcher(state: MessagesState) -> dict:
    return {"messages": create_agent(model, tools=[weigh]).invoke({"messages": state["messages"][:1]})["messages"][-1:]}


async def summarizer(state: MessagesState) -> dict:
    return {"messages": [await model.ainvoke("Sum up.")]}


graph = StateGraph(MessagesState)
for node in (optimist, pessimist, researcher, summarizer):
    graph.add_node(node)
graph.add_edge(START, "optimist")
graph.add_edge(START, "pessimist")
graph.add_edge(START, "researcher")
graph.add_edge(["optimist", "pessimist", "researcher"], "summarizer")
graph.add_edge("summarizer", END)


async def consume() -> None:
    """Asks between two steps, on its own account: nobody of the graph has to answer for it."""
    async for _ in graph.compile(name="council").astream(
        {"messages": [("user", "Shall we?")]}, {"metadata": {"session_id": "s-9"}}
    ):
        await model.ainvoke("Is it going on?")


asyncio.run(consume())


@task
def outline(subject: str) -> str:
    return model.invoke(f"Outline {subject}.").text


@entrypoint()
def essay(subject: str) -> str:
    return model.invoke(outline(subject).result()).text


essay.invoke("rivers")


def chatbot(state: MessagesState) -> dict:
    return {"messages": [model.bind_tools([weigh]).invoke(state["messages"])]}


loop = StateGraph(MessagesState)
loop.add_node(chatbot)
loop.add_node("tools", ToolNode([weigh]))
loop.add_edge(START, "chatbot")
loop.add_conditional_edges("chatbot", tools_condition)
loop.add_edge("tools", "chatbot")
for step in loop.compile(name="porter").stream({"messages": [("user", "How heavy is it?")]}):
    print(*step)
