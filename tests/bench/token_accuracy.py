"""How far the counts before sending are off, and what they cost, against o200k: prints a table in Markdown."""

import argparse as code_sample
import inspect
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from pydoc_data.topics import topics
from statistics import mean, median
from timeit import repeat
from typing import NamedTuple

from otel_llmcost.core.learned import Learned, learn
from otel_llmcost.core.tokens import InputCount, count_input
from otel_llmcost.tokens import count_body, warm

MODEL = "gpt-4o"
CHARS = 4_000
LESSONS, REQUESTS = 10, 20
HEADER = (
    "| text | tokens | rule | rule and factor of its kind | rule and factor of all kinds | rule, µs | tiktoken, µs |",
    "|---|---:|---:|---:|---:|---:|---:|",
)
NOTE = f"""Mean error over {REQUESTS} requests of {CHARS:,} characters each (Chinese a third of that).
In brackets the mean of the error's size.
The factor was learned from {LESSONS} other requests of the same kind, or of each kind in turn.
tiktoken's o200k is the truth here, so its error is 0."""

Body = Mapping[str, object]


class Error(NamedTuple):
    """How far counts are off, in percent of the true tokens."""

    mean: float
    size: float

    def __str__(self) -> str:
        return f"{self.mean:+.1f} % ({self.size:.1f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of text, as means over its requests."""

    text: str
    tokens: float
    rule: Error
    own_factor: Error
    mixed_factor: Error
    rule_us: float
    tiktoken_us: float


def rows() -> list[Row]:
    """Measure every kind of text."""
    warm(MODEL)
    lessons = {kind: [request(text) for text in islice(texts, LESSONS)] for kind, texts in kinds().items()}
    asked = {
        kind: [request(text) for text in islice(texts, LESSONS, LESSONS + REQUESTS)] for kind, texts in kinds().items()
    }
    mixed = taught(body for bodies in zip(*lessons.values(), strict=True) for body in bodies)
    return [measured(kind, bodies, taught(lessons[kind]), mixed) for kind, bodies in asked.items()]


def measured(kind: str, bodies: list[Body], own: Learned, mixed: Learned) -> Row:
    """Compare the rule with the truth, request by request."""
    truths = [true_count(body).tokens for body in bodies]
    counts = [rule_count(body) for body in bodies]

    def error(factor: float) -> Error:
        off = [100 * (count.scaled(factor) / truth - 1) for count, truth in zip(counts, truths, strict=True)]
        return Error(mean(off), mean(map(abs, off)))

    return Row(
        text=kind,
        tokens=mean(truths),
        rule=error(1.0),
        own_factor=error(own.factor),
        mixed_factor=error(mixed.factor),
        rule_us=median(microseconds(rule_count, body, 1_000) for body in bodies),
        tiktoken_us=median(microseconds(true_count, body, 10) for body in bodies),
    )


def taught(bodies: Iterator[Body] | list[Body]) -> Learned:
    """Learn from what a provider would have reported of these requests."""
    learned = Learned()
    for body in bodies:
        learned = learn(learned, rule_count(body), true_count(body).tokens)
    return learned


def rule_count(body: Body) -> InputCount:
    """Count as before every call."""
    return count_input(body, "openai.chat")


def true_count(body: Body) -> InputCount:
    """Count as the provider does."""
    return count_body(body, "openai.chat", MODEL)


def microseconds(count: Callable[[Body], object], body: Body, times: int) -> float:
    """Return what one count takes, at its quickest of three runs: whatever else the machine does only adds."""
    return min(repeat(lambda: count(body), number=times, repeat=3)) / times * 1e6


def request(text: str) -> Body:
    """Ask something about a text."""
    return {"model": MODEL, "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]}


def kinds() -> dict[str, Iterator[str]]:
    """Return endless, repeatable texts of each kind: Python's own documentation and code, and what is made of words."""
    prose = "\n\n".join(topics.values())
    return {
        "English": cut(prose),
        "code": cut(inspect.getsource(code_sample)),
        "Chinese": chinese(),
        "JSON": records(prose.split()),
    }


def cut(text: str) -> Iterator[str]:
    """Cut a long text into requests, from places all over it."""
    chance = random.Random(1)
    while True:
        start = chance.randrange(len(text) - CHARS)
        yield text[start : start + CHARS]


def chinese() -> Iterator[str]:
    """Put sentences together at random."""
    sentences = Path(__file__).with_name("chinese.txt").read_text(encoding="utf-8").split("\n")
    chance = random.Random(1)
    while True:
        yield "".join(chance.choices(sentences, k=45))


def records(words: list[str]) -> Iterator[str]:
    """Write records as tools return them."""
    chance = random.Random(1)
    while True:
        found = [
            {
                "id": f"{chance.getrandbits(64):016x}",
                "title": " ".join(chance.sample(words, 4)),
                "score": round(chance.random(), 4),
                "in_stock": chance.random() < 0.5,
                "tags": chance.sample(words, 3),
                "updated_at": f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T08:15:00Z",
                "price": {"amount": chance.randint(100, 99_999), "currency": "EUR"},
            }
            for _ in range(30)
        ]
        yield json.dumps(found)[:CHARS]


def table(measured_rows: list[Row]) -> str:
    """Return the table as Markdown."""
    lines = [
        f"| {row.text} | {row.tokens:,.0f} | {row.rule} | {row.own_factor} | {row.mixed_factor} |"
        f" {row.rule_us:.1f} | {row.tiktoken_us:,.0f} |"
        for row in measured_rows
    ]
    return "\n".join([*HEADER, *lines, "", NOTE])


if __name__ == "__main__":
    print(table(rows()))
