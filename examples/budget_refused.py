"""What a program can do about a refused call: see which budget it was, what is left, and when to come back."""

from openai import OpenAI

from otel_llmcost import BudgetExceededError, attribute


def main() -> None:
    with OpenAI() as client, attribute(agent="haiku", user="ada"):
        for number in range(1, 101):
            try:
                client.chat.completions.create(
                    model="gpt-4o-mini",
                    messages=[{"role": "user", "content": f"Haiku number {number} in 17 words."}],
                    max_tokens=60,
                )
            except BudgetExceededError as refusal:
                print(f"call {number} was not sent: {refusal}")
                print(f"budget={refusal.budget} limit={refusal.limit} retry_after={refusal.retry_after_seconds}")
                return
    print("every call was sent")


if __name__ == "__main__":
    main()
