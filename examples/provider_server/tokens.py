"""The server's token count: a rule that anybody can repeat, so that a test can predict what a call costs.

A token is a run of up to six ASCII letters, digits or underscores, or any other single character that is not a space.
A message costs 4 tokens more than its text, a part that is not text (an image, a file) 85.
Tools and schemas count as their compact JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

TOKENS_PER_MESSAGE = 4
TOKENS_PER_PART = 85
"""What an image or a file costs, whatever its size."""

_CARRIERS = ("text", "thinking", "refusal", "content", "output", "summary", "function")
"""Where the text of a part may be; a part with none of them is an image or a file."""
_NOTHING = object()
_TOKEN = re.compile(r"[A-Za-z0-9_]{1,6}|\S")
_PIECE = re.compile(r"\s*(?:[A-Za-z0-9_]{1,6}|\S)|\s+$")


def count(text: str) -> int:
    """Return how many tokens `text` has."""
    return len(_TOKEN.findall(text))


def pieces(text: str) -> list[str]:
    """Cut `text` into what a stream sends one by one: a token each, with the space before it."""
    return _PIECE.findall(text)


def first(text: str, tokens: int) -> str:
    """Return the beginning of `text` that has `tokens` tokens."""
    return "".join(pieces(text)[:tokens])


def compact(value: Any) -> str:
    """Write a JSON value without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read(content: Any) -> tuple[str, int]:
    """Read the text of a message's content, or of a part of it, in OpenAI's or Anthropic's form.

    Returns:
        The text, and the tokens of the parts that are not text.
    """
    match content:
        case None | str():
            return content or "", 0
        case list():
            return _joined(read(part) for part in content)
        case {"name": str(name), "arguments": arguments} | {"name": str(name), "input": arguments}:
            return f"{name} {arguments if isinstance(arguments, str) else compact(arguments)}", 0
        case dict():
            inner = next((content[key] for key in _CARRIERS if key in content), _NOTHING)
            return ("", TOKENS_PER_PART) if inner is _NOTHING else read(inner)
        case _:
            return "", TOKENS_PER_PART


def _joined(parts: Iterable[tuple[str, int]]) -> tuple[str, int]:
    texts: list[str] = []
    tokens = 0
    for text, other in parts:
        if text:
            texts.append(text)
        tokens += other
    return "\n".join(texts), tokens
