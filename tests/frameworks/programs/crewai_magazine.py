"""CrewAI: agents after one another, on OpenAI, Anthropic and Gemini; their roles are such as YAML files give."""

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
translator = Agent(
    role="Translator",
    goal="Put it in other words.",
    backstory="You have lived in many places.",
    llm=LLM(model="gemini/gemini-2.5-flash"),
)
look = Task(description="Look into {topic}.", expected_output="Notes.", agent=researcher)
write = Task(description="Write a page.", expected_output="A page.", agent=writer, context=[look])
translate = Task(description="Translate the page.", expected_output="A page.", agent=translator)

crew = Crew(name="magazine", agents=[researcher, writer, translator], tasks=[look, write, translate])
crew.kickoff(inputs={"topic": "rivers"})
