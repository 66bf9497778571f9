"""The price book as a file: read it fast, tell who made it and when, and notice when it is damaged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import partial
from pathlib import Path
from typing import Any, cast

from otel_llmcost.core.listing import STANDARD, Listing, ModelPrices, Modified, PriceRow, Provider, Steps
from otel_llmcost.core.matching import NameRule
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.core.usage import Unit
from otel_llmcost.errors import ConfigError

SHIPPED = Path(__file__).with_name("rates.json")
FORMAT = 1
_EXPECTED = "a price book as `otel-llmcost prices update` writes it"
_EXACT = Context(prec=60)

# The file is one JSON document, and its lines are such that a provider can be cut out and read alone: reading all takes
# 8 ms of CPU, cutting takes one.
_OPENING = b'"providers":[\n'
_BETWEEN = b"\n]},\n"
_CLOSING = b"\n]}\n]}\n"
_MODELS = '"models":['

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Who made a price book of what, and when."""

    source: str
    version: str
    compiled_on: str
    """ISO date; a book compiled later is the newer one."""
    ceilings: str
    """Where the models' largest answers are from."""
    sha256: str
    """Of everything below the header's line."""

    @property
    def name(self) -> str:
        """Name the source as charges do."""
        return f"{self.source} {self.version}".strip()


def load(refreshed: Path | None = None) -> PriceBook:
    """Load the newer of the book that was shipped and the one the user refreshed.

    Args:
        refreshed: need not exist.

    Raises:
        ConfigError: the refreshed file is damaged; `load()` without it still works.
    """
    path = newest(refreshed)
    return parse(path.read_bytes(), str(path))


def newest(refreshed: Path | None) -> Path:
    """Choose the file to load."""
    if refreshed is None or not refreshed.is_file():
        return SHIPPED
    return refreshed if header_of(refreshed).compiled_on >= header_of(SHIPPED).compiled_on else SHIPPED


def header_of(path: Path) -> Header:
    """Read a book's header without the rest."""
    with path.open("rb") as file:
        return _header(file.readline(), str(path))


def parse(data: bytes, name: str = "price book") -> PriceBook:
    """Make a price book of a file's content; a provider's models are read when it is first asked for.

    Raises:
        ConfigError: not a price book, or damaged.
    """
    line, _, body = data.partition(b"\n")
    header = _header(line, name)
    if hashlib.sha256(body).hexdigest() != header.sha256:
        raise ConfigError("the price book is damaged: its digest is wrong", file=name, expected=_EXPECTED)
    blocks = body[len(_OPENING) : -len(_CLOSING)].split(_BETWEEN)
    return PriceBook(map(_provider, blocks), source=header.name, compiled_on=header.compiled_on)


def render(providers: Sequence[Json], *, source: str, version: str, compiled_on: str, ceilings: str) -> bytes:
    """Write a book: a header's line, then one model a line, so that changes of prices show as changed lines."""
    body = _OPENING + _BETWEEN.join(map(_block, providers)) + _CLOSING
    header = {
        "format": FORMAT,
        "source": source,
        "version": version,
        "compiled_on": compiled_on,
        "ceilings": ceilings,
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return _compact(header)[:-1].encode() + b",\n" + body


def _block(provider: Json) -> bytes:
    facts = {key: value for key, value in provider.items() if key != "models"}
    lines = ",\n".join(map(_compact, provider["models"]))
    return f"{_compact(facts)[:-1]},{_MODELS}\n{lines}".encode()


def _compact(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _header(line: bytes, name: str) -> Header:
    try:
        facts = json.loads(line.rstrip().rstrip(b",") + b"}")
        if facts.pop("format") == FORMAT:
            return Header(**facts)
    except (ValueError, TypeError, AttributeError, KeyError):
        pass
    raise ConfigError("not a price book", file=name, expected=_EXPECTED)


def _provider(block: bytes) -> Provider:
    line, _, models = block.partition(b"\n")
    raw: Json = json.loads(line + b"]}")
    return Provider(
        provider=raw["id"],
        names=_rule(raw.get("names", {})),
        sells=_rule(raw.get("sells", {})),
        resells=tuple(raw.get("resells", ())),
        listings=partial(_listings, raw["id"], models),
        modified=partial(_modified, raw.get("modified", ())),
    )


def _modified(raw: Sequence[Json]) -> list[Modified]:
    return [Modified(_rule(each["names"]), tuple(map(_row, each["rows"]))) for each in raw]


def _listings(provider: str, models: bytes) -> list[Listing]:
    return [
        Listing(model=raw["id"], names=_rule(raw["names"]), prices=partial(_prices, provider, raw))
        for raw in cast("list[Json]", json.loads(b"[" + models + b"]"))
    ]


def _rule(raw: Mapping[str, Any]) -> NameRule:
    return NameRule(
        equals=frozenset(raw.get("is", ())),
        starts=tuple(raw.get("starts", ())),
        ends=tuple(raw.get("ends", ())),
        contains=tuple(raw.get("has", ())),
        patterns=tuple(raw.get("like", ())),
        together=tuple(tuple(map(_rule, group)) for group in raw.get("all", ())),
    )


def _prices(provider: str, raw: Json) -> ModelPrices:
    return ModelPrices(
        provider=provider,
        model=raw["id"],
        rows=tuple(map(_row, raw["rows"])),
        max_output_tokens=raw.get("most"),
        source=raw.get("source", ""),
    )


def _row(raw: Json) -> PriceRow:
    prices: dict[Unit, Steps] = {unit: _steps(amount) for unit, amount in raw.get("usd", {}).items()}
    return PriceRow(
        prices=prices,
        tier=raw.get("tier", STANDARD),
        valid_from=datetime.fromisoformat(raw["from"]).replace(tzinfo=UTC) if "from" in raw else None,
        hours=tuple(raw["hours"]) if "hours" in raw else None,
        days=tuple(raw["days"]) if "days" in raw else None,
        times=Decimal(raw.get("times", 1)),
        source=raw.get("source", ""),
    )


def _steps(raw: str | list[Any]) -> Steps:
    """Read `"2.5"`, or `["2", 272000, "4"]` for a price and what it is above a size; in USD per million."""
    if isinstance(raw, str):
        return ((0, _EXACT.scaleb(Decimal(raw), -6)),)
    sizes = (0, *raw[1::2])
    return tuple((size, _EXACT.scaleb(Decimal(amount), -6)) for size, amount in zip(sizes, raw[::2], strict=True))
