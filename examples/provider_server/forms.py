"""Reads what a client sends: JSON, or a form with files."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message

from examples.provider_server.wire import Json


def read_body(raw: bytes, headers: Mapping[str, str]) -> tuple[Json, dict[str, bytes]]:
    """Return the fields of a request's body, and its files.

    A body that is neither is an empty one, and the endpoint will miss its fields.
    """
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/"):
        return _form(raw, content_type)
    try:
        body = json.loads(gzip.decompress(raw) if headers.get("content-encoding") == "gzip" else raw)
    except (ValueError, OSError, EOFError, zlib.error):
        return {}, {}
    return (body if isinstance(body, dict) else {}), {}


def _form(raw: bytes, content_type: str) -> tuple[Json, dict[str, bytes]]:
    """Read a form; of a file its name and size stand among the fields."""
    message = message_from_bytes(b"content-type: " + content_type.encode() + b"\r\n\r\n" + raw)
    fields: Json = {}
    files: dict[str, bytes] = {}
    for part in message.get_payload() if message.is_multipart() else ():
        if not isinstance(part, Message):
            continue
        name = str(part.get_param("name", header="content-disposition"))
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        if part.get_filename() is None:
            fields[name] = data.decode()
        else:
            files[name] = data
            fields[name] = {"filename": part.get_filename(), "bytes": len(data)}
    return fields, files
