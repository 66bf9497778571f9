"""How many input tokens a request will take, by a cheap rule, before it is sent.

Text counts ASCII / 4 + 0.75 per other character; framing, tools, images, sound and files count by what the providers
publish (`input_rules`). A factor learned for the model (`learned`) then corrects the text.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from otel_llmcost.core.body import BodyWalk, CountText, is_fields, text_tokens
from otel_llmcost.core.usage import Unit, Usage

__all__ = ["DIALECTS", "CountText", "InputCount", "count_input", "text_tokens"]


class InputCount(NamedTuple):
    """Input tokens of one request. A named tuple, as one is made for each call."""

    text_tokens: float
    """Before the model's learned factor."""
    fixed_tokens: int = 0
    """Known as they are: framing of messages, prompts that tools bring along, token ids."""
    image_tokens: int = 0
    audio_tokens: int = 0
    file_tokens: int = 0
    is_complete: bool = True
    """False: part of the input cannot be seen from here, as a stored conversation, a link or an iterator."""

    @property
    def media_tokens(self) -> int:
        """Tokens of images, sound and files."""
        return self.image_tokens + self.audio_tokens + self.file_tokens

    @property
    def tokens(self) -> int:
        """All input tokens with no factor applied, rounded up."""
        return self.scaled(1.0)

    def scaled(self, factor: float) -> int:
        """Return all input tokens, rounded up, with the factor learned for the model applied to the text."""
        return ceil(self.text_tokens * factor) + self.fixed_tokens + self.media_tokens

    def usage(self, factor: float = 1.0) -> Usage:
        """Return the count as a usage to be priced: the total, and the parts that may have a rate of their own."""
        text, fixed, images, audio, files, _ = self
        counts: dict[Unit, int] = {"input_tokens": ceil(text * factor) + fixed + images + audio + files}
        if images:
            counts["input_image_tokens"] = images
        if audio:
            counts["input_audio_tokens"] = audio
        return Usage(counts)


def count_input(
    body: object, dialect: str, *, model: str | None = None, count_text: CountText = text_tokens
) -> InputCount:
    """Count the input tokens of a request's body; never raises for what is in it.

    Args:
        body: The JSON body as the SDK hands it over: it may still hold an SDK's own objects where dicts will be.
        dialect: How the body is laid out, one of `DIALECTS`.
        model: The model that will serve it, where that is not the one the body names.
        count_text: How text is counted: by the cheap rule, or by a tokeniser.
    """
    if not is_fields(body):
        return InputCount(0.0, is_complete=False)
    shape = _SHAPES[dialect]
    named = body.get("model") if model is None else model
    walk = BodyWalk(named if isinstance(named, str) else "", count_text)
    walk.messages(body.get(shape.messages), shape.per_message)
    for key in shape.content:
        walk.content(body.get(key))
    for key in shape.structures:
        if (value := body.get(key)) is not None:
            walk.schema(value, shape.schema_share)
    if shape.elsewhere:
        walk.elsewhere(body, shape.elsewhere)
    if shape.has_tool_prompt:
        walk.tool_prompt(body.get("tools"), body.get("tool_choice"))
    return InputCount(walk.text, walk.fixed + shape.base, walk.images, walk.audio, walk.files, walk.is_complete)


class _Shape(NamedTuple):
    """Where a dialect keeps its input, and what it adds to it."""

    messages: str
    content: tuple[str, ...] = ()
    structures: tuple[str, ...] = ()
    """Schemas that are shown to the model."""
    elsewhere: tuple[str, ...] = ()
    """If one of these is set, part of the input lies at the provider."""
    per_message: int = 0
    base: int = 0
    schema_share: float = 1.0
    """What is left of a schema's JSON in the form that the model reads."""
    has_tool_prompt: bool = False


# OpenAI's cookbook, "How to count tokens with tiktoken": 3 tokens a message and 1 its role, 1 a name, 3 that begin the
# answer; by its rule for functions, typical ones take 0.45 to 0.7 of their JSON's tokens.
# Anthropic's "Token counting": "Hello, world" takes 10 tokens, "Hello, Claude" with a system prompt of four 14.
_SHAPES: Mapping[str, _Shape] = {
    "openai.chat": _Shape(
        messages="messages",
        structures=("tools", "functions", "response_format"),
        per_message=4,
        base=3,
        schema_share=0.55,
    ),
    "openai.responses": _Shape(
        messages="input",
        content=("instructions",),
        structures=("tools", "text"),
        elsewhere=("previous_response_id", "conversation", "prompt"),
        per_message=4,
        base=3,
        schema_share=0.55,
    ),
    "openai.completions": _Shape(messages="prompt", content=("suffix",)),
    "openai.embeddings": _Shape(messages="input"),
    "anthropic.messages": _Shape(
        messages="messages",
        content=("system",),
        structures=("tools", "output_format", "output_config"),
        elsewhere=("container", "mcp_servers"),
        per_message=4,
        base=3,
        has_tool_prompt=True,
    ),
}

DIALECTS = tuple(_SHAPES)
