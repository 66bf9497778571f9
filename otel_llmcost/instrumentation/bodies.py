"""What a request's body says, whatever form it has: an object of JSON, or the fields of a form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from otel_llmcost.adapters.getters import fields_of

MOST_BODY_BYTES = 64 << 20
"""A longer body is not looked into."""
_NAME = re.compile(rb'\bname="([^"]*)"')
_FILE = re.compile(rb"\bfilename\*?=")
_WORDS = {"true": True, "false": False}


def body_of(content: object, content_type: str = "") -> Mapping[str, Any]:
    """Return the fields of a body; none, if there are none to be seen. Files of a form are left out.

    Args:
        content: Bytes, text, fields, or the form of an HTTP client, whose files are read only as they are sent.
        content_type: As the request's header says.
    """
    if isinstance(content, dict):
        return fields_of(content)
    if isinstance(content, (bytes, bytearray, str)):
        if not content or len(content) > MOST_BODY_BYTES:
            return {}
        if "json" in content_type or "form" not in content_type:
            return _json(content)
        return _typed(_form(content, content_type))
    return _typed(_open_form(content))


def is_rewritable(content: object, content_type: str) -> bool:
    """Tell whether what `body_of` gives of a content is all of it."""
    is_form = "form" in content_type and "json" not in content_type
    return isinstance(content, (bytes, bytearray, str)) and not is_form


def _json(content: bytes | bytearray | str) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return fields_of(value) if isinstance(value, dict) else {}


def _typed(fields: Iterable[tuple[str, str]]) -> Mapping[str, Any]:
    """Read what a form can only say in words."""
    return {name: _WORDS.get(text, int(text) if text.isdecimal() else text) for name, text in fields}


def _form(content: bytes | bytearray | str, content_type: str) -> Iterator[tuple[str, str]]:
    body = content.encode() if isinstance(content, str) else bytes(content)
    _, _, parting = content_type.partition("boundary=")
    if not parting:
        yield from parse_qsl(body.decode("utf-8", "replace"))
        return
    for part in body.split(b"--" + parting.split(";")[0].strip(' "').encode()):
        head, _, text = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if name is not None and not _FILE.search(head):
            yield name[1].decode("utf-8", "replace"), text.removesuffix(b"\r\n").decode("utf-8", "replace")


def _open_form(form: object) -> Iterator[tuple[str, str]]:
    """Give the fields of a form that is yet to be written out: httpx's has objects, aiohttp's has tuples."""
    fields: Any = getattr(form, "fields", None) or getattr(form, "_fields", None) or ()
    for field in fields:
        options: Any = fields_of(field) if hasattr(field, "name") else field[0]
        value: Any = options.get("value") if hasattr(field, "name") else field[-1]
        name: Any = options.get("name")
        if isinstance(name, str) and "filename" not in options and isinstance(value, (bytes, str)):
            yield name, value.decode("utf-8", "replace") if isinstance(value, bytes) else value
