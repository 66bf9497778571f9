"""Anthropic's message batches: one has ended when it is asked for the first time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from examples.provider_server import anthropic_messages
from examples.provider_server.errors import error_body
from examples.provider_server.tokens import compact
from examples.provider_server.wire import Blob, Json, Reply, Request, WireError, new_id

_NONE = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


def create(request: Request) -> Reply:
    """Answer `POST /v1/messages/batches`."""
    asked: list[Json] = request.required("requests")
    made = datetime.fromtimestamp(request.now, UTC)
    batch: Json = {
        "id": new_id("msgbatch_"),
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": _NONE | {"processing": len(asked)},
        "created_at": made.isoformat(),
        "expires_at": (made + timedelta(days=1)).isoformat(),
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }
    request.memory.keep(batch["id"], (batch, [_result(request, each) for each in asked]))
    return Reply(batch)


def retrieve(request: Request) -> Reply:
    """Answer `GET /v1/messages/batches/{id}`."""
    batch, results = request.memory.kept(request.at["id"])
    kinds = [each["result"]["type"] for each in results]
    batch |= {
        "processing_status": "ended",
        "request_counts": _NONE | {kind: kinds.count(kind) for kind in kinds},
        "ended_at": datetime.fromtimestamp(request.now, UTC).isoformat(),
        "results_url": f"http://{request.host}/v1/messages/batches/{batch['id']}/results",
    }
    return Reply(batch)


def results(request: Request) -> Blob:
    """Answer `GET /v1/messages/batches/{id}/results`: a message a line, each with its usage."""
    _, found = request.memory.kept(request.at["id"])
    usages = [each["result"]["message"]["usage"] for each in found if each["result"]["type"] == "succeeded"]
    total = {name: sum(each[name] for each in usages) for name in ("input_tokens", "output_tokens")}
    return Blob("".join(f"{compact(each)}\n" for each in found).encode(), "application/x-jsonl", total)


def _result(request: Request, asked: Json) -> Json:
    try:
        answer = anthropic_messages.messages(replace(request, body=asked["params"] | {"stream": False}))
    except WireError as error:
        result: Json = {"type": "errored", "error": error_body("anthropic", error.status, str(error))}
        return {"custom_id": asked["custom_id"], "result": result}
    message = answer.body if isinstance(answer, Reply) else {}
    usage = message["usage"] | {"service_tier": "batch"}
    return {
        "custom_id": asked["custom_id"],
        "result": {"type": "succeeded", "message": message | {"usage": usage}},
    }
