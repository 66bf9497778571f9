"""Whether bytes are a request at all, of any signal: what is handed on unread is better refused at once than later."""

from __future__ import annotations

from otel_llmcost_collector.otlp import frame, json


def check(content: bytes, *, is_json: bool) -> None:
    """Look at the outermost of a request.

    Raises:
        MalformedError: it is none.
    """
    if is_json:
        json.checked(content)
    else:
        frame.parsed(content)  # resources and scopes have the same numbers in all signals
