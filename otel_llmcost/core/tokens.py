"""How many input tokens a request will take, by a cheap rule, before it is sent.

Text counts ASCII / 4 + 0.75 per other character; framing, tools, images, sound, video and files count by what the
providers publish (`input_rules`, `shapes`). A factor learned for the model (`learned`) then corrects the text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import NamedTuple

from otel_llmcost.core.body import BodyWalk, CountText, is_fields, text_tokens
from otel_llmcost.core.shapes import SHAPES
from otel_llmcost.core.usage import Unit, Usage

__all__ = ["DIALECTS", "CountText", "InputCount", "count_input", "text_tokens"]

DIALECTS = tuple(SHAPES)
_NOTHING: Mapping[Unit, int] = {}


class InputCount(NamedTuple):
    """Input of one request: tokens, and what else its price may go by. A named tuple, as one is made for each call."""

    text_tokens: float
    """Before the model's learned factor."""
    fixed_tokens: int = 0
    """Known as they are: framing of messages, prompts that tools bring along, token ids."""
    image_tokens: int = 0
    audio_tokens: int = 0
    file_tokens: int = 0
    is_complete: bool = True
    """False: part of the input cannot be seen from here, as a stored conversation, a link or an iterator."""
    video_tokens: int = 0
    other: Mapping[Unit, int] = _NOTHING
    """What is no token: images asked for, pages to read, characters to speak, documents to rank."""

    @property
    def media_tokens(self) -> int:
        """Tokens of images, sound, video and files."""
        return self.image_tokens + self.audio_tokens + self.video_tokens + self.file_tokens

    @property
    def tokens(self) -> int:
        """All input tokens with no factor applied, rounded up."""
        return self.scaled(1.0)

    def scaled(self, factor: float) -> int:
        """Return all input tokens, rounded up, with the factor learned for the model applied to the text."""
        return ceil(self.text_tokens * factor) + self.fixed_tokens + self.media_tokens

    def usage(self, factor: float = 1.0) -> Usage:
        """Return the count as a usage to be priced: the total, the parts that may have a rate of their own, others."""
        text, fixed, images, audio, files, _, videos, other = self
        counts: dict[Unit, int] = {"input_tokens": ceil(text * factor) + fixed + images + audio + videos + files}
        if images:
            counts["input_image_tokens"] = images
        if audio:
            counts["input_audio_tokens"] = audio
        if videos:
            counts["input_video_tokens"] = videos
        if other:
            counts.update(other)
        return Usage(counts)


def count_input(
    body: object, dialect: str, *, model: str | None = None, count_text: CountText = text_tokens
) -> InputCount:
    """Count the input of a request's body; never raises for what is in it.

    Args:
        body: The JSON body as the SDK hands it over: it may still hold an SDK's own objects where dicts will be.
        dialect: How the body is laid out, one of `DIALECTS`.
        model: The model that will serve it, where that is not the one the body names.
        count_text: How text is counted: by the cheap rule, or by a tokeniser.
    """
    if not is_fields(body):
        return InputCount(0.0, is_complete=False)
    shape = SHAPES[dialect]
    if shape.told_by is not None:
        shape = SHAPES[shape.told_by(body)]
    first, messages, per_message, content, structures, schema_share, elsewhere, base, keys, _ = shape
    named = body.get("model") if model is None else model
    walk = BodyWalk(named if isinstance(named, str) else "", count_text, keys)
    for look in first:
        look(walk, body)
    walk.messages(body.get(messages), per_message)
    for key in content:
        walk.content(body.get(key))
    for key in structures:
        if (value := body.get(key)) is not None:
            walk.schema(value, schema_share)
    if elsewhere:
        walk.elsewhere(body, elsewhere)
    return _made(
        InputCount,
        (
            walk.text,
            walk.fixed + base,
            walk.images,
            walk.audio,
            walk.files,
            walk.is_complete,
            walk.videos,
            walk.other,
        ),
    )


_made: Callable[..., InputCount] = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
"""Makes a count without the frame of a call, which the class's own constructor takes."""
