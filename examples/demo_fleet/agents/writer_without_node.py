"""In place of the writer where there is no Node.js: no SDK of OpenTelemetry at all, spans as JSON by hand."""

from __future__ import annotations

import json
import os
import secrets
import time
import urllib.request
from typing import Any

CHAPTERS = ("Packing", "The day", "The first night", "Summary")


def main() -> None:
    for chapter in CHAPTERS:
        began_at = time.time_ns()
        answer = post(
            f"{os.environ['OPENAI_BASE_URL']}/chat/completions",
            {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": f'Write the chapter "{chapter}" in 100 words.'}],
            },
            authorization=f"Bearer {os.environ['OPENAI_API_KEY']}",
        )
        post(f"{os.environ['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/traces", told(answer, began_at))


def told(answer: Any, began_at: int) -> Any:
    """Make the span of one call, by OpenTelemetry's conventions for generative AI."""
    facts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": answer["model"],
        "gen_ai.response.id": answer["id"],
        "gen_ai.usage.input_tokens": answer["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": answer["usage"]["completion_tokens"],
    }
    span = {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "startTimeUnixNano": str(began_at),
        "endTimeUnixNano": str(time.time_ns()),
        "attributes": [attribute(name, value) for name, value in facts.items()],
    }
    said = dict(each.split("=") for each in os.environ["OTEL_RESOURCE_ATTRIBUTES"].split(","))
    resource = {"attributes": [attribute(name, value) for name, value in said.items()]}
    scope = {"name": "by-hand"}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": [span]}]}]}


def attribute(name: str, value: str | int) -> Any:
    return {"key": name, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def post(url: str, body: Any, **headers: str) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main()
