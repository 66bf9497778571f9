"""Amazon's frames, and a Bedrock client that finds the replay server in Amazon's place."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from zlib import crc32

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.replay.server import Received, Reply, as_json

REQUEST_ID = "5a4c1f0e-8a5d-4b41-9a56-5ff3e6d0c111"
ASKED = (("x-amzn-RequestId", REQUEST_ID),)
STREAM = "application/vnd.amazon.eventstream"


@cache
def _session() -> boto3.session.Session:
    """Make the one session: it reads Amazon's descriptions of its services once."""
    return boto3.session.Session("AKIDEXAMPLE", "secret", region_name="us-east-1")


def needs(operation: str, *members: str) -> pytest.MarkDecorator:
    """Skip a test where the SDK is too old to know an operation, or a field of its answer."""
    loader = _session()._session.get_component("data_loader")
    described = loader.load_service_model("bedrock-runtime", "service-2")
    shapes, called = described["shapes"], described["operations"].get(operation)
    shape = called and called["output"]["shape"]
    for member in members if called else ():
        shape = shape and shapes[shape]["members"].get(member, {}).get("shape")
    return pytest.mark.skipif(shape is None, reason=f"this botocore does not know {operation} {'.'.join(members)}")


@contextmanager
def client(url: str, *, attempts: int = 1, service: str = "bedrock-runtime", **options: Any) -> Iterator[Any]:
    config = Config(retries={"total_max_attempts": attempts}, **options)
    made = _session().client(service, endpoint_url=url, config=config)
    try:
        yield made
    finally:
        made.close()


def is_rightly_signed(url: str, received: Received) -> bool:
    """Tell whether a request's signature is that of what came."""
    told = received.headers["authorization"]
    signed = told.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(received.method, url + received.path, data=received.body)
    for name in signed:
        request.headers[name] = received.headers[name]
    request.context["timestamp"] = received.headers["x-amz-date"]
    auth = SigV4Auth(Credentials("AKIDEXAMPLE", "secret"), "bedrock", "us-east-1")
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return bool(told.endswith("Signature=" + auth.signature(text, request)))


def answered(value: object, *, headers: Mapping[str, str] | None = None) -> Reply:
    return as_json(value, headers=(*ASKED, *(headers or {}).items()))


def counted(input_tokens: int, output_tokens: int | None = None, **cached: int) -> dict[str, str]:
    """Return the headers by which InvokeModel counts."""
    counts = {
        "input": input_tokens,
        "output": output_tokens,
        **{f"cache-{name}-input": n for name, n in cached.items()},
    }
    return {f"X-Amzn-Bedrock-{name}-Token-Count": str(count) for name, count in counts.items() if count is not None}


def failed(status: int, name: str, message: str = "no") -> Reply:
    return as_json({"message": message}, status=status, headers=(*ASKED, ("x-amzn-ErrorType", f"{name}:http://x/")))


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Frame a message: lengths and their checksum, headers, payload, checksum of all."""
    told = b"".join(
        bytes((len(name),)) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value.encode()
        for name, value in headers.items()
    )
    sizes = (16 + len(told) + len(payload)).to_bytes(4, "big") + len(told).to_bytes(4, "big")
    head = sizes + crc32(sizes).to_bytes(4, "big")
    whole = head + told + payload
    return whole + crc32(whole).to_bytes(4, "big")


def event(kind: str, value: object) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(value, separators=(",", ":")).encode())


def exception(kind: str, message: str) -> bytes:
    headers = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


def piece(value: object) -> bytes:
    """Frame an event of a model's own, which InvokeModel hands on in base64, beside letters that mean nothing."""
    return event("chunk", {"bytes": b64encode(json.dumps(value, separators=(",", ":")).encode()).decode(), "p": "abc"})


def streamed(frames: Sequence[bytes], *, breaks_after: int | None = None) -> Reply:
    return Reply(content_type=STREAM, headers=ASKED, body=b"".join(frames), breaks_after=breaks_after)
