"""CrewAI: a manager, made by the framework, delegates to a clerk on litellm; nobody named the crew."""

from crewai import LLM, Agent, Crew, Process, Task

clerk = Agent(
    role="Clerk",
    goal="Keep the letters in order.",
    backstory="You know every shelf.",
    llm=LLM(model="openai/gpt-4o-mini", is_litellm=True),
)
task = Task(description="File the letters.", expected_output="A note.")

Crew(agents=[clerk], tasks=[task], process=Process.hierarchical, manager_llm=LLM(model="openai/gpt-4o-mini")).kickoff()
