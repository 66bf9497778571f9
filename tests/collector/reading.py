"""A dialect for tests of what stands around dialects: the conventions' names, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from otel_llmcost.core.money import nano_of
from otel_llmcost_collector.dialects.base import Around, Reader, Telling, Value

NAMES = {
    "gen_ai.operation.name": "operation",
    "gen_ai.provider.name": "provider",
    "gen_ai.request.model": "requested",
    "gen_ai.response.model": "served",
    "gen_ai.response.id": "response",
    "error.type": "error",
    "gen_ai.usage.cost": "cost",
    "test.tier": "tier",
    "test.semantics": "semantics",
    "test.status": "status",
    "test.method": "method",
    "test.charge": "charge",
}
COUNTS = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cache_read_tokens",
    "test.web_searches": "web_searches",
    "test.pages": "pages",
}
TAGS = {"gen_ai.agent.name": "agent", "gen_ai.conversation.id": "session", "user.id": "user"}


class StandardReader:
    """Reads what has an operation by the conventions."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._names = [(NAMES[key], key) for key in NAMES if key in keys]
        self._counts = [COUNTS[key] for key in COUNTS if key in keys]
        self._tags = [TAGS[key] for key in TAGS if key in keys]
        self.wanted = [key for key in (*COUNTS, *TAGS, *NAMES) if key in keys]
        self._tags_from = len(self._counts)
        self._names_from = len(self._counts) + len(self._tags)
        self._plain = [name for name, _ in self._names] == ["operation", "provider", "requested", "served", "response"]

    def read(self, name: str, values: Sequence[Value | None], around: Around) -> Telling | None:
        counts = dict(zip(self._counts, values, strict=False))
        tags = dict(zip(self._tags, values[self._tags_from :], strict=False))
        facts = values[self._names_from :]
        if self._plain and type(facts[0]) is str:
            operation, provider, requested, served, response = facts
            return Telling("test", 3, provider, operation, requested, served, tags, counts,
                           "confirmed", "reported", "standard", response)  # fmt: skip
        return self._read(dict(zip((name for name, _ in self._names), facts, strict=True)), tags, counts)

    def _read(self, facts, tags, counts) -> Telling | None:
        facts = {name: value for name, value in facts.items() if isinstance(value, str if name != "cost" else float)}
        if facts.get("operation") not in ("chat", "embeddings"):
            return None
        return Telling(
            "test",
            3,
            facts.get("provider", ""),
            facts["operation"],
            facts.get("requested", ""),
            facts.get("served"),
            {name: text for name, text in tags.items() if isinstance(text, str)},
            {unit: count for unit, count in counts.items() if isinstance(count, int)},
            status=facts.get("status", "confirmed"),
            method=facts.get("method", "reported"),
            tier=facts.get("tier", "standard"),
            response_id=facts.get("response"),
            error_type=facts.get("error"),
            cost_nano=nano_of(facts.get("cost")),
            charge_id=facts.get("charge"),
            input_semantics=facts.get("semantics", "inclusive"),
        )


def reader_for(scope: str, keys: frozenset[str]) -> Reader | None:
    """Tell who reads spans."""
    return StandardReader(keys) if "gen_ai.operation.name" in keys else None
