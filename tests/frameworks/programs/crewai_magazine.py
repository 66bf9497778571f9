"""CrewAI: two agents after one another, the first on OpenAI, the second on Anthropic; roles as YAML files give them."""

from crewai import LLM, Agent, Crew, Task

researcher = Agent(
    role="Researcher\n",
    goal="Find out what is new about {topic}.",
    backstory="You have read everything.",
    llm=LLM(model="openai/gpt-4o-mini"),
)
writer = Agent(
    role="Writer on {topic}\n",
    goal="Make a page of it.",
    backstory="You write so that people read on.",
    llm=LLM(model="anthropic/claude-haiku-4-5", max_tokens=500),
)
look = Task(description="Look into {topic}.", expected_output="Notes.", agent=researcher)
write = Task(description="Write a page.", expected_output="A page.", agent=writer, context=[look])

Crew(name="magazine", agents=[researcher, writer], tasks=[look, write]).kickoff(inputs={"topic": "rivers"})
