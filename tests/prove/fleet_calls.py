"""Calls of a fleet: what real instrumentors emitted, made new ones of, with what each must come to."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from otel_llmcost.core.ledger import Charge
from otel_llmcost.core.rates import cost_nano
from otel_llmcost.core.usage import Usage
from otel_llmcost.core.uuid7 import uuid7
from otel_llmcost.errors import UnknownPriceError
from otel_llmcost.pricebook.book import load
from otel_llmcost.telemetry import semconv
from otel_llmcost_collector.accounting.tellings import is_strong
from otel_llmcost_collector.dialects.directory import reader_for
from otel_llmcost_collector.observed import Observed
from otel_llmcost_collector.pipeline import Pipeline
from tests.collector.dialects import corpus

USERS = tuple(f"u-{number}" for number in range(5))
AGENTS = ("scraper", "writer", "judge")
_OURS = "ours"
_BOOK = load()
_LATEST = timedelta(hours=3)
Group = dict[str, Any]
"""One `ResourceSpans` of OTLP/JSON."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A recorded call that one span tells of exactly, by whoever recorded it."""

    sender: str
    groups: str
    """As JSON."""
    truth: Mapping[str, Any]
    source: str
    response_id: str | None
    """The answer's id, where it is told and no other call has it."""
    spans: tuple[tuple[str, str], ...]
    """Trace and span ids in it."""

    @property
    def is_ours(self) -> bool:
        """Whether our plugin made it, so that it brings its charge's id."""
        return self.sender == _OURS

    @property
    def call(self) -> tuple[str, ...]:
        """What is the same of calls that may be tellings of one."""
        truth = self.truth
        return truth["provider"], truth["model"], truth["tier"] or "", json.dumps(truth["counts"], sort_keys=True)


@dataclass(kw_only=True)
class Call:
    """A call, all that is told of it, and what it must come to."""

    at: datetime
    cost_nano: int
    user: str
    agent: str
    tellings: list[list[Group]] = field(default_factory=list)
    """Each is sent with others, or alone, at some time."""
    posting: Charge | None = None
    """What our plugin settles over the API."""


class Calls:
    """Makes calls."""

    def __init__(self, chance: random.Random, now: datetime) -> None:
        self._chance = chance
        self._now = now
        self._alike = _alike()
        self._pipeline = Pipeline(_BOOK, readers=reader_for)

    def make(self) -> Call:
        """Make one: told once, by two instrumentors, by our plugin, or by it and another."""
        chance = self._chance
        first = chance.choice(templates())
        at = self._at()
        call = Call(at=at, cost_nano=_cost(first, at), user=chance.choice(USERS), agent=chance.choice(AGENTS))
        trace, parent = _hexadecimal(chance, 32), _hexadecimal(chance, 16)
        response = None if first.response_id is None else _like(first.response_id, chance)
        call.tellings.append(self._telling(first, call, trace, parent, response))
        if first.is_ours and chance.random() < 0.7:
            call.posting = self._observed(call.tellings[0]).charge()
        others = [each for each in self._alike[first.call] if each.source != first.source]
        if response is not None and others and chance.random() < 0.5:
            twin = chance.choice(others)
            if chance.random() < 0.3:  # its sender knows nothing of the other's trace
                trace, parent = _hexadecimal(chance, 32), _hexadecimal(chance, 16)
            call.tellings.append(self._telling(twin, call, trace, parent, response))
        return call

    def _telling(self, template: Template, call: Call, trace: str, parent: str, response: str | None) -> list[Group]:
        text = template.groups
        if response is not None and template.response_id is not None:
            text = text.replace(template.response_id, response)
        ids = {each[1]: _hexadecimal(self._chance, 16) for each in template.spans}
        groups = json.loads(text)
        spans = list(_spans(groups))
        shift = _nanos(call.at) - min(int(span["startTimeUnixNano"]) for span in spans)
        for span in spans:
            span["traceId"], span["spanId"] = trace, ids[span["spanId"]]
            span["parentSpanId"] = ids.get(span.get("parentSpanId", ""), parent)
            for name in ("startTimeUnixNano", "endTimeUnixNano"):
                span[name] = str(int(span[name]) + shift)
            self._say(span, call)
        return groups

    def _say(self, span: dict[str, Any], call: Call) -> None:
        said = {semconv.TAGS["user"]: call.user, semconv.TAGS["agent"]: call.agent}
        if any(each["key"] == semconv.CHARGE_ID for each in span["attributes"]):
            said[semconv.CHARGE_ID] = uuid7(int(call.at.timestamp() * 1000), self._chance.getrandbits(74))
        kept = [each for each in span["attributes"] if each["key"] not in said]
        span["attributes"] = kept + [{"key": key, "value": {"stringValue": text}} for key, text in said.items()]

    def _observed(self, groups: Sequence[Group]) -> Observed:
        (found,) = self._pipeline.traces_json(json.dumps({"resourceSpans": groups}).encode()).observed
        return found

    def _at(self) -> datetime:
        """Now, or late; away from the turn of an hour, on whose sides two spans of one call might begin."""
        at = self._now - (_LATEST * self._chance.random() if self._chance.random() < 0.2 else timedelta())
        return at.replace(minute=self._chance.randrange(2, 58), second=self._chance.randrange(60), tzinfo=UTC)


@lru_cache(1)
def templates() -> Sequence[Template]:
    """Take the recorded calls that exactly one span tells of, with exactly what they cost."""
    found: list[Template] = []
    for sender in corpus.senders():
        if sender not in {"ours-on-traceloop", "native"}:
            lines = (corpus.SPANS / f"{sender}.jsonl").read_text(encoding="utf-8").splitlines()[1:]
            found += [each for line in lines if (each := _template(sender, json.loads(line))) is not None]
    return found


def _template(sender: str, line: Mapping[str, Any]) -> Template | None:
    (truth, *more), groups = line["truth"], line["resourceSpans"]
    text = json.dumps({"resourceSpans": groups}).encode()
    observed = Pipeline(_BOOK, readers=reader_for).traces_json(text).observed
    is_plain = truth["status"] == 200 and not more and len(observed) == 1 and observed[0].duration_us > 0
    if not is_plain or observed[0].cost_nano is None or observed[0].status != "confirmed":
        return None
    response = observed[0].response_id
    if response not in {None, truth["response_id"]}:
        return None  # an id within the answer, which would be the same for all that are made of it
    made = Template(
        sender=sender,
        groups=json.dumps(groups),
        truth=truth,
        source=observed[0].source,
        response_id=response if response and is_strong(response) else None,
        spans=tuple((each["traceId"], each["spanId"]) for each in _spans(groups)),
    )
    try:
        return made if observed[0].cost_nano == _cost(made, corpus.AT) else None
    except UnknownPriceError:
        return None


@lru_cache(1)
def _alike() -> Mapping[tuple[str, ...], Sequence[Template]]:
    found: dict[tuple[str, ...], list[Template]] = defaultdict(list)
    for each in templates():
        if each.response_id is not None and not each.is_ours:
            found[each.call].append(each)
    return found


def _cost(template: Template, at: datetime) -> int:
    """Price what the provider counted, by no code of the collector."""
    truth = template.truth
    usage = Usage(truth["counts"])
    rate = _BOOK.rate_at(
        truth["provider"], truth["model"], at, input_tokens=usage.input_tokens, tier=truth["tier"] or "standard"
    )
    return cost_nano(usage, rate)[0]


def _spans(groups: Sequence[Group]) -> Iterator[dict[str, Any]]:
    for group in groups:
        for scope in group["scopeSpans"]:
            yield from scope["spans"]


def ids_in(groups: Sequence[Group]) -> Iterator[tuple[str, str]]:
    """Give trace and span id of all spans."""
    for span in _spans(groups):
        yield span["traceId"], span["spanId"]


def _nanos(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000


def _like(response_id: str, chance: random.Random) -> str:
    """Make an id of the same looks: other digits, the same letters that are none of hexadecimal digits."""
    digits = "0123456789abcdef"
    return response_id[:8] + "".join(chance.choice(digits) if each in digits else each for each in response_id[8:])


def _hexadecimal(chance: random.Random, digits: int) -> str:
    return f"{chance.getrandbits(digits * 4) | 1:0{digits}x}"
