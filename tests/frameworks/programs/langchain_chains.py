"""LangChain without a graph: chains of a prompt and a model, one with a history, called in each way there is."""

import asyncio

from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_openai import ChatOpenAI

from otel_llmcost import attribute

prompt = ChatPromptTemplate([("system", "Be brief."), MessagesPlaceholder("history", optional=True), ("user", "{ask}")])
chain = prompt | ChatOpenAI(model="gpt-4o-mini")
histories: dict[str, InMemoryChatMessageHistory] = {}
talk = RunnableWithMessageHistory(
    chain,
    lambda session_id: histories.setdefault(session_id, InMemoryChatMessageHistory()),
    input_messages_key="ask",
    history_messages_key="history",
)
known = {"configurable": {"session_id": "s-1"}, "metadata": {"user_id": "ada"}}

talk.invoke({"ask": "Who are you?"}, known)
for _ in talk.stream({"ask": "And who am I?"}, known):
    pass
with attribute(agent="porter"):
    chain.batch([{"ask": "One?"}, {"ask": "Two?"}], {"metadata": {"user_id": "lin", "conversation_id": "s-2"}})


async def main() -> None:
    await chain.ainvoke({"ask": "Three?"}, known)
    async for _ in chain.astream({"ask": "Four?"}, known):
        pass


asyncio.run(main())
chain.invoke({"ask": "Nobody?"})
