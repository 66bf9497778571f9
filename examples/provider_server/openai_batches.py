"""OpenAI's files and batches: a batch has ended when it is asked for the first time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from examples.provider_server import openai_chat, openai_media, openai_responses
from examples.provider_server.tokens import compact
from examples.provider_server.wire import Blob, Json, Reply, Request, Stream, WireError, new_id

_ENDPOINTS: dict[str, Callable[[Request], Reply | Blob | Stream]] = {
    "/v1/chat/completions": openai_chat.chat,
    "/v1/completions": openai_chat.completions,
    "/v1/embeddings": openai_chat.embeddings,
    "/v1/responses": openai_responses.responses,
    "/v1/images/generations": openai_media.images,
    "/v1/moderations": openai_media.moderations,
}
_DAY = 86_400


def upload(request: Request) -> Reply:
    """Answer `POST /v1/files`."""
    named = request.required("file")
    return Reply(_file(request, request.files["file"], named["filename"], request.required("purpose")))


def content(request: Request) -> Blob:
    """Answer `GET /v1/files/{id}/content`."""
    return Blob(request.memory.kept(request.at["id"]), "application/octet-stream")


def create(request: Request) -> Reply:
    """Answer `POST /v1/batches`."""
    endpoint = request.required("endpoint")
    if endpoint not in _ENDPOINTS:
        raise WireError(400, f"Invalid endpoint: {endpoint}", param="endpoint")
    lines = request.memory.kept(request.required("input_file_id")).splitlines()
    batch: Json = {
        "id": new_id("batch_"),
        "object": "batch",
        "endpoint": endpoint,
        "input_file_id": request.body["input_file_id"],
        "completion_window": request.required("completion_window"),
        "status": "validating",
        "created_at": request.now,
        "expires_at": request.now + _DAY,
        "metadata": request.body.get("metadata"),
        "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
    }
    request.memory.keep(batch["id"], batch)
    return Reply(batch)


def retrieve(request: Request) -> Reply:
    """Answer `GET /v1/batches/{id}`: with the usage of all its requests."""
    batch: Json = request.memory.kept(request.at["id"])
    if batch["status"] == "completed":
        return Reply(batch)
    asked = [json.loads(line) for line in request.memory.kept(batch["input_file_id"]).splitlines()]
    done = [_done(request, each) for each in asked]
    output = "".join(f"{compact(each)}\n" for each in done).encode()
    usages = [each["response"]["body"]["usage"] for each in done if each["response"]["body"].get("usage")]
    failed = sum(each["response"]["status_code"] != 200 for each in done)  # noqa: PLR2004 -- OK
    batch |= {
        "status": "completed",
        "completed_at": request.now,
        "output_file_id": _file(request, output, "output.jsonl", "batch_output")["id"],
        "model": asked[0]["body"]["model"],
        "request_counts": {"total": len(done), "completed": len(done) - failed, "failed": failed},
        "usage": _summed(usages),
    }
    return Reply(batch, batch["usage"])


def _file(request: Request, data: bytes, filename: str, purpose: str) -> Json:
    id_ = new_id("file-")
    request.memory.keep(id_, data)
    return {
        "id": id_,
        "object": "file",
        "bytes": len(data),
        "created_at": request.now,
        "filename": filename,
        "purpose": purpose,
        "status": "processed",
    }


def _done(request: Request, asked: Json) -> Json:
    try:
        answer = _ENDPOINTS[asked["url"]](replace(request, body=asked["body"], path=asked["url"]))
        body = answer.body if isinstance(answer, Reply) else {}
        status = 200
    except WireError as error:
        body, status = {"error": {"message": str(error), "type": "invalid_request_error"}}, error.status
    response = {"status_code": status, "request_id": new_id("req_"), "body": body}
    return {"id": new_id("batch_req_"), "custom_id": asked["custom_id"], "response": response, "error": None}


def _summed(usages: list[Json]) -> Json:
    """Add up usages in the names of responses, whichever the requests had."""

    def total(*paths: str) -> int:
        return sum(next((found for path in paths if (found := _at(each, path)) is not None), 0) for each in usages)

    return {
        "input_tokens": total("input_tokens", "prompt_tokens"),
        "input_tokens_details": {
            "cached_tokens": total("input_tokens_details.cached_tokens", "prompt_tokens_details.cached_tokens")
        },
        "output_tokens": total("output_tokens", "completion_tokens"),
        "output_tokens_details": {
            "reasoning_tokens": total(
                "output_tokens_details.reasoning_tokens", "completion_tokens_details.reasoning_tokens"
            )
        },
        "total_tokens": total("total_tokens"),
    }


def _at(usage: Json, path: str) -> Any:
    value: Any = usage
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
