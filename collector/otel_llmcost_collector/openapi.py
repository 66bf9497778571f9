"""What can be asked of the budget API, as an OpenAPI document: made of its endpoints, so that it says nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec
from msgspec import inspect

from otel_llmcost.storage.wire_forms import Form, Problem
from otel_llmcost_collector.store_desk import Route

_PLACE = "#/components/schemas/"
_JSON = "application/json"
_PROBLEMS: Mapping[str, str] = {
    "400": "The body cannot be read.",
    "401": "A bearer token is needed, and this is none that is known.",
    "403": "The token lacks the right, or is for another team.",
    "405": "The endpoint is asked with another method.",
    "408": "The body did not come in time.",
    "413": "The body is too large.",
    "415": "The body is no application/json, or compressed.",
    "422": "The body can be read, but makes no sense.",
    "503": "It cannot be done now: come again after as many seconds as Retry-After says.",
}
_CONFIG: Mapping[str, Any] = {
    "get": {
        "operationId": "config",
        "description": "The budgets that all agents are to hold. Where tokens are asked for: any right but ingest.",
        "responses": {
            "200": {
                "description": "Sections of llmcost.toml; the header ETag names this state of them.",
                "content": {_JSON: {"schema": {"type": "object"}}},
            },
            "304": {"description": "Nothing has changed since the state that If-None-Match names."},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in ("401", "403", "503")},
        },
    }
}

Routes = Mapping[tuple[str, str], Route]


def document(routes: Routes) -> dict[str, Any]:
    """Write down all endpoints.

    Args:
        routes: method and path → endpoint.
    """
    forms: set[type[Form]] = {Problem}
    for route in routes.values():
        forms |= {route.answers} if route.form is None else {route.answers, route.form}
    named = sorted(forms, key=lambda form: form.__name__)
    _, schemas = msgspec.json.schema_components(named, ref_template=_PLACE + "{name}")
    for form in named:
        _say_instants(inspect.type_info(form), schemas, set())
    paths: dict[str, dict[str, Any]] = {"/v1/config": dict(_CONFIG)}
    for (method, path), route in sorted(routes.items()):
        paths.setdefault(path, {})[method.lower()] = _operation(path, route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "otel-llmcost budget API",
            "version": "1",
            "summary": "What agents ask whose store is a collector, and whoever looks at its ledger.",
        },
        "security": [{}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": {
                status: {"description": why, "content": {"application/problem+json": _reference(Problem)}}
                for status, why in _PROBLEMS.items()
            },
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def text(routes: Routes) -> str:
    """Write the document as JSON that people can read, too."""
    return json.dumps(_ordered(document(routes)), indent=1) + "\n"


def _ordered(value: Any) -> Any:
    """Put in order what has none, so that the same is written each time."""
    match value:
        case dict():
            said = cast("dict[str, Any]", value)
            unordered = {"enum", "default"} if "uniqueItems" in said else {"enum"}
            return {key: sorted(of) if key in unordered else _ordered(of) for key, of in said.items()}
        case list() | tuple():
            return [_ordered(each) for each in cast("list[Any]", value)]
        case _:
            return value


def _operation(path: str, route: Route) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": path.removeprefix("/v1/").replace("/", "-"),
        "description": f"Needs one of the rights {', '.join(sorted(route.rights))}, where tokens are asked for.",
        "responses": {
            "200": {"description": "Done.", "content": {_JSON: _reference(route.answers)}},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in _PROBLEMS},
        },
    }
    if route.form is not None:
        said["requestBody"] = {"required": True, "content": {_JSON: _reference(route.form)}}
    if route.changes:
        said["parameters"] = [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "What is asked again under the same key is done once.",
                "schema": {"type": "string", "maxLength": 64},
            }
        ]
    return said


def _reference(form: type[msgspec.Struct]) -> dict[str, Any]:
    return {"schema": {"$ref": _PLACE + form.__name__}}


def _say_instants(told: inspect.Type, schemas: Mapping[str, Any], seen: set[type]) -> None:
    """Say of texts that are instants that they are: msgspec does so only where a zone is asked for."""
    if isinstance(told, (inspect.StructType, inspect.DataclassType)) and told.cls not in seen:
        seen.add(told.cls)
        for field in told.fields:
            schema = schemas[told.cls.__name__]["properties"].get(field.encode_name, {})
            if any(isinstance(each, inspect.DateTimeType) for each in _kinds(field.type)):
                for each in (schema, *schema.get("anyOf", ())):
                    if each.get("type") == "string":
                        each["format"] = "date-time"
            for each in _kinds(field.type):
                _say_instants(each, schemas, seen)


def _kinds(told: inspect.Type) -> Iterator[inspect.Type]:
    """Give a type and those that it is made of."""
    yield told
    for name in ("types", "item_types"):
        for each in getattr(told, name, ()):
            yield from _kinds(each)
    for name in ("item_type", "value_type"):
        if (each := getattr(told, name, None)) is not None:
            yield from _kinds(each)
