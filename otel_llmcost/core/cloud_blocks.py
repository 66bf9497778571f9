"""How Google's and Amazon's blocks are counted, which tell by a key of their own what they hold."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (The values are anybody's JSON, as in `body`.)

from __future__ import annotations

from otel_llmcost.core.blocks import KEYS, arguments, name
from otel_llmcost.core.body import BodyWalk, Fields, Keys, is_fields


def _inline(walk: BodyWalk, value: object, block: Fields) -> None:
    """Count a medium inside a Gemini part."""
    fields = walk.fields(value)
    _medium(walk, fields.get("data"), _mime(fields), _resolution(block))


def _linked(walk: BodyWalk, value: object, block: Fields) -> None:
    """Count a medium that lies at Google or behind a link."""
    fields = walk.fields(value)
    uri = fields.get("fileUri") or fields.get("file_uri")
    is_film = isinstance(uri, str) and "youtu" in uri
    _medium(walk, None, _mime(fields) or ("video/mp4" if is_film else ""), _resolution(block))


def _data(walk: BodyWalk, value: object, block: Fields) -> None:
    """Count a medium of an interaction, inside it or behind a link."""
    if value is not None:
        kind = block.get("type")
        mime = _mime(block) or (f"{kind}/" if isinstance(kind, str) else "")
        _medium(walk, value, mime, block.get("resolution"))


def _medium(walk: BodyWalk, data: object, mime: str, detail: object) -> None:
    match mime.partition("/")[0]:
        case "image":
            walk.image(data, detail)
        case "audio":
            walk.sound(data, mime.partition("/")[2])
        case "video":
            walk.film(data, detail)
        case _:
            walk.file(data, detail)


def _mime(fields: Fields) -> str:
    mime = fields.get("mimeType") or fields.get("mime_type")
    return mime.lower() if isinstance(mime, str) else ""


def _resolution(block: Fields) -> object:
    asked = block.get("mediaResolution") or block.get("media_resolution")
    return asked.get("level") if is_fields(asked) else asked


def _predicted_image(walk: BodyWalk, value: object, _block: Fields) -> None:
    """Count an image that is to be embedded or changed."""
    walk.image(walk.fields(value).get("bytesBase64Encoded"))


def _predicted_video(walk: BodyWalk, value: object, _block: Fields) -> None:
    walk.film(walk.fields(value).get("bytesBase64Encoded"))


_GOOGLE_SKIPPED = (
    *("cachedContent", "dynamicRetrievalConfig", "fps", "language", "mediaResolution", "media_resolution", "mimeType"),
    *("mime_type", "model", "outcome", "outputDimensionality", "output_dimensionality", "processing", "resolution"),
    *("taskType", "task_type", "thoughtSignature", "thought_signature", "videoMetadata", "video_metadata"),
)
GEMINI_KEYS: Keys = {
    **KEYS,
    **dict.fromkeys(_GOOGLE_SKIPPED),
    "args": arguments,
    "data": _data,
    "fileData": _linked,
    "file_data": _linked,
    "image": _predicted_image,
    "inlineData": _inline,
    "inline_data": _inline,
    "response": arguments,
    "uri": _data,
    "video": _predicted_video,
}


def _image(walk: BodyWalk, value: object, _block: Fields) -> None:
    walk.image(_bytes(walk, value))


def _document(walk: BodyWalk, value: object, _block: Fields) -> object:
    """Count a document: a file, or text in pieces."""
    fields = walk.fields(value)
    source = walk.fields(fields.get("source") or {})
    if isinstance(text := source.get("text"), str):
        return text
    if (content := source.get("content")) is not None:
        return content
    walk.file(source.get("bytes"))
    return None


def _audio(walk: BodyWalk, value: object, _block: Fields) -> None:
    walk.sound(_bytes(walk, value), walk.fields(value).get("format"))


def _video(walk: BodyWalk, value: object, _block: Fields) -> None:
    walk.film(_bytes(walk, value))


def _bytes(walk: BodyWalk, value: object) -> object:
    """Return what a block holds; None where that lies at Amazon."""
    return walk.fields(walk.fields(value).get("source") or {}).get("bytes")


_AMAZON_SKIPPED = (
    *("cachePoint", "format", "qualifiers", "redactedContent", "searchResultIndex", "status", "toolUseId", "type"),
    *("truncationMode", "embeddingPurpose", "embeddingDimension", "detailLevel", "negativeText"),
)
BEDROCK_KEYS: Keys = {
    **KEYS,
    **dict.fromkeys(_AMAZON_SKIPPED),
    "audio": _audio,
    "document": _document,
    "image": _image,
    "json": arguments,
    "name": name,
    "video": _video,
}
