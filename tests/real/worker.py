"""An agent that does what its standard input says, a line at a time, and answers each with a line.

It is an ordinary program on OpenAI's SDK; the tests start it by `opentelemetry-instrument`.
"""

from __future__ import annotations

import sys

from openai import OpenAI

from otel_llmcost import RefusedError, attribute


def work(client: OpenAI, what: str, about: str) -> str:
    """Ask as an agent, begin to ask in the background, or look at what that came to."""
    match what:
        case "ask":
            with attribute(agent=about):
                client.chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": "Say more."}], max_completion_tokens=10_000
                )
            return "answered"
        case "begin":
            with attribute(agent=about):
                return client.responses.create(model="gpt-4o", input="Say it later.", background=True).id
        case "look":
            return client.responses.retrieve(about).status or "unknown"
        case _:
            raise ValueError(what)


def main() -> None:
    with OpenAI(max_retries=0) as client:
        for line in sys.stdin:
            try:
                print(work(client, *line.split()), flush=True)
            except RefusedError:
                print("refused", flush=True)


if __name__ == "__main__":
    main()
