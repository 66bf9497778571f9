"""One call, nothing of otel-llmcost in it: started by `opentelemetry-instrument` it is priced all the same."""

from openai import OpenAI


def main() -> None:
    with OpenAI() as client:
        stream = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "What is a budget good for? Answer in 40 words."}],
            stream=True,  # and no usage asked for, as most programs have it
        )
        for chunk in stream:
            print(chunk.choices[0].delta.content or "", end="", flush=True)
    print()


if __name__ == "__main__":
    main()
