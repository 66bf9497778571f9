"""Compile a price book: genai-prices' data in our units and rows, with LiteLLM's figures for the largest answer.

Run by `make prices`; the result is committed. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Context, Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

from otel_llmcost.core.listing import STANDARD, canonical_tier
from otel_llmcost.core.prices import PriceBook, SoldModel
from otel_llmcost.core.usage import Unit
from otel_llmcost.pricebook.additions import FILE as ADDITIONS
from otel_llmcost.pricebook.additions import Additions, additions, append, lay, written
from otel_llmcost.pricebook.book import SHIPPED, header_of, parse, render
from otel_llmcost.pricebook.second_source import additions_of, listed
from otel_llmcost.pricebook.sources import (
    GENAI_PRICES,
    corrected,
    corrections,
    installed_prices,
    litellm_map,
    modifiers,
    provider_in_litellm,
)

Json = dict[str, Any]
Ceilings = Mapping[SoldModel, int]
Amount = str | int

_EXACT = Context(prec=60)
_MILLION = 1_000_000
_MOST_DIGITS = Decimal("1e-12")
"""Amounts are USD per million units and kept to twelve digits: 1e-18 USD for one."""

UNIT_OF: Mapping[str, tuple[Unit, int]] = {
    "input_mtok": ("input_tokens", _MILLION),
    "cache_read_mtok": ("cache_read_tokens", _MILLION),
    "cache_write_mtok": ("cache_write_tokens", _MILLION),
    "cache_write_1h_mtok": ("cache_write_1h_tokens", _MILLION),
    "input_audio_mtok": ("input_audio_tokens", _MILLION),
    "input_image_mtok": ("input_image_tokens", _MILLION),
    "input_video_mtok": ("input_video_tokens", _MILLION),
    "cache_audio_read_mtok": ("cache_read_audio_tokens", _MILLION),
    "cache_image_read_mtok": ("cache_read_image_tokens", _MILLION),
    "output_mtok": ("output_tokens", _MILLION),
    "output_reasoning_mtok": ("reasoning_tokens", _MILLION),
    "output_citation_mtok": ("citation_tokens", _MILLION),
    "output_audio_mtok": ("output_audio_tokens", _MILLION),
    "output_image_mtok": ("output_image_tokens", _MILLION),
    "output_video_mtok": ("output_video_tokens", _MILLION),
    "input_mchars": ("characters", _MILLION),
    "input_audio_hours": ("audio_milliseconds", 3_600_000),
    "audio_hours": ("audio_milliseconds", 3_600_000),
    "input_document_kpages": ("pages", 1000),
    "input_annotated_document_kpages": ("annotated_pages", 1000),
    "requests_kcount": ("requests", 1000),
    "web_searches_kcount": ("web_searches", 1000),
    "storage_searches_kcount": ("file_searches", 1000),
    "images_count": ("images", 1),
    "video_seconds_count": ("video_milliseconds", 1000),
    "code_interpreter_sessions_count": ("code_interpreter_sessions", 1),
}
"""A price's key in the source → (our unit, for how many of it the price is). Others are counted and left out.

What ends in `_count` is ours: the source has no such units, our corrections do."""

_FREE_WORDS = ("free of charge", "included in the subscription")
_FREE = frozenset({"openai/moderation", "google/gemma-3", "google/gemma-3n"})
"""Listed without any price because they cost nothing. Of any other model without a price, the price is not known."""

_CONTEXTS = ("processing", "service_tier", "speed", "image")
"""What a variant of the price may hang on that is a tier to us."""

NOTHING = Additions()
_RULE_KEYS = {"equals": "is", "starts_with": "starts", "ends_with": "ends", "contains": "has", "regex": "like"}
_TEXT_MODES = frozenset({"chat", "responses", "completion"})


@dataclass(slots=True)
class Compiler:
    """Turns the source's providers into a book's, and keeps account of what it left out."""

    left_out: Counter[str] = field(default_factory=Counter[str])

    def providers(self, raw: Sequence[Json], ceilings: Ceilings) -> list[Json]:
        """Compile all providers, in the source's order: names are tried in it."""
        return [self._provider(each, ceilings) for each in raw]

    def _provider(self, raw: Json, ceilings: Ceilings) -> Json:
        facts = {
            "id": raw["id"],
            "names": _rule(raw.get("provider_match")),
            "sells": _rule(raw.get("model_match")),
            "resells": raw.get("fallback_model_providers"),
        }
        models = [self._model(raw["id"], each, ceilings) for each in raw["models"]]
        return {**{key: value for key, value in facts.items() if value}, "models": models}

    def _model(self, provider: str, raw: Json, ceilings: Ceilings) -> Json:
        model: Json = {"id": raw["id"], "names": _rule(raw["match"]), "rows": list(self._rows(provider, raw))}
        facts = {"most": ceilings.get(SoldModel(provider, raw["id"])), "source": raw.get("source")}
        return {**model, **{key: value for key, value in facts.items() if value is not None}}

    def _rows(self, provider: str, raw: Json) -> Iterator[Json]:
        prices = cast("Json | list[Json]", raw["prices"])
        for each in prices if isinstance(prices, list) else [{"prices": prices}]:
            row = self._row(each)
            if not each["prices"] and _is_free(provider, raw):
                row["usd"] = {"input_tokens": "0", "output_tokens": "0"}
            yield row
        for each in cast("list[Json]", raw.get("price_variants", [])):
            tier = self._tier(each["when"])
            if tier != STANDARD:
                yield {"tier": tier, **self._row(each)}

    def _tier(self, when: Mapping[str, str]) -> str:
        """Name the tier that a variant is for; standard: it is for none."""
        if len(when) == 1:
            [(context, value)] = when.items()
            if context in _CONTEXTS:
                return canonical_tier(value)
        self.left_out[f"variant by {', '.join(when)}"] += 1
        return STANDARD

    def _row(self, raw: Json) -> Json:
        usd: Json = {}
        for key, amount in raw["prices"].items():
            if key not in UNIT_OF:
                self.left_out[f"price {key}"] += 1
                continue
            unit, per = UNIT_OF[key]
            usd[unit] = _amount(amount, per)
        return {**_constraint(raw.get("constraint")), "usd": usd}


def ceilings_of(book: PriceBook, models: Mapping[str, Json]) -> dict[SoldModel, int]:
    """Find the largest answer of each of the book's models; of several that LiteLLM lists for one, the largest."""
    ceilings: dict[SoldModel, int] = {}
    for name, facts in models.items():
        most = facts.get("max_output_tokens")
        if facts.get("mode") not in _TEXT_MODES or not isinstance(most, int):
            continue
        sold = book.find(provider_in_litellm(facts), name)
        if sold is not None:
            ceilings[sold] = max(most, ceilings.get(sold, 0))
    return ceilings


def compile_book(
    raw: Sequence[Json],
    *,
    version: str,
    compiled_on: str,
    ceilings: Ceilings,
    ceilings_source: str,
    beside: Additions = NOTHING,
) -> tuple[bytes, Counter[str]]:
    """Compile a book; return it with what was left out and how often.

    Args:
        raw: the source's providers.
        version: the source's.
        compiled_on: ISO date.
        ceilings: the models' largest answers.
        ceilings_source: where those are from.
        beside: prices that the source lacks.
    """
    compiler = Compiler()
    providers = compiler.providers(corrected(raw, corrections()), ceilings)
    write = partial(
        render, providers, source=GENAI_PRICES, version=version, compiled_on=compiled_on, ceilings=ceilings_source
    )
    plain = parse(write())
    lay(providers, plain, beside)
    append(providers, plain, beside)
    modify(providers, modifiers())
    return write(), compiler.left_out


def modify(providers: Sequence[Json], changes: Sequence[Json]) -> None:
    """Give providers the rules they have for many models at once: so much off in a batch, so much more for a place."""
    for provider in providers:
        mine = [
            {
                "names": _rule(each["match"]),
                "rows": [{"tier": canonical_tier(tier), **_change(each)} for tier in each["tiers"]],
            }
            for each in changes
            if each["provider"] == provider["id"]
        ]
        if mine:
            provider["modified"] = [*provider.get("modified", ()), *mine]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile the book that is shipped."""
    parser = argparse.ArgumentParser(prog="make prices", description=main.__doc__)
    parser.add_argument("--litellm", type=Path, required=True, help="LiteLLM's wheel")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args(arguments)
    installed = installed_prices()
    if installed is None:
        parser.error("genai-prices is not installed")
    raw, version = installed
    today = datetime.now(UTC).date().isoformat()
    plain, _ = compile_book(raw, version=version, compiled_on=today, ceilings={}, ceilings_source="")
    models, source = litellm_map(options.litellm)
    book = parse(plain)
    ceilings = ceilings_of(book, models)
    beside = _beside(options.out.with_name(ADDITIONS.name), book, models, source=source, today=today)
    make = partial(compile_book, raw, version=version, ceilings=ceilings, ceilings_source=source, beside=beside)
    data, left_out = make(compiled_on=header_of(options.out).compiled_on if options.out.is_file() else today)
    if not options.out.is_file() or data != options.out.read_bytes():  # an unchanged book keeps its day
        data, _ = make(compiled_on=today)
        options.out.write_bytes(data)
    for what, count in sorted(left_out.items()):
        sys.stdout.write(f"left out: {what} ({count})\n")
    sys.stdout.write(
        f"{ADDITIONS.name}: {len(beside.models)} models with prices of tiers or fees, {len(beside.listed)} more\n"
    )
    sys.stdout.write(f"{options.out.name}: {len(data)} bytes, {len(ceilings)} models with a largest answer\n")
    return 0


def _change(modifier: Json) -> Json:
    if "times" in modifier:
        return {"times": modifier["times"]}
    return {
        "usd": {
            unit: _amount(modifier["prices"][key], per)
            for key, (unit, per) in UNIT_OF.items()
            if key in modifier["prices"]
        }
    }


def _beside(file: Path, book: PriceBook, models: Mapping[str, Json], *, source: str, today: str) -> Additions:
    """Find the additions, and write them to their file; unchanged ones keep the day they were found on."""
    found = Additions(source, today)
    found = found._replace(models=additions_of(book, models, found.at), listed=listed(book, models, found.at))
    if file.is_file() and additions(file)._replace(found_on=today) == found:
        return additions(file)
    file.write_text(written(found), "utf-8")
    return found


def _is_free(provider: str, raw: Json) -> bool:
    comment = raw.get("price_comments", "").lower()
    name = f"{provider}/{raw['id']}"
    return name in _FREE or "free" in raw["id"] or any(word in comment for word in _FREE_WORDS)


def _constraint(raw: Json | None) -> Json:
    """Say when prices hold. The source knows a day or hours; our corrections may name both, and days of the week."""
    held: Json = {}
    match raw:
        case {"start_date": day}:
            held["from"] = day
        case _:
            pass
    match raw:
        case {"start_time": start, "end_time": end}:
            held["hours"] = [_minute(start), _minute(end)]
        case _:
            pass
    match raw:
        case {"weekdays": days}:
            held["days"] = days
        case _:
            pass
    return held


def _minute(text: str) -> int:
    """Count the minutes of the UTC day; a time without an offset is UTC."""
    moment = time.fromisoformat(text)
    offset = moment.utcoffset()
    shift = 0 if offset is None else int(offset.total_seconds() // 60)
    return (moment.hour * 60 + moment.minute - shift) % (24 * 60)


def _amount(raw: Amount | Json, per: int) -> str | list[str | int]:
    if not isinstance(raw, dict):
        return _per_million(raw, per)
    steps: list[str | int] = [_per_million(raw["base"], per)]
    for tier in sorted(cast("list[Json]", raw["tiers"]), key=lambda each: cast("int", each["start"])):
        steps += [tier["start"], _per_million(tier["price"], per)]
    return steps


def _per_million(amount: Amount, per: int) -> str:
    usd = _EXACT.multiply(_EXACT.divide(Decimal(str(amount)), per), _MILLION)
    text = f"{_EXACT.quantize(usd, _MOST_DIGITS):f}"
    return text.rstrip("0").rstrip(".")


def _rule(raw: Json | None) -> Json:
    """Turn a clause into the tests of one rule; any of them fits."""
    if raw is None:
        return {}
    rule: Json = {}
    for clause in raw.get("or", [raw]):
        [(kind, value)] = clause.items()
        if kind == "or":
            for key, values in _rule(clause).items():
                rule.setdefault(key, []).extend(values)
        elif kind == "and":
            rule.setdefault("all", []).append([_rule(each) for each in value])
        else:
            rule.setdefault(_RULE_KEYS[kind], []).append(value if kind == "regex" else value.lower())
    return rule


if __name__ == "__main__":
    raise SystemExit(main())
