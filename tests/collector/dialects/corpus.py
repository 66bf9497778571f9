"""The recorded spans, read through the dialects and priced beside the truth. Run it for the table of who tells what."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from otel_llmcost.core.matching import says_less
from otel_llmcost.core.rates import cost_nano
from otel_llmcost.core.usage import Usage
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.pricebook.book import load
from otel_llmcost_collector.dialects.base import Around, Telling, Value
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.dialects.names import COUNTS

SPANS = Path(__file__).with_name("spans")
AT = datetime(2026, 11, 22, 13, tzinfo=UTC)
"""When they were recorded; prices change."""
NATIVE = "com.anthropic.sdk.python"

Mark = Literal["right", "estimated", "silent", "wrong"]
_BOOK = load()


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What came of one span of a recorded call."""

    sender: str
    call: str
    scope: str
    truth: Mapping[str, Any]
    telling: Telling | None
    plain: int | None
    """What a reader makes of it who takes all names at their word."""

    @property
    def mark(self) -> Mark | None:
        """Compare what it costs with the truth; None: it is not taken for a call, or for one that was refused."""
        told, status = self.telling, self.truth["status"]
        if told is None or status != 200:
            return None
        cost = told.cost_nano if told.cost_nano is not None else _cost(told)
        if told.status == "estimated":
            return "estimated"
        if not told.counts or (cost is None and self.true is not None):
            return "silent"
        return "right" if _is_near(cost, self.true) else "wrong"

    @property
    def plain_mark(self) -> Mark | None:
        """Compare what the plain reader makes of it."""
        if self.mark is None:
            return None
        if self.plain is None:
            return "silent"
        return "right" if _is_near(self.plain, self.true) else "wrong"

    @property
    def true(self) -> int | None:
        """What it really cost, in nano-USD; None: it has no price."""
        return _price(self.truth["provider"], self.truth["model"], self.truth["tier"] or "", self.truth["counts"])


def recorded(sender: str) -> Iterator[Recorded]:
    """Read what is recorded of a sender, span by span; Anthropic's own spans beside others only under `native`."""
    for line in (SPANS / f"{sender}.jsonl").read_text(encoding="utf-8").splitlines()[1:]:
        each = json.loads(line)
        for around, span in spans_of(each):
            if around.scope != NATIVE or sender == "native":
                attributes = attributes_of(span)
                yield Recorded(
                    sender=sender,
                    call=each["call"],
                    scope=around.scope,
                    truth=each["truth"][0],
                    telling=read(around, span["name"], attributes),
                    plain=_plain(attributes),
                )


def senders() -> list[str]:
    """Name all of whom there are recordings."""
    return sorted(path.stem for path in SPANS.glob("*.jsonl"))


def spans_of(line: Mapping[str, Any]) -> Iterator[tuple[Around, Mapping[str, Any]]]:
    """Go through the spans of a recorded call, as OTLP/JSON has them."""
    for group in line["resourceSpans"]:
        resource = attributes_of(group["resource"])
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                yield Around(scope["scope"]["name"], resource), span


def read(around: Around, name: str, attributes: Mapping[str, Value]) -> Telling | None:
    """Read a span as the collector does."""
    reader = reader_for(around.scope, frozenset(attributes))
    return None if reader is None else reader.read(name, [attributes.get(key) for key in reader.wanted], around)


def attributes_of(holder: Mapping[str, Any]) -> dict[str, Value]:
    """Take attributes out of OTLP/JSON."""
    return {each["key"]: _value(each["value"]) for each in holder["attributes"]}


def _value(told: Mapping[str, Any]) -> Value:
    ((kind, value),) = told.items()
    if kind == "arrayValue":
        return tuple(_value(each) for each in value.get("values", ()))
    return int(value) if kind == "intValue" else value


def _cost(told: Telling) -> int | None:
    served, requested = told.served_model, told.requested_model
    model = requested if served is None or says_less(served, requested) else served
    return _price(told.provider, model, told.tier, told.counts)


def _plain(attributes: Mapping[str, Value]) -> int | None:
    counts = {
        unit: next((attributes[name] for name in names if name in attributes), 0) for unit, names in _PLAIN.items()
    }
    told = {unit: count for unit, count in counts.items() if type(count) is int and count > 0}
    provider, model = (next((attributes[name] for name in each if name in attributes), "") for each in _NAMES)
    return _price(str(provider), str(model), "", told) if told else None


_NAMES = (
    ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "embedding.model_name", "ai.model.id"),
)
_PLAIN: Mapping[str, tuple[str, ...]] = {
    "input_tokens": (*COUNTS["input_tokens"], "llm.token_count.prompt", "ai.usage.tokens"),
    "output_tokens": (*COUNTS["output_tokens"], "llm.token_count.completion"),
    "cache_read_tokens": (*COUNTS["cache_read_tokens"], "llm.token_count.prompt_details.cache_read"),
    "cache_write_tokens": (*COUNTS["cache_write_tokens"], "llm.token_count.prompt_details.cache_write"),
}


def _price(provider: str, model: str, tier: str, counts: Mapping[Any, int]) -> int | None:
    usage = Usage(counts)
    try:
        rate = _BOOK.rate_at(provider, model, AT, input_tokens=usage.input_tokens, tier=tier or "standard")
    except UnknownPriceError:
        return None
    return cost_nano(usage, rate)[0]


def _is_near(cost: int | None, true: int | None) -> bool:
    return cost == true or (cost is not None and true is not None and abs(cost - true) <= true / 1000)


@lru_cache(1)
def marks() -> Mapping[str, tuple[Counter[Mark], Counter[Mark]]]:
    """Count how each sender is read, by us and by the plain reader."""
    return {
        name: (
            Counter(each.mark for each in recorded(name) if each.mark),
            Counter(each.plain_mark for each in recorded(name) if each.plain_mark),
        )
        for name in senders()
    }


def table() -> str:
    """Write down how each sender is read."""
    rows = [f"{'sender':20} {'right':>6} {'estimated':>10} {'silent':>7} {'wrong':>6}   plain: right, silent, wrong"]
    for name, (count, plain) in marks().items():
        ours = f"{count['right']:6} {count['estimated']:10} {count['silent']:7} {count['wrong']:6}"
        rows.append(f"{name:20} {ours} {plain['right']:15} {plain['silent']:7} {plain['wrong']:6}")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
