"""Where prices come from: genai-prices as package or data file, our corrections of it, LiteLLM's map of models."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, cast

from otel_llmcost.errors import ConfigError

GENAI_PRICES = "genai-prices"
LITELLM_MAP = "model_prices_and_context_window_backup.json"
CORRECTIONS = Path(__file__).with_name("corrections.toml")
_PROVIDER_SUFFIX = re.compile(r"^text-completion-|-.*models$")

Json = dict[str, Any]


def installed_prices() -> tuple[list[Json], str] | None:
    """Read the data and the version of the genai-prices package; None: it is not installed.

    The package is imported by name and only here: it is a tool of whoever compiles, never of the agent's process.
    """
    try:
        version = metadata.version(GENAI_PRICES)
    except metadata.PackageNotFoundError:
        return None
    providers = import_module("genai_prices.data").providers
    return [cast("Json", as_raw(provider)) for provider in providers], version


def prices_in(data: bytes, name: str) -> list[Json]:
    """Read the data file that genai-prices publishes.

    Raises:
        ConfigError: it is something else.
    """
    expected = "the data.json of genai-prices, a list of providers"
    try:
        raw = json.loads(data, parse_float=str)
    except ValueError as problem:
        raise ConfigError(f"not JSON: {problem}", file=name, expected=expected) from problem
    if not isinstance(raw, list) or not all(map(_is_provider, cast("list[object]", raw))):
        raise ConfigError("not a list of providers with models", file=name, expected=expected)
    return cast("list[Json]", raw)


def _is_provider(raw: object) -> bool:
    return isinstance(raw, dict) and "id" in raw and "models" in raw


def corrections() -> list[Json]:
    """Read what genai-prices lacks or has wrong."""
    return cast("list[Json]", tomllib.loads(CORRECTIONS.read_text("utf-8"))["model"])


def modifiers() -> list[Json]:
    """Read what providers ask for a modifier of many models at once."""
    return cast("list[Json]", tomllib.loads(CORRECTIONS.read_text("utf-8"))["modifier"])


def corrected(raw: Sequence[Json], changes: Sequence[Json]) -> list[Json]:
    """Lay corrections over the providers' models: over the one of the same id, or before all others."""
    return [{**provider, "models": _corrected(provider, changes)} for provider in raw]


def litellm_map(path: Path) -> tuple[dict[str, Json], str]:
    """Read LiteLLM's map of models and its version from a wheel. LiteLLM is never imported."""
    version = path.name.split("-")[1]
    with zipfile.ZipFile(path) as wheel:
        return cast("dict[str, Json]", json.loads(wheel.read(f"litellm/{LITELLM_MAP}"))), f"litellm {version}"


def provider_in_litellm(facts: Json) -> str:
    """Name the provider of an entry of LiteLLM's map, without the kind of model that it adds to some."""
    return _PROVIDER_SUFFIX.sub("", facts["litellm_provider"])


def _corrected(provider: Json, changes: Sequence[Json]) -> list[Json]:
    mine = {change["id"]: change for change in changes if change["provider"] == provider["id"]}
    known = {model["id"] for model in provider["models"]}
    added = [change for change in mine.values() if change["id"] not in known and {"match", "prices"} <= change.keys()]
    return [*added, *({**model, **mine.get(model["id"], {})} for model in provider["models"])]


def as_raw(value: object) -> object:
    """Turn the package's objects into what its data file says, amounts as text."""
    match value:
        case Decimal():
            return f"{value:f}"
        case date() | time():
            return value.isoformat()
        case Mapping():
            return {key: as_raw(each) for key, each in cast("Mapping[str, object]", value).items()}
        case str() | bool() | int() | None:
            return value
        case Sequence():
            return [as_raw(each) for each in cast("Sequence[object]", value)]
        case _:
            return _fields(value)


def _fields(value: object) -> Json:
    names = [each.name for each in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else list(vars(value))
    facts = {name.rstrip("_"): getattr(value, name) for name in names if name != "extractors"}
    return {name: as_raw(each) for name, each in facts.items() if each is not None}
