"""Where prices come from: the genai-prices package or its data file, and LiteLLM's map for what models can answer."""

from __future__ import annotations

import dataclasses
import json
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
    return [cast("Json", _raw(provider)) for provider in providers], version


def prices_in(path: Path) -> list[Json]:
    """Read the data file that genai-prices publishes.

    Raises:
        ConfigError: it is something else.
    """
    expected = "the data.json of genai-prices, a list of providers"
    try:
        raw = json.loads(path.read_bytes(), parse_float=str)
    except (OSError, ValueError) as problem:
        raise ConfigError(str(problem), file=str(path), expected=expected) from problem
    if not isinstance(raw, list) or not all("models" in each for each in cast("list[Json]", raw)):
        raise ConfigError("not a list of providers with models", file=str(path), expected=expected)
    return cast("list[Json]", raw)


def litellm_map(path: Path) -> dict[str, Json]:
    """Read LiteLLM's map of models from its wheel, or from the file itself. LiteLLM is never imported."""
    if path.suffix != ".whl":
        return cast("dict[str, Json]", json.loads(path.read_bytes()))
    with zipfile.ZipFile(path) as wheel:
        return cast("dict[str, Json]", json.loads(wheel.read(f"litellm/{LITELLM_MAP}")))


def _raw(value: object) -> object:
    """Turn the package's objects into what its data file says, amounts as text."""
    match value:
        case Decimal():
            return f"{value:f}"
        case date() | time():
            return value.isoformat()
        case Mapping():
            return {key: _raw(each) for key, each in cast("Mapping[str, object]", value).items()}
        case str() | bool() | int() | None:
            return value
        case Sequence():
            return [_raw(each) for each in cast("Sequence[object]", value)]
        case _:
            return _fields(value)


def _fields(value: object) -> Json:
    names = [each.name for each in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else list(vars(value))
    facts = {name.rstrip("_"): getattr(value, name) for name in names if name != "extractors"}
    return {name: _raw(each) for name, each in facts.items() if each is not None}
