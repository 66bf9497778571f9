"""What the providers publish about counting input that is not text, as tables by model.

Sources, read in their versions of autumn 2026:
OpenAI, "Images and vision": model sizing behavior, patch-based and tile-based image tokenization
(developers.openai.com/api/docs/guides/images-vision); "File inputs" (…/guides/file-inputs); "Managing costs" of the
Realtime API for audio (…/guides/realtime-costs).
Anthropic, platform.claude.com/docs/en/: "Vision" (build-with-claude/vision) and "Coordinates and bounding boxes" for
images, "PDF support" (build-with-claude/pdf-support), "Tool use" for the system prompt that tools bring along
(agents-and-tools/tool-use/overview), "Models overview" for its two tokenisers.
Google: see `gemini_rules`.

Rows are named tuples: a dataclass takes five times as long to define, which each host's start would pay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from math import ceil, sqrt
from typing import Literal, NamedTuple, TypeVar, assert_never

from otel_llmcost.core import gemini_rules

UNKNOWN_IMAGE = (1024, 1024)
"""Pixels of an image that lies behind a link or cannot be read."""
UNKNOWN_PAGES = 5
"""Pages of a document that lies behind a link or at the provider."""
UNKNOWN_SECONDS = 60
"""Length of a sound or video that lies there."""
FILE_BYTES_PER_TOKEN = 4
"""Of a file that is not a PDF only the text is read: as prose, for want of a published rule."""
AUDIO_TOKENS_PER_SECOND = 10
"""OpenAI: one token for 100 ms of a user's speech."""


class Sizing(NamedTuple):
    """How far an image is shrunk before it is cut into patches."""

    max_edge: int
    max_patches: int | None = None


class Patches(NamedTuple):
    """OpenAI's newer rule: patches of 32 by 32 pixels, times a multiplier."""

    percent: int = 120
    """The multiplier in hundredths, so that rounding up is exact."""
    low: Sizing = Sizing(2048, 6144)
    high: Sizing = Sizing(2048, 2500)
    original: Sizing = Sizing(6000, 10_000)
    auto: Literal["high", "original"] = "high"
    pages: Literal["low", "high"] = "low"
    """What `auto` means for the pages of a PDF."""


class Tiles(NamedTuple):
    """OpenAI's older rule: a base and a price per tile of 512 by 512 pixels."""

    base: int
    tile: int


class Visual(NamedTuple):
    """Anthropic's rule: patches of 28 by 28 pixels, the image shrunk until both limits hold."""

    max_edge: int
    max_tokens: int


ImageRule = Patches | Tiles | Visual

_ANY_DETAIL = Sizing(2048, 6144)
_OLD_BUDGET = Sizing(2048, 1536)
_SMALL = Sizing(512)
_UNBOUNDED = Sizing(65_535)
_GPT_6 = Patches(low=_SMALL, high=Sizing(65_535, 2500), original=_UNBOUNDED, auto="original", pages="high")
_GPT_5_6 = Patches(low=_SMALL, original=_UNBOUNDED, auto="original", pages="high")
_GPT_5_2 = Patches(high=_ANY_DETAIL, original=_ANY_DETAIL)

# A name takes the row of its longest prefix. `high` of GPT-6 has no pixel limit: measured counts say so.
_IMAGES: Mapping[str, ImageRule] = {
    "gpt-": _GPT_6,
    "gpt-5.": _GPT_5_6,
    "gpt-5.5": Patches(low=_SMALL, auto="original"),
    "gpt-5.4": Patches(),
    "gpt-5.3": _GPT_5_2,
    "gpt-5.2": _GPT_5_2,
    "gpt-5.1": Tiles(70, 140),
    "gpt-5.1-codex-mini": _GPT_5_2,
    "gpt-5": Tiles(70, 140),
    "gpt-5-mini": Patches(percent=120, low=_OLD_BUDGET, high=_OLD_BUDGET, original=_OLD_BUDGET),
    "gpt-5-nano": Patches(percent=150, low=_OLD_BUDGET, high=_OLD_BUDGET, original=_OLD_BUDGET),
    "gpt-4": Tiles(85, 170),
    "gpt-4o-mini": Tiles(2833, 5667),
    "gpt-4.1-mini": Patches(percent=162, high=_ANY_DETAIL, original=_ANY_DETAIL),
    "gpt-4.1-nano": Patches(percent=246, low=_OLD_BUDGET, high=_OLD_BUDGET, original=_OLD_BUDGET),
    "chatgpt-4o": Tiles(85, 170),
    "o1": Tiles(75, 150),
    "o3": Tiles(75, 150),
    "o4-mini": Patches(percent=172, low=_OLD_BUDGET, high=_OLD_BUDGET, original=_OLD_BUDGET),
    "computer-use": Tiles(65, 129),
}
_OTHER_IMAGES = Tiles(85, 170)
"""Models that speak OpenAI's dialect without a published rule; most count about this much."""
_CLAUDE = Visual(2576, 4784)
_CLAUDE_BEFORE_4_7 = Visual(1568, 1568)

# System prompt of tool use: tokens with tool_choice auto or none, and with any or tool.
_TOOL_PROMPTS: Mapping[str, tuple[int, int]] = {
    "claude-": (286, 406),  # as Opus 5, the newest one published
    "claude-sonnet-": (354, 474),
    "claude-opus-4-7": (675, 804),
    "claude-opus-4-8": (290, 410),
    "claude-opus-4-6": (497, 589),
    "claude-sonnet-4-6": (497, 589),
    "claude-opus-4-5": (496, 588),
    "claude-sonnet-4-5": (496, 588),
    "claude-haiku-4-5": (496, 588),
    "claude-opus-4": (313, 315),
    "claude-sonnet-4": (313, 315),
    "claude-3-7-sonnet": (346, 313),
    "claude-3-5-sonnet": (346, 313),
    "claude-3-5-haiku": (264, 355),
    "claude-3-opus": (530, 281),
    "claude-3-sonnet": (159, 235),
    "claude-3-haiku": (264, 340),
}
# Tools whose schema the provider brings along, by the beginning of their type.
_PROVIDED_TOOLS: Mapping[str, int] = {"bash_": 245, "text_editor_": 700, "computer_": 735}

_ANTHROPIC_PAGE = 2250
"""The middle of the published 1,500 to 3,000 tokens a page; measured pages took 1,520 (scan) to 2,400 (table)."""
_PAGE_PIXELS = (1024, 1325)
_PAGE_TEXT_TOKENS = 500
"""A page of prose, which OpenAI sends beside the page's image."""


def image_tokens(model: str, size: tuple[int, int], detail: object = "auto") -> int:
    """Return what an image of `size` pixels (width, height) costs a model, in tokens."""
    if (name := family(model)).startswith("gemini"):
        return gemini_rules.image_tokens(name, size, detail)
    rule = _image_rule(model)
    match rule:
        case Patches():
            return _patch_tokens(rule, size, detail)
        case Tiles():
            return _tile_tokens(rule, size, detail)
        case Visual():
            return _visual_tokens(rule, size)
        case _:
            assert_never(rule)


def page_tokens(model: str, detail: object = "auto") -> int:
    """Return what a page of a PDF costs a model, its text and its image together."""
    if (name := family(model)).startswith("gemini"):
        return gemini_rules.page_tokens(name, detail)
    rule = _image_rule(model)
    if isinstance(rule, Visual):
        return _ANTHROPIC_PAGE
    if detail not in ("low", "high"):
        detail = rule.pages if isinstance(rule, Patches) else "low"
    return _PAGE_TEXT_TOKENS + image_tokens(model, _PAGE_PIXELS, detail)


def audio_tokens_per_second(model: str) -> int:
    """Return what a second of sound costs a model, in tokens."""
    is_gemini = family(model).startswith("gemini")
    return gemini_rules.AUDIO_TOKENS_PER_SECOND if is_gemini else AUDIO_TOKENS_PER_SECOND


def video_tokens_per_second(model: str, detail: object = "auto") -> int:
    """Return what a second of video costs a model, in tokens; for want of other rules, as the newest Gemini."""
    return gemini_rules.video_tokens_per_second(family(model), detail)


@lru_cache(maxsize=256)
def tool_prompt_tokens(model: str, *, is_forced: bool) -> int:
    """Return the tokens of the system prompt that comes along as soon as a Claude model is given tools."""
    auto, forced = longest_prefix(_TOOL_PROMPTS, family(model)) or _TOOL_PROMPTS["claude-"]
    return forced if is_forced else auto


def provided_tool_tokens(type_: object) -> int:
    """Return the tokens of a tool that Anthropic itself describes, such as `bash_20250124`; 0: not one of them."""
    return (longest_prefix(_PROVIDED_TOOLS, type_) or 0) if isinstance(type_, str) else 0


@lru_cache(maxsize=256)
def typical_factor(model: str) -> float:
    """Return how many tokens a model makes where the tokeniser of GPT-4o and later makes one.

    Anthropic gives 3.4 characters a token before Claude 4.7 and 2.5 since, "roughly 30 %" more tokens; the same page
    measured on both and on GPT took 1.04 and 1.4 times as many.
    """
    name = family(model)
    if not name.startswith("claude"):
        return 1.0
    return 1.4 if _claude_version(name) >= _NEW_TOKENISER else 1.1


@lru_cache(maxsize=256)
def family(model: str) -> str:
    """Return a model's name without what gateways, clouds and fine-tuning put before it; empty: an unknown kind.

    `ft:gpt-4o:acme` is `gpt-4o:acme`, `us.anthropic.claude-opus-5-v1:0` is `claude-opus-5-v1:0`.
    """
    found = re.search(_FAMILY, model.lower())
    return found[1] if found else ""


def longest_prefix(table: Mapping[str, _Row], name: str) -> _Row | None:
    """Return the row of the longest key that a name begins with; None: no key fits."""
    prefix = max((prefix for prefix in table if name.startswith(prefix)), key=len, default=None)
    return None if prefix is None else table[prefix]


_KINDS = "claude|gemini|gpt|chatgpt|o[134]|computer-use|text-embedding|davinci|babbage"
_FAMILY = rf"(?:^|[^a-z0-9])((?:{_KINDS})(?![a-z]).*)"
_VERSION = r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?"
_NEW_TOKENISER = (4, 7)
"""Claude 4.7 brought both a new tokeniser and larger images."""
_Row = TypeVar("_Row")


@lru_cache(maxsize=256)
def _image_rule(model: str) -> ImageRule:
    name = family(model)
    if name.startswith("claude"):
        return _CLAUDE if _claude_version(name) >= _NEW_TOKENISER else _CLAUDE_BEFORE_4_7
    return longest_prefix(_IMAGES, name) or _OTHER_IMAGES


def _claude_version(name: str) -> tuple[int, int]:
    found = re.match(_VERSION, name)
    return (int(found[1]), int(found[2] or 0)) if found else _NEW_TOKENISER


def _patch_tokens(rule: Patches, size: tuple[int, int], detail: object) -> int:
    if detail not in ("low", "high", "original"):
        detail = rule.auto
    sizing = rule.low if detail == "low" else rule.high if detail == "high" else rule.original
    width, height = _fitted(size, sizing.max_edge)
    budget = sizing.max_patches
    if budget is not None and _patches(width, height, 32) > budget:
        shrink = sqrt(32 * 32 * budget / (width * height))
        across, down = width * shrink / 32, height * shrink / 32
        shrink *= min(int(across) / across, int(down) / down)
        width, height = max(int(width * shrink), 1), max(int(height * shrink), 1)
    return -(-_patches(width, height, 32) * rule.percent // 100)


def _tile_tokens(rule: Tiles, size: tuple[int, int], detail: object) -> int:
    if detail == "low":
        return rule.base
    width, height = size
    scale = min(1.0, 2048 / max(size), 768 / min(size))
    return rule.base + rule.tile * _patches(max(int(width * scale), 1), max(int(height * scale), 1), 512)


def _visual_tokens(rule: Visual, size: tuple[int, int]) -> int:
    long, short = max(size), min(size)

    def cost(edge: int) -> int:
        return _patches(edge, max(round(edge * short / long), 1), 28)

    fits, too_long = 1, min(long, rule.max_edge) + 1
    while fits + 1 < too_long:
        middle = (fits + too_long) // 2
        fits, too_long = (middle, too_long) if cost(middle) <= rule.max_tokens else (fits, middle)
    return cost(fits)


def _fitted(size: tuple[int, int], max_edge: int) -> tuple[int, int]:
    scale = min(1.0, max_edge / max(size))
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def _patches(width: int, height: int, edge: int) -> int:
    return ceil(width / edge) * ceil(height / edge)
