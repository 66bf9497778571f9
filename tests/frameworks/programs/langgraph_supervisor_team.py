"""LangGraph: a supervisor with two agents, one of them a graph of its author's own."""

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph_supervisor import create_supervisor

model = ChatOpenAI(model="gpt-4o-mini")


@tool
def population(city: str) -> int:
    """Say how many people live in a city."""
    return 83_000


def think(state: MessagesState) -> dict:
    return {"messages": [model.invoke(state["messages"])]}


def check(state: MessagesState) -> dict:
    return {"messages": [model.invoke(state["messages"])]}


own = StateGraph(MessagesState)
own.add_node(think)
own.add_node(check)
own.add_edge(START, "think")
own.add_edge("think", "check")
own.add_edge("check", END)

geographer = create_agent(model, tools=[population], name="geographer")
writer = own.compile(name="travel_writer")
team = create_supervisor([geographer, writer], model=model, supervisor_name="head_of_desk").compile(name="travel_desk")

question = {"messages": [{"role": "user", "content": "How large is Celle?"}]}
answer = team.invoke(question, {"configurable": {"thread_id": "trip-3", "user_id": "lin"}})
print(len(answer["messages"]))
writer.invoke(question)
