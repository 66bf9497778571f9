"""Reads answers without any SDK, and holds them against the SDK's own models without any leniency."""

import functools
import http.client
import json
from collections.abc import Iterator
from typing import Any

import openai
from pydantic import BaseModel, TypeAdapter

from examples.provider_server import ProviderServer

IS_NEWEST = int(openai.__version__.split(".")[0]) >= 3
"""The oldest SDKs know fewer fields than the providers send today."""


def post(server: ProviderServer, path: str, body: dict[str, Any], **headers: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        named = {"authorization": "Bearer local", **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection.request("POST", path, json.dumps(body), named)
        return connection.getresponse().read()
    finally:
        connection.close()


def events(server: ProviderServer, path: str, body: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
    """Post, and return what the stream's `data:` lines say, but for `[DONE]` and pings."""
    raw = post(server, path, body, **headers).decode()
    lines = (line.removeprefix("data: ") for line in raw.splitlines() if line.startswith("data: "))
    read = [json.loads(line) for line in lines if line != "[DONE]"]
    return [event for event in read if event.get("type") != "ping"]


def check(model: Any, data: dict[str, Any]) -> None:
    """Hold an answer against a model of the SDK: no coercion, and on the newest SDK no field it does not know."""
    parsed = _adapter(model).validate_json(json.dumps(data), strict=True)
    unknown = list(_unknown(parsed, "")) if IS_NEWEST else []
    assert not unknown, f"the SDK's model does not know {unknown}"


@functools.cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)


def _unknown(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}" for name in value.model_extra or ())
        for name in type(value).model_fields:
            yield from _unknown(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unknown(inner, f"{path}[{index}]")
