"""Counting with a model's own tokeniser, where exact counts are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from otel_llmcost.core.input_rules import family, longest_prefix
from otel_llmcost.core.tokens import CountText, InputCount, count_input
from otel_llmcost.tokens import encodings

PIECE_CHARS = 16_384
"""Texts are counted piece by piece: a million blanks in a row make tiktoken's pattern overflow its stack and panic."""


class ModelEncoding(NamedTuple):
    """The encoding that a model's text is counted with."""

    name: str
    is_exact: bool
    """False: the model has another one, which is not public; `learned` knows by how much they differ."""


def encoding_for(model: str) -> ModelEncoding:
    """Return the encoding of a model by any of its names, such as `azure/gpt-4o` or `ft:gpt-4o-mini:acme`."""
    name = longest_prefix(_ENCODINGS, family(model))
    return ModelEncoding("o200k_base", is_exact=False) if name is None else ModelEncoding(name, is_exact=True)


def ready(model: str) -> bool:
    """Tell whether counting for a model will start at once; if not, its encoding takes about 0.3 s to make."""
    return encodings.made(encoding_for(model).name) is not None


def warm(model: str) -> None:
    """Make a model's encoding, if it is not there: for a worker thread, never for an event loop's own."""
    encodings.make(encoding_for(model).name)


def text_counter(model: str) -> CountText:
    """Return a function that counts text with a model's encoding; that is made at the first text."""
    name = encoding_for(model).name

    def count(text: str) -> int:
        encoding = encodings.made(name) or encodings.make(name)
        if len(text) <= PIECE_CHARS:
            return len(encoding.encode_ordinary(text))
        return sum(len(encoding.encode_ordinary(piece)) for piece in _pieces(text))

    return count


def count_text(text: str, model: str) -> int:
    """Count a text's tokens; special tokens in it count as the plain text that they are."""
    return int(text_counter(model)(text))


def count_body(body: object, dialect: str, model: str) -> InputCount:
    """Count a request's input as `count_input` does, with text and schemas by the model's encoding."""
    return count_input(body, dialect, model=model, count_text=text_counter(model))


# By the longest prefix. gpt-oss has further special tokens, but text is cut as by o200k_base.
_ENCODINGS: Mapping[str, str] = {
    "gpt-": "o200k_base",
    "gpt-4": "cl100k_base",
    "gpt-4o": "o200k_base",
    "gpt-4.": "o200k_base",
    "gpt-3.5": "cl100k_base",
    "gpt-35": "cl100k_base",
    "chatgpt-4o": "o200k_base",
    "o1": "o200k_base",
    "o3": "o200k_base",
    "o4": "o200k_base",
    "text-embedding-": "cl100k_base",
    "davinci-002": "cl100k_base",
    "babbage-002": "cl100k_base",
}


def _pieces(text: str) -> list[str]:
    """Cut a text before blanks, where the encodings' patterns cut as well; anywhere if there is none."""
    pieces: list[str] = []
    start = 0
    while len(text) - start > PIECE_CHARS:
        cut = text.rfind(" ", start + 1, start + PIECE_CHARS)
        cut = start + PIECE_CHARS if cut < 0 else cut
        pieces.append(text[start:cut])
        start = cut
    pieces.append(text[start:])
    return pieces
