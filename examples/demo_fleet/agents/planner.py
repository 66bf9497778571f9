"""An agent with our plugin: started by `opentelemetry-instrument`, it asks until its budget is used up."""

from __future__ import annotations

import sys

from openai import OpenAI

from otel_llmcost import BudgetExceededError

MOST_CALLS = 50


def main() -> None:
    with OpenAI(max_retries=0) as client:
        for number in range(1, MOST_CALLS + 1):
            try:
                client.chat.completions.create(
                    model="gpt-4o-mini",
                    messages=[{"role": "user", "content": f"Plan step {number} of the move, in 60 words."}],
                    max_tokens=120,
                )
            except BudgetExceededError as refusal:
                print(f"refused: {refusal}")
                return
    sys.exit(f"{MOST_CALLS} calls, and none was refused")


if __name__ == "__main__":
    main()
