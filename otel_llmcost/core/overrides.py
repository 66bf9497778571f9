"""Prices of the user's own, laid over the price book: `[[price]]` in the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from fnmatch import fnmatchcase
from typing import NamedTuple

from otel_llmcost.core.listing import canonical_tier
from otel_llmcost.core.matching import PROVIDERS
from otel_llmcost.core.money import parse_usd
from otel_llmcost.core.usage import Unit
from otel_llmcost.errors import ConfigError

_MILLION = 1_000_000
_EXACT = Context(prec=60)

PRICE_KEYS: Mapping[str, tuple[Unit, int]] = {
    "input": ("input_tokens", _MILLION),
    "output": ("output_tokens", _MILLION),
    "cache_read": ("cache_read_tokens", _MILLION),
    "cache_write": ("cache_write_tokens", _MILLION),
    "cache_write_30m": ("cache_write_30m_tokens", _MILLION),
    "cache_write_1h": ("cache_write_1h_tokens", _MILLION),
    "cache_write_12h": ("cache_write_12h_tokens", _MILLION),
    "reasoning": ("reasoning_tokens", _MILLION),
    "citation": ("citation_tokens", _MILLION),
    "input_audio": ("input_audio_tokens", _MILLION),
    "input_image": ("input_image_tokens", _MILLION),
    "input_video": ("input_video_tokens", _MILLION),
    "cache_read_audio": ("cache_read_audio_tokens", _MILLION),
    "cache_read_image": ("cache_read_image_tokens", _MILLION),
    "output_audio": ("output_audio_tokens", _MILLION),
    "output_image": ("output_image_tokens", _MILLION),
    "output_video": ("output_video_tokens", _MILLION),
    "characters": ("characters", _MILLION),
    "web_search": ("web_searches", 1000),
    "web_fetch": ("web_fetches", 1000),
    "file_search": ("file_searches", 1000),
    "maps_search": ("maps_searches", 1000),
    "search_unit": ("search_units", 1000),
    "page": ("pages", 1000),
    "annotated_page": ("annotated_pages", 1000),
    "request": ("requests", 1),
    "image": ("images", 1),
    "code_interpreter_session": ("code_interpreter_sessions", 1),
    "audio_hour": ("audio_milliseconds", 3_600_000),
    "video_second": ("video_milliseconds", 1000),
    "gpu_second": ("gpu_milliseconds", 1000),
    "gpu_hour": ("gpu_milliseconds", 3_600_000),
}
"""Key of a `[[price]]` row → (unit, for how many of it the price is)."""

_OTHER_KEYS = frozenset(
    {"provider", "model", "valid_from", "tier", "discount", "max_output_tokens", "tokens_per_second"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceOverride:
    """One row of the user's own prices. What it does not name stays as the price book has it."""

    model: str
    """A shell-style pattern; fits with or without what callers put before a name, such as `openai/`."""
    provider: str = "*"
    """A pattern, or any name a provider goes by."""
    prices: Mapping[Unit, Decimal]
    """USD for one unit. None at all: the row is for its discount alone."""
    valid_from: datetime | None = None
    """Since when, aware; None: since ever."""
    tier: str | None = None
    """None: prices are for the standard tier, a discount is for all tiers."""
    discount: Decimal | None = None
    """Share off the list price; negative for a surcharge. None: the row does not say."""
    max_output_tokens: int | None = None
    is_self_hosted: bool = False
    """The prices are those of one's own hardware, and nothing of the price book is added to them."""
    source: str = "override"
    """Where the row stands, such as `llmcost.toml:12`."""

    def fits(self, providers: Iterable[str], names: Iterable[str]) -> bool:
        """Tell whether the row is about a model, given all names of both, in lower case."""
        provider, model = self.provider.lower(), self.model.lower()
        patterns = {provider, PROVIDERS.get(provider, provider)}
        return any(fnmatchcase(name, pattern) for name in providers for pattern in patterns) and any(
            fnmatchcase(name, model) for name in names
        )


def price_override(row: Mapping[str, object], *, file: str = "", line: int | None = None) -> PriceOverride:
    """Read a `[[price]]` row.

    Raises:
        ConfigError: names the key that is wrong and what was expected.
    """
    reader = _Row(row, file, line)
    reader.check_keys()
    prices: dict[Unit, Decimal] = {
        unit: _EXACT.divide(reader.price(key), per) for key, (unit, per) in PRICE_KEYS.items() if key in row
    }
    discount = reader.discount()
    is_self_hosted = "gpu_milliseconds" in prices
    throughput = reader.tokens_per_second()
    if throughput is not None:
        per_token = _EXACT.divide(prices.pop("gpu_milliseconds"), _EXACT.divide(throughput, 1000))
        prices = {"input_tokens": per_token, "output_tokens": per_token, **prices}
    if not prices and discount is None:
        raise reader.error("", "a price row without a price", "a price such as `input`, or a `discount`")
    tier = reader.text("tier", "")
    return PriceOverride(
        model=reader.text("model"),
        provider=reader.text("provider", "*"),
        prices=prices,
        valid_from=reader.valid_from(),
        tier=canonical_tier(tier) if tier else None,
        discount=discount,
        max_output_tokens=reader.max_output_tokens(),
        is_self_hosted=is_self_hosted,
        source=f"{file or 'override'}:{line}" if line is not None else file or "override",
    )


class _Row(NamedTuple):
    """A table as it was parsed, its values not yet looked at."""

    values: Mapping[str, object]
    file: str
    line: int | None

    def error(self, key: str, problem: str, expected: str) -> ConfigError:
        return ConfigError(problem, file=self.file, line=self.line, key=key, expected=expected)

    def check_keys(self) -> None:
        for key in self.values:
            if key not in PRICE_KEYS and key not in _OTHER_KEYS:
                raise self.error(key, "unknown key", "one of " + ", ".join(sorted({*PRICE_KEYS, *_OTHER_KEYS})))

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self.error(key, "missing" if value is None else f"not a text: {value!r}", "a text")
        return value

    def price(self, key: str) -> Decimal:
        unit, per = PRICE_KEYS[key]
        expected = f"USD per {per:,} {unit.replace('_', ' ')}"
        amount = self._amount(key, expected)
        if amount < 0:
            raise self.error(key, f"a negative price: {amount}", expected)
        return amount

    def discount(self) -> Decimal | None:
        if "discount" not in self.values:
            return None
        expected = "a share between -1 and 1, such as 0.10 for 10 % off"
        share = self._amount("discount", expected)
        if not -1 <= share <= 1:
            raise self.error("discount", f"out of range: {share}", expected)
        return share

    def tokens_per_second(self) -> Decimal | None:
        """Return how many tokens the hardware does a second, of all requests that it does at once."""
        if "tokens_per_second" not in self.values:
            return None
        expected = "tokens a second, above 0, beside `gpu_hour` or `gpu_second`"
        speed = self._amount("tokens_per_second", expected)
        if speed <= 0 or not {"gpu_hour", "gpu_second"} & self.values.keys():
            raise self.error("tokens_per_second", "a throughput of nothing", expected)
        return speed

    def max_output_tokens(self) -> int | None:
        value = self.values.get("max_output_tokens")
        if value is None or (isinstance(value, int) and value > 0 and not isinstance(value, bool)):
            return value
        raise self.error("max_output_tokens", f"not a count: {value!r}", "a whole number above 0")

    def valid_from(self) -> datetime | None:
        value = self.values.get("valid_from")
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        raise self.error("valid_from", f"not a date: {value!r}", "a date such as 2026-01-01, without quotes")

    def _amount(self, key: str, expected: str) -> Decimal:
        try:
            return parse_usd(self.values[key])
        except ValueError as problem:
            raise self.error(key, str(problem), expected) from None
