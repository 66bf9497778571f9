"""Keep the part of LiteLLM's map that the price book is judged by; run by `make prices`.

The wheel has 40 MB and its map three; the figures of the models we compare have a few kilobytes.
"""

import hashlib
import json
import sys
from decimal import Decimal
from pathlib import Path

from otel_llmcost.pricebook.sources import litellm_map, provider_in_litellm

JUDGE = Path(__file__).parents[1] / "data" / "litellm_chat_prices.json"
PROVIDERS = {"openai", "anthropic", "gemini", "vertex_ai"}
MODES = {"chat", "responses", "completion"}
COSTS = ("input_cost_per_token", "output_cost_per_token")


def main(wheel: Path) -> None:
    models, version = litellm_map(wheel)
    kept = {
        name: [provider_in_litellm(facts), *(_per_million(facts[cost]) for cost in COSTS)]
        for name, facts in sorted(models.items())
        if facts.get("mode") in MODES
        and all(cost in facts for cost in COSTS)
        and provider_in_litellm(facts) in PROVIDERS
    }
    lines = ",\n".join(f"{json.dumps(name)}:{json.dumps(facts)}" for name, facts in kept.items())
    digest = hashlib.sha256(lines.encode()).hexdigest()
    head = json.dumps({"source": version, "sha256": digest, "usd_per": "million tokens"})
    JUDGE.write_text(f'{head[:-1]},\n"models":{{\n{lines}\n}}}}\n')
    sys.stdout.write(f"{JUDGE.name}: {len(kept)} models\n")


def _per_million(cost: float) -> str:
    return f"{Decimal(repr(cost)) * 1_000_000:.9f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
