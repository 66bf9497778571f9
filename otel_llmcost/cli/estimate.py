"""`estimate`: what a request will cost before it is sent, and what a month of such requests will."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TextIO, cast

import click

from otel_llmcost.cli.output import as_json, print_json
from otel_llmcost.cli.prices import seller_of
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core.flow import Call
from otel_llmcost.core.money import format_usd, from_nano
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.core.rates import Rate, price
from otel_llmcost.core.tokens import InputCount, count_input, text_tokens
from otel_llmcost.core.usage import Unit, Usage
from otel_llmcost.errors import StoreError
from otel_llmcost.tokens import count_body, count_text, encoding_for

_DAYS = 30
_CAPS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What a request sends."""

    count: InputCount
    counted_by: str
    """How, for people."""
    is_by_rule: bool
    """A model's learned factor corrects the rule's count."""
    max_output_tokens: int | None = None
    """What the request allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What a request comes to."""

    rate: Rate
    input_tokens: int
    counted_by: str
    output_tokens: int
    is_output_assumed: bool
    input_usd: Decimal
    cost_usd: Decimal
    worst_usd: Decimal | None
    """With as much output as there may be; None: the output was said."""


@click.command()
@click.argument("model")
@click.argument("text", required=False)
@click.option("--file", type=click.File("r", "utf-8"), metavar="FILE", help="The text; - is the standard input.")
@click.option("--body", type=click.File("r", "utf-8"), metavar="FILE", help="A request's JSON instead of a text.")
@click.option("--input-tokens", type=click.IntRange(0), metavar="N", help="A number instead of a text.")
@click.option("--output-tokens", type=click.IntRange(0), metavar="N",
              help="Size of the answer; if left out, what such answers have needed so far.")  # fmt: skip
@click.option("--provider", default="", metavar="NAME", help="Who sells it; the model's name tells if left out.")
@click.option("--tier", default="standard", show_default=True, help="Service tier, such as batch, flex, priority.")
@click.option("--per-day", type=click.IntRange(1), metavar="N", help="Show what N such requests a day come to, too.")
@as_json
@click.pass_obj
def estimate(
    tools: Tools,
    model: str,
    text: str | None,
    file: TextIO | None,
    body: TextIO | None,
    input_tokens: int | None,
    output_tokens: int | None,
    provider: str,
    tier: str,
    per_day: int | None,
    as_json: bool,
) -> None:
    """Estimate what a request to MODEL will cost, with TEXT as its prompt, before it is sent."""
    given = [each for each in (text, file, body, input_tokens) if each is not None]
    if len(given) != 1:
        raise click.UsageError("Give exactly one of TEXT, --file, --body and --input-tokens.")
    if input_tokens is not None:
        sent = Input(count=InputCount(0.0, input_tokens), counted_by="as given", is_by_rule=False)
    elif body is not None:
        sent = of_body(model, provider, _json(body))
    else:
        sent = of_text(model, text if file is None else file.read())
    provider = seller_of(tools.book(), provider, model)
    found = forecast(tools, _call(tools, model, provider, tier, sent), sent, output_tokens)
    if as_json:
        print_json(record(found, per_day))
    else:
        click.echo("\n".join(_lines(found, per_day)))


def of_text(model: str, text: str | None) -> Input:
    """Count a text as it is, without the framing of a message."""
    encoding = encoding_for(model)
    text = text or ""
    if encoding.is_exact:
        count = InputCount(0.0, count_text(text, model))
        return Input(count=count, counted_by=f"exact, tiktoken's {encoding.name}", is_by_rule=False)
    return Input(count=InputCount(text_tokens(text)), counted_by="estimated by rule", is_by_rule=True)


def of_body(model: str, provider: str, body: Mapping[str, object]) -> Input:
    """Count a request with its messages, tools, images and files."""
    encoding, dialect = encoding_for(model), dialect_of(model, provider, body)
    allowed = [value for key in _CAPS if isinstance(value := body.get(key), int)]
    most = allowed[0] if allowed else None
    if encoding.is_exact:
        count = count_body(body, dialect, model)
        counted_by = f"tiktoken's {encoding.name}, framing by rule"
        return Input(count=count, counted_by=counted_by, is_by_rule=False, max_output_tokens=most)
    count = count_input(body, dialect, model=model)
    return Input(count=count, counted_by="estimated by rule", is_by_rule=True, max_output_tokens=most)


_TELLING = {
    "contents": "gemini.contents",
    "inferenceConfig": "bedrock.converse",
    "inputText": "bedrock.native",
    "query": "cohere.rerank",
    "texts": "cohere.embed",
    "chat_history": "cohere.chat",
    "message": "cohere.chat",
    "document": "mistral.ocr",
}
"""Field of a request → the dialect whose requests alone have it."""


def dialect_of(model: str, provider: str, body: Mapping[str, object]) -> str:
    """Tell how a request is laid out: by a field that only one form has, else by who is asked."""
    for field, dialect in _TELLING.items():
        if field in body:
            return dialect
    if "anthropic" in provider or "claude" in model:
        return "anthropic.messages"
    if "messages" in body:
        return "openai.chat"
    if "prompt" in body:
        return "openai.completions"
    return "openai.embeddings" if "embedding" in model else "openai.responses"


def forecast(tools: Tools, call: Call, sent: Input, output_tokens: int | None) -> Forecast:
    """Price a request.

    Raises:
        UnknownPriceError: the model, or its output, has no price.
    """
    pricing = Pricing(tools.book(), _learned(tools))
    usage = sent.count.usage(pricing.factor(call.model) if sent.is_by_rule else 1.0)
    rate = tools.book().rate_at(call.provider, call.model, call.at, input_tokens=usage.input_tokens, tier=call.tier)
    expected = pricing.estimate(call) if output_tokens is None else None
    answered = output_tokens if output_tokens is not None else expected.expected_output_tokens if expected else 0
    counts: dict[Unit, int] = {**usage.counts, "output_tokens": answered}
    return Forecast(
        rate=rate,
        input_tokens=usage.input_tokens,
        counted_by=sent.counted_by,
        output_tokens=answered,
        is_output_assumed=output_tokens is None,
        input_usd=price(usage, rate).effective_cost_usd,
        cost_usd=price(Usage(counts), rate).effective_cost_usd,
        worst_usd=None if expected is None or expected.worst_nano is None else from_nano(expected.worst_nano),
    )


def record(found: Forecast, per_day: int | None) -> dict[str, object]:
    """Make an estimate as programs read it."""
    facts: dict[str, object] = {
        "rate_id": found.rate.rate_id,
        "rate_source": found.rate.source,
        "input_tokens": found.input_tokens,
        "counted_by": found.counted_by,
        "output_tokens": found.output_tokens,
        "is_output_assumed": found.is_output_assumed,
        "input_usd": found.input_usd,
        "output_usd": found.cost_usd - found.input_usd,
        "cost_usd": found.cost_usd,
        "worst_usd": found.worst_usd,
    }
    if per_day is not None:
        facts |= {"per_day_usd": found.cost_usd * per_day, "per_month_usd": found.cost_usd * per_day * _DAYS}
    return facts


def _lines(found: Forecast, per_day: int | None) -> list[str]:
    amounts = [
        ("input", f"{found.input_tokens:,} tokens, {found.counted_by}", found.input_usd),
        (
            "output",
            f"{found.output_tokens:,} tokens, {'assumed' if found.is_output_assumed else 'as given'}",
            found.cost_usd - found.input_usd,
        ),
        ("one request", "", found.cost_usd),
    ]
    if found.worst_usd is not None:
        amounts.append(("at most", "with all the output it may have", found.worst_usd))
    if per_day is not None:
        amounts += [
            ("a day", f"{per_day:,} requests", found.cost_usd * per_day),
            ("a month", f"{_DAYS} days", found.cost_usd * per_day * _DAYS),
        ]
    lines = [f"{name:<12} {format_usd(amount):>14}  {how}".rstrip() for name, how, amount in amounts]
    return [f"{found.rate.rate_id}, prices of {found.rate.source}", *lines]


def _learned(tools: Tools) -> dict[str, tuple[float, ...]]:
    try:
        return tools.store().learned()
    except StoreError:
        return {}  # an estimate is less good without, but needs no ledger


def _call(tools: Tools, model: str, provider: str, tier: str, sent: Input) -> Call:
    return Call(
        charge_id="",
        at=tools.now(),
        provider=provider,
        operation="chat",
        model=model,
        tags=tools.settings.attribution,
        input=sent.count,
        max_output_tokens=sent.max_output_tokens,
        has_output="embedding" not in model,
        tier=tier,
    )


def _json(file: TextIO) -> Mapping[str, object]:
    try:
        body = json.load(file)
    except ValueError as error:
        raise click.BadParameter(f"{file.name} is not JSON: {error}", param_hint="--body") from None
    if not isinstance(body, dict):
        raise click.BadParameter(f"{file.name} is not a JSON object.", param_hint="--body")
    return cast("Mapping[str, object]", body)
