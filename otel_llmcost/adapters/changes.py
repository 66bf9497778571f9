"""Changing a request as its row says where: a cap on its output, another model in its body or its URL."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from otel_llmcost.adapters.endpoint import Endpoint, Place
from otel_llmcost.adapters.getters import getter, is_list
from otel_llmcost.core.body import is_fields
from otel_llmcost.core.change import NO_CHANGE, Change, put

_DEPLOYMENT = re.compile(r"/deployments/(?P<model>[^/]+)/")
"""Azure's name for a model; what the body says is not looked at then."""

_Body = Mapping[str, Any]


class Asked(NamedTuple):
    """A request that is about to be sent."""

    host: str
    endpoint: Endpoint
    path: str
    """Of its URL, percent-encoded, without the query."""
    model: str
    body: _Body | None
    """None: not JSON, or not to be touched."""
    place: Callable[[str], Place | None]
    """Finds the endpoint of another path."""


class Applied(NamedTuple):
    """What became of a change."""

    endpoint: Endpoint
    """How the answer is to be read."""
    path: str | None = None
    """None: as it was."""
    body: _Body | None = None
    """None: as it was."""
    done: Change = NO_CHANGE
    left: Change = NO_CHANGE
    """What cannot be done. What needs no doing is in neither."""


def apply(change: Change, asked: Asked) -> Applied:
    """Work out a request as it is to be sent; nothing that is given is changed itself."""
    applied = Applied(asked.endpoint)
    if change.model is not None and change.model != asked.model:
        applied = _with_model(change.model, asked)
    cap = change.max_output_tokens
    if cap is None or not asked.endpoint.has_output:
        return applied
    before = asked.body if applied.body is None else applied.body
    body = None if before is None else _capped(asked.endpoint, before, applied.done.model or asked.model, cap)
    if body is None:
        return applied._replace(left=Change(model=applied.left.model, max_output_tokens=cap))
    if body is before:
        return applied
    return applied._replace(body=body, done=Change(model=applied.done.model, max_output_tokens=cap))


def cap_path(endpoint: Endpoint, body: _Body, model: str) -> str | None:
    """Say where a cap is written in a request that has none; None: nowhere."""
    if endpoint.cap_at is not None:
        return next((path for pattern, path in endpoint.cap_at if re.search(pattern, model.lower())), None)
    started = (path for path in endpoint.caps if "." in path and path.partition(".")[0] in body)
    return next(started, next(iter(endpoint.caps), None))


def _with_model(model: str, asked: Asked) -> Applied:
    left = Applied(asked.endpoint, left=Change(model=model))
    if not _same_maker(asked.endpoint, asked.model, model):
        return left
    endpoint, path = asked.endpoint, None
    if (named := _named_in(asked)) is not None:
        name = quote(model, safe="@/" if "{model*}" in endpoint.path else "@")
        path = asked.path[: named.start("model")] + name + asked.path[named.end("model") :]
        place = asked.place(path)
        if place is None or (place.endpoint.operation, place.endpoint.dialect) != (
            endpoint.operation,
            endpoint.dialect,
        ):
            return left
        endpoint = place.endpoint
    body = _naming(model, asked)
    if path is None and body is None:
        return left
    return Applied(endpoint, path, body, Change(model=model))


def _named_in(asked: Asked) -> re.Match[str] | None:
    """Find the model's name in a URL."""
    if "model" in asked.endpoint.matches.groupindex:
        return asked.endpoint.matches.search(asked.path)
    return _DEPLOYMENT.search(asked.path)


def _naming(model: str, asked: Asked) -> _Body | None:
    """Name a model in a body that names one, or whose parts do; None: it does not."""
    if asked.body is None:
        return None
    body = _renamed(asked.body, asked.model, model)
    parts = body.get(asked.endpoint.parts)
    if is_list(parts):
        body[asked.endpoint.parts] = [_renamed(each, asked.model, model) if is_fields(each) else each for each in parts]
    if body == asked.body:
        return None
    old, new = (cap_path(asked.endpoint, body, name) for name in (asked.model, model))
    # OpenAI's newer models reject the older name of a cap.
    if old and new and old != new and body.get(new) is None and body.get(old) is not None:
        body[new] = body.pop(old)
    return body


def _renamed(fields: _Body, old: str, new: str) -> dict[str, Any]:
    """Return fields with another model where they name one; what stands before the name, such as `models/`, stays."""
    said = fields.get("model")
    if not isinstance(said, str):
        return dict(fields)
    return {**fields, "model": (said.removesuffix(old) if said.endswith(old) else "") + new}


def _same_maker(endpoint: Endpoint, model: str, other: str) -> bool:
    if not endpoint.makers:
        return True
    maker = next((word for word in endpoint.makers if word in model), None)
    return maker is not None and maker in other


def _capped(endpoint: Endpoint, body: _Body, model: str, cap: int) -> _Body | None:
    """Lower what a request may put out; the body itself: it asks for no more; None: it cannot be said."""
    asked = {
        path: value
        for path, get in zip(endpoint.caps, endpoint.get_caps, strict=True)
        if (value := get(body)) is not None
    }
    if not all(type(value) in (int, float) for value in asked.values()):
        return None
    if asked:
        higher = [path for path, value in asked.items() if value > cap or value < 0]  # Ollama's -1: without an end
    else:
        path = cap_path(endpoint, body, model)
        higher = [] if path is None else [path]
        if not higher:
            return None
    capped: _Body | None = body
    for path in higher:
        capped = None if capped is None else put(capped, path, cap)
    if capped is None or capped is body:
        return capped
    return _thinking_less(endpoint, capped, cap, max(asked.values(), default=0))


def _thinking_less(endpoint: Endpoint, body: _Body, cap: int, asked: float) -> _Body | None:
    """Lower with a cap what may be thought, which is a part of it."""
    thinking = endpoint.thinking
    budget = None if thinking is None else getter(thinking.budget)(body)
    if thinking is None or type(budget) is not int:
        return body
    if cap <= thinking.least:
        return put(body, thinking.budget.rpartition(".")[0], {"type": "disabled"})
    share = int(budget * cap / asked) if asked > 0 else budget
    return put(body, thinking.budget, min(budget, max(share, thinking.least), cap - 1))
