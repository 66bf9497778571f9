"""The budget API described as it is, for whoever makes clients of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from otel_llmcost.storage.memory import MemoryStore
from otel_llmcost_collector import openapi
from otel_llmcost_collector.store_api import ROUTES, StoreApi
from tests.collector.asking import get, post

DOCUMENT = json.loads(openapi.text(ROUTES))


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def test_what_is_described_is_served_to_anybody() -> None:
    """Whoever has no token yet may know what there is to ask."""
    answer = get(StoreApi(MemoryStore()), "/v1/openapi.json", host="elsewhere")

    assert (answer.status, answer.json) == (200, DOCUMENT)


def test_every_endpoint_is_in_it() -> None:
    described = {(method.upper(), path) for path, of in DOCUMENT["paths"].items() for method in of}

    assert described == {*ROUTES, ("GET", "/v1/config")}


def test_all_that_it_refers_to_is_there() -> None:
    for reference in _references(DOCUMENT):
        _, kind, section, name = reference.split("/")
        assert name in DOCUMENT[kind][section]


def test_forms_are_json_schemas_that_know_instants() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    assert DOCUMENT["components"]["schemas"]["Hold"]["properties"]["at"]["format"] == "date-time"


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "GET"])
def test_answers_are_what_is_described(path: str) -> None:
    """A row says what an endpoint answers, beside the function that does."""
    answered = get(StoreApi(MemoryStore()), path).json
    form = ROUTES["GET", path].answers.__name__

    Draft202012Validator({**DOCUMENT, "$ref": f"#/components/schemas/{form}"}).validate(answered)


@pytest.mark.parametrize("path", [path for (_, path), route in ROUTES.items() if route.is_long])
def test_lists_are_what_is_described(path: str) -> None:
    asked = {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z", "by": ["user"]}
    answered = post(StoreApi(MemoryStore()), path, asked).json
    form = ROUTES["POST", path].answers.__name__

    Draft202012Validator({**DOCUMENT, "$ref": f"#/components/schemas/{form}"}).validate(answered)
