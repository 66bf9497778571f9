"""What a request's body holds: its texts, images, sounds and files, whatever the dialect.

The body is somebody else's and any shape may come: nothing in it raises, iterators are never consumed, base64 is never
copied, and the number of the values looked at is bounded, so that a cycle ends.
"""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (The values are anybody's JSON; a cast in the loops would cost more than what it guards.)

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil
from typing import Any, TypeGuard

from otel_llmcost.core import input_rules, media, pdf, video
from otel_llmcost.core.usage import Unit

CountText = Callable[[str], float]
Fields = Mapping[Any, Any]
Items = Sequence[Any]
Keys = Mapping[object, Callable[["BodyWalk", object, Fields], object] | None]
"""How a block's key is counted; the answer is what is left of its value to be counted as content. None: not at all.
A key that is not here holds text or further blocks."""

PER_ASCII = 0.25
PER_OTHER = 0.75
"""Tokens of a character beyond ASCII: near for Chinese and Japanese, high for other scripts."""
MAX_VALUES = 250_000
"""Values looked at in one body beside its list of messages; the rest is not counted, and the count says so."""

_PLAIN_KEYS = 2
_LONG_CHARS = 1_000
_JSON_JOINT = '", "'
"""What stands between two strings of JSON, be they keys or values."""
_NO_FIELDS: Fields = {}
_NOTHING: Mapping[Unit, int] = {}


def text_tokens(text: str) -> float:
    """Count a text by the cheap rule."""
    if text.isascii():
        return len(text) * PER_ASCII
    ascii_chars = len(text.encode("ascii", "ignore"))
    return ascii_chars * PER_ASCII + (len(text) - ascii_chars) * PER_OTHER


class BodyWalk:
    """Adds up one body: `text` by `count_text`, `other` in its units, the rest in tokens."""

    __slots__ = (
        "_count_text", "_keys", "_values", "audio", "detail", "files", "fixed", "images", "is_complete", "model",
        "other", "text", "videos",
    )  # fmt: skip

    def __init__(self, model: str, count_text: CountText, keys: Keys) -> None:
        self.model = model
        self._count_text = count_text
        self._keys = keys
        self.text = 0.0
        self._values = self.fixed = self.images = self.audio = self.videos = self.files = 0
        self.is_complete = True
        self.other: Mapping[Unit, int] = _NOTHING
        self.detail: object = "auto"
        """How closely media are looked at where they do not say it themselves."""

    def messages(self, messages: object, per_message: int) -> None:
        """Count a list of messages or inputs, or a single one."""
        if not isinstance(messages, (list, tuple)) or _is_token_ids(messages):
            self.fixed += per_message if messages is not None else 0
            self.content(messages)
            return
        self.fixed += per_message * len(messages)
        by_rule, ascii_chars = self._count_text is text_tokens, 0
        for message in messages:
            # The plain message, role and text, is most of all traffic: it costs no walk, and its text no call.
            if type(message) is dict and len(message) == _PLAIN_KEYS and type(text := message.get("content")) is str:
                if by_rule and text.isascii():
                    ascii_chars += len(text)
                else:
                    self.text += self._count_text(text)
            else:
                self.content(message)
        self.text += ascii_chars * PER_ASCII

    def content(self, value: object) -> None:
        """Count a text, a block or a list of them: keys are structure, strings are text."""
        pending = [value]
        while pending:
            value = pending.pop()
            if type(value) is str:
                self.text += self._count_text(value)
            elif type(value) is dict:
                self._block(value, pending)
            elif type(value) is list and _is_token_ids(value):
                self.fixed += len(value)
            elif type(value) is list:
                pending += self._entered(value)
            else:
                self._unusual(value, pending)

    def structure(self, value: object) -> None:
        """Count JSON that the model reads as such, as schemas and arguments: keys and punctuation are text too."""
        pending, texts = [value], list[str]()
        while pending:
            value = pending.pop()
            if type(value) is dict:
                items = self._entered(value.values())
                texts += value
            elif type(value) is list:
                items = self._entered(value)
            else:
                self._unusual(value, pending)
                continue
            for item in items:
                if type(item) is str and len(item) < _LONG_CHARS:
                    texts.append(item)
                elif type(item) is not bool:
                    pending.append(item)
        try:
            joined = _JSON_JOINT.join(texts)
        except TypeError:  # a key that is no string
            joined = _JSON_JOINT.join(map(str, texts))
        self.text += self._count_text(joined)

    def schema(self, value: object, share: float) -> None:
        """Count schemas of which the model reads only a share."""
        before = self.text
        self.structure(value)
        self.text = before + (self.text - before) * share

    def elsewhere(self, body: Fields, keys: tuple[str, ...]) -> None:
        """Note references to what lies at the provider."""
        for key in keys:
            if isinstance(body.get(key), (str, dict, list)):
                self.is_complete = False

    def image(self, value: object, detail: object = None) -> None:
        """Count an image by the pixels its header gives, by usual ones where it cannot be seen."""
        image = media.payload(value)
        size = None if image is None else media.image_size(image)
        if size is None:
            self.is_complete = False
        self.images += input_rules.image_tokens(self.model, size or input_rules.UNKNOWN_IMAGE, detail or self.detail)

    def sound(self, value: object, format_: object = None) -> None:
        """Count a sound by its length."""
        if (audio := media.payload(value)) is None:
            self.is_complete = False
            seconds = float(input_rules.UNKNOWN_SECONDS)
        else:
            seconds = media.audio_seconds(audio, format_ if isinstance(format_, str) else "")
        self.audio += ceil(seconds * input_rules.audio_tokens_per_second(self.model))

    def film(self, value: object, detail: object = None) -> None:
        """Count a video by its length."""
        if (film := media.payload(value)) is None:
            self.is_complete = False
            seconds = float(input_rules.UNKNOWN_SECONDS)
        else:
            seconds = video.seconds(film)
        self.videos += ceil(seconds * input_rules.video_tokens_per_second(self.model, detail or self.detail))

    def file(self, value: object, detail: object = None) -> None:
        """Count a PDF by its pages, another file by its size, one that cannot be seen as a usual one."""
        page_tokens = input_rules.page_tokens(self.model, detail or self.detail)
        if (file := media.payload(value)) is None:
            self.is_complete = False
            self.files += input_rules.UNKNOWN_PAGES * page_tokens
        elif pdf.is_pdf(file):
            self.files += pdf.pages(file) * page_tokens
        else:
            self.files += ceil(file.size / input_rules.FILE_BYTES_PER_TOKEN)

    def fields(self, value: object) -> Fields:
        """Return the fields of a dict or of an SDK's own object; none of anything else, as of an iterator."""
        if is_fields(value):
            return value
        fields = getattr(value, "__dict__", None)
        if isinstance(fields, dict):
            return fields
        self.is_complete = False
        return _NO_FIELDS

    def _block(self, fields: Fields, pending: list[object]) -> None:
        keys = self._keys
        for key, item in self._entered(fields.items()):
            if key in keys:
                count = keys[key]
                if count is not None and (left := count(self, item, fields)) is not None:
                    pending.append(left)
            elif type(item) is str:
                self.text += self._count_text(item)
            else:
                pending.append(item)

    def _unusual(self, value: object, pending: list[object]) -> None:
        """Count what is no plain text, list or dict, or make it one."""
        if value is None or isinstance(value, bool):
            return
        if isinstance(value, (int, float)):
            self.text += 1
        elif isinstance(value, str):
            self._long(value)
        elif isinstance(value, (list, tuple)):
            pending.append(list(value))
        else:
            pending.append(dict(self.fields(value)))

    def _long(self, text: str) -> None:
        if len(text) >= _LONG_CHARS and text.startswith("data:"):
            self.image(text)  # a mask, the one file that the definition of a tool can hold
        else:
            self.text += self._count_text(text)

    def _entered(self, values: Collection[Any]) -> Collection[Any]:
        """Return the values of a container; none when too many were looked at."""
        self._values += len(values)
        if self._values <= MAX_VALUES:
            return values
        self.is_complete = False
        return ()


def is_fields(value: object) -> TypeGuard[Fields]:
    """Tell whether a value is a dict or another mapping."""
    return type(value) is dict or isinstance(value, Mapping)


def _is_token_ids(items: Items) -> bool:
    """Tell whether a list is a text that was given as token ids."""
    return len(items) > 0 and type(items[0]) is int
