"""What Google publishes about counting images, sound, video and documents for Gemini.

Sources, read in their versions of autumn 2026: ai.google.dev/gemini-api/docs/ "Understand and count tokens" (tokens),
"Image understanding" (image-understanding) for the size of a tile, "Media resolution" (media-resolution) for Gemini 3.
Media that are sized "ultra high" are counted by the same tables; what they leave open counts as by default.
"""

from __future__ import annotations

from collections.abc import Mapping

AUDIO_TOKENS_PER_SECOND = 32
_TILE = 258
"""Tokens of a tile, of a small image, of a page, of a frame."""
_SMALL_EDGE = 384
_MOST_TILES = 100
"""Keeps a strip of few pixels' height from counting as thousands."""
_LOW_IMAGE = 64
_FILM = 263
_LOW_FILM = 98
"""66 for a frame and 32 for a second's sound."""

# Since Gemini 3 a medium has a budget of its own, whatever its pixels.
_IMAGES: Mapping[str, int] = {"low": 280, "medium": 560, "high": 1120, "ultra_high": 2240}
_PAGES: Mapping[str, int] = {"low": 280, "medium": 560, "high": 1120, "ultra_high": 2240}
_FRAMES: Mapping[str, int] = {"low": 70, "medium": 70, "high": 280}
_DEFAULT_IMAGE, _DEFAULT_PAGE, _DEFAULT_FRAME = 1120, 560, 70


def image_tokens(name: str, size: tuple[int, int], detail: object) -> int:
    """Return the tokens of an image.

    Args:
        name: The model, from `gemini` on.
        size: Pixels, width and height.
        detail: As Google names it, `MEDIA_RESOLUTION_HIGH`, or plainly, `high`.
    """
    level = _level(detail)
    if _is_budgeted(name):
        return _IMAGES.get(level, _DEFAULT_IMAGE)
    if level == "low":
        return _LOW_IMAGE
    if max(size) <= _SMALL_EDGE:
        return _TILE
    edge = max(int(min(size) / 1.5), 1)
    return _TILE * min(-(-size[0] // edge) * -(-size[1] // edge), _MOST_TILES)


def page_tokens(name: str, detail: object) -> int:
    """Return the tokens of a document's page."""
    return _PAGES.get(_level(detail), _DEFAULT_PAGE) if _is_budgeted(name) else _TILE


def video_tokens_per_second(name: str, detail: object) -> int:
    """Return the tokens of a second of video, one frame and its sound."""
    level = _level(detail)
    if _is_budgeted(name):
        return _FRAMES.get(level, _DEFAULT_FRAME) + AUDIO_TOKENS_PER_SECOND
    return _LOW_FILM if level == "low" else _FILM


def _level(detail: object) -> str:
    return detail.lower().removeprefix("media_resolution_") if isinstance(detail, str) else ""


def _is_budgeted(name: str) -> bool:
    """Tell Gemini 3 and later; a name without a number, as `gemini-flash-latest`, is the newest."""
    return not name.startswith(("gemini-1", "gemini-2", "gemini-pro", "gemini-embedding", "gemini-robotics-er-1"))
