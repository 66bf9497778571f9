"""Cohere's embeddings and ranking, in both versions."""

from __future__ import annotations

from math import ceil
from typing import Any

from examples.provider_server.numbers import vector
from examples.provider_server.tokens import TOKENS_PER_PART, compact, count
from examples.provider_server.wire import Json, Reply, Request, new_id, segment

_SIZE = 1024
_DOCUMENTS_PER_SEARCH = 100
_INTEGERS = {"int8": (-128, 127), "uint8": (0, 255), "binary": (-128, 127), "ubinary": (0, 255)}


def embed(request: Request) -> Reply:
    """Answer `POST /v2/embed` and `/v1/embed`: texts, images, or inputs of both."""
    body, version = request.body, request.path[2]
    texts: list[str] = body.get("texts") or []
    images: list[str] = body.get("images") or []
    inputs = [segment(each["content"]) for each in body.get("inputs") or ()]
    things = [*texts, *images, *(each.text for each in inputs)]
    size = body.get("output_dimension") or _SIZE
    units: Json = {"input_tokens": sum(map(count, texts)) + sum(each.tokens for each in inputs)}
    if images:
        units |= {"images": len(images), "image_tokens": TOKENS_PER_PART * len(images)}
    kinds = body.get("embedding_types") or (["float"] if version == "2" else [])
    found: Any = {kind: [_as(kind, vector(each, size)) for each in things] for kind in kinds}
    answer: Json = {
        "id": new_id(""),
        "embeddings": found or [vector(each, size) for each in things],
        "texts": texts,
        "meta": {"api_version": {"version": version}, "billed_units": units},
        "response_type": "embeddings_by_type" if found else "embeddings_floats",
    }
    return Reply(answer, units)


def rerank(request: Request) -> Reply:
    """Answer `POST /v2/rerank` and `/v1/rerank`: the documents that share most words with the query come first."""
    query = set(request.required("query").lower().split())
    documents = [each if isinstance(each, str) else compact(each) for each in request.required("documents")]
    shares = [len(query & set(each.lower().split())) / (len(query) or 1) for each in documents]
    order = sorted(range(len(documents)), key=lambda index: -shares[index])
    units = {"search_units": ceil(len(documents) / _DOCUMENTS_PER_SEARCH)}
    answer = {
        "id": new_id(""),
        "results": [{"index": index, "relevance_score": shares[index]} for index in order[: request.body.get("top_n")]],
        "meta": {"api_version": {"version": request.path[2]}, "billed_units": units},
    }
    return Reply(answer, units)


def _as(kind: str, values: list[float]) -> list[float] | list[int]:
    if kind not in _INTEGERS:
        return values
    low, high = _INTEGERS[kind]
    return [round(low + (value + 1) / 2 * (high - low)) for value in values]
