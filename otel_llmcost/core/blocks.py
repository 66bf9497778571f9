"""How the blocks of messages are counted, key by key: OpenAI's, Anthropic's, and of all who write theirs alike."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (The values are anybody's JSON, as in `body`.)

from __future__ import annotations

from otel_llmcost.core.body import PER_ASCII, BodyWalk, Fields, Keys


def _unseen(walk: BodyWalk, value: object, _block: Fields) -> None:
    if value is not None:
        walk.is_complete = False


def _type(walk: BodyWalk, value: object, _block: Fields) -> None:
    if value == "item_reference":
        walk.is_complete = False


def name(walk: BodyWalk, value: object, _block: Fields) -> object:
    """Count a name, which takes a token beside its text."""
    walk.fixed += value is not None
    return value


def arguments(walk: BodyWalk, value: object, _block: Fields) -> object:
    """Count what a tool was called with: JSON as text from OpenAI, as an object from Anthropic."""
    if isinstance(value, str):
        return value
    walk.structure(value)
    return None


def _image_url(walk: BodyWalk, value: object, block: Fields) -> None:
    if isinstance(value, str):
        walk.image(value, block.get("detail"))
    elif value is not None:
        fields = walk.fields(value)
        walk.image(fields.get("url"), fields.get("detail"))


def _result(walk: BodyWalk, value: object, block: Fields) -> object:
    """Count an image that the model made in an earlier turn; any other tool's result is text."""
    if block.get("type") != "image_generation_call":
        return value
    _image_url(walk, value, block)
    return None


def _input_audio(walk: BodyWalk, value: object, _block: Fields) -> None:
    """Count a sound: with its format from OpenAI, as bare base64 or a link from Mistral."""
    if isinstance(value, str):
        walk.sound(value)
    elif value is not None:
        fields = walk.fields(value)
        walk.sound(fields.get("data"), fields.get("format"))


def _file_data(walk: BodyWalk, value: object, block: Fields) -> None:
    if value is not None:
        walk.file(value, block.get("detail"))


def _file_id(walk: BodyWalk, value: object, block: Fields) -> None:
    """Count a file or image that lies at the provider."""
    if isinstance(value, str):
        count = walk.image if "image" in str(block.get("type")) else walk.file
        count(None, block.get("detail"))


def _source(walk: BodyWalk, value: object, block: Fields) -> object:
    """Count what an Anthropic block holds: base64, a link, an uploaded file, plain text or further blocks."""
    if isinstance(value, str):
        return value  # where a search result was found
    fields = walk.fields(value)
    match fields.get("type"):
        case "text":
            return fields.get("data")
        case "content":
            return fields.get("content")
        case _:
            count = walk.image if block.get("type") == "image" else walk.file
            count(fields.get("data"))
            return None


def _images(walk: BodyWalk, value: object, _block: Fields) -> None:
    """Count what Ollama's messages hold beside their text."""
    for image in value if isinstance(value, (list, tuple)) else ():
        walk.image(image)


def _encrypted(walk: BodyWalk, value: object, _block: Fields) -> None:
    """Count text that only the provider can read: base64 of about as many bytes as it had."""
    if isinstance(value, str):
        walk.text += len(value) * 0.75 * PER_ASCII


SKIPPED = (
    "annotations",
    "cache_control",
    "call_id",
    "caller",
    "citations",
    "created_at",
    "created_by",
    "detail",
    "document_name",
    "filename",
    "id",
    "index",
    "is_error",
    "logprobs",
    "media_type",
    "phase",
    "role",
    "signature",
    "status",
    "tool_call_id",
    "tool_use_id",
)

KEYS: Keys = {
    **dict.fromkeys(SKIPPED),
    "arguments": arguments,
    "audio": _unseen,  # an earlier spoken answer, by its id
    "document_url": _file_data,
    "encrypted_content": _encrypted,
    "file_data": _file_data,
    "file_id": _file_id,
    "file_url": _file_data,
    "image_url": _image_url,
    "images": _images,
    "input": arguments,
    "input_audio": _input_audio,
    "name": name,
    "result": _result,
    "source": _source,
    "type": _type,
}
