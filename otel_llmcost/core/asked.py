"""What a request holds or asks for beside its messages, each a function that a dialect's shape names.

Work that is billed in other units than tokens, such as images, pages, searches and characters, and what tools and
settings add.
"""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# (The values are anybody's JSON, as in `body`.)

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from otel_llmcost.core import input_rules, media, pdf
from otel_llmcost.core.body import BodyWalk, Fields, is_fields
from otel_llmcost.core.usage import Unit

_DOCUMENTS_PER_SEARCH = 100
_TOKENS_PER_DOCUMENT = 500
"""Cohere splits a longer document, the query included, into several."""
_IMAGEN_IMAGES = 4
"""How many Google's image models make where the request does not say it."""
_MOST = 10_000
"""More of anything than any provider does for one request."""


def claude_tools(walk: BodyWalk, body: Fields) -> None:
    """Count what tools bring along at Anthropic."""
    choice = body.get("tool_choice")
    is_forced = choice is not None and walk.fields(choice).get("type") in ("any", "tool")
    _claude_tools(walk, body.get("tools"), is_forced=is_forced)


def bedrock_tools(walk: BodyWalk, body: Fields) -> None:
    """Count the same for a Claude model at Amazon, where Converse wraps the tools."""
    if input_rules.family(walk.model).startswith("claude") and is_fields(config := body.get("toolConfig")):
        choice = config.get("toolChoice")
        is_forced = is_fields(choice) and ("any" in choice or "tool" in choice)
        _claude_tools(walk, config.get("tools"), is_forced=is_forced)


def gemini_settings(walk: BodyWalk, body: Fields) -> None:
    """Count the answer's schema, and note how closely media are looked at."""
    config = body.get("generationConfig") or body.get("generation_config")
    if is_fields(config):
        walk.detail = config.get("mediaResolution") or config.get("media_resolution") or "auto"
        for key in ("responseSchema", "response_schema", "responseJsonSchema", "response_json_schema"):
            if (schema := config.get(key)) is not None:
                walk.structure(schema)


def images(walk: BodyWalk, body: Fields) -> None:
    """Note how many images are asked for."""
    walk.other = {"images": _number(body.get("n"), 1)}


def imagen(walk: BodyWalk, body: Fields) -> None:
    """Note how many images are asked for; embeddings and videos, asked for in the same form, ask for none."""
    settings = body.get("parameters")
    wanted = settings if is_fields(settings) else {}
    prompts = [each for each in _listed(body.get("instances")) if is_fields(each) and "prompt" in each]
    if prompts and "durationSeconds" not in wanted and not walk.model.lower().startswith("veo"):
        walk.other = {"images": len(prompts) * _number(wanted.get("sampleCount"), _IMAGEN_IMAGES)}


def bedrock_images(walk: BodyWalk, body: Fields) -> None:
    """Note how many images Titan, Nova Canvas and Stability's models are asked for."""
    config = body.get("imageGenerationConfig")
    if is_fields(config):
        walk.other = {"images": _number(config.get("numberOfImages"), 1)}
    elif "text_prompts" in body or "aspect_ratio" in body:
        walk.other = {"images": _number(body.get("samples"), 1)}


def characters(walk: BodyWalk, body: Fields) -> None:
    """Note the characters that are to be spoken."""
    if isinstance(text := body.get("input"), str):
        walk.other = {"characters": len(text)}


def film_length(walk: BodyWalk, body: Fields) -> None:
    """Note how long a video is asked for."""
    seconds = body.get("seconds")
    if isinstance(seconds, str) and seconds.isdecimal() and len(seconds) < len(str(_MOST)):
        seconds = int(seconds)
    if (number := _number(seconds, 0)) > 0:
        walk.other = {"video_milliseconds": number * 1000}


def searches(walk: BodyWalk, body: Fields) -> None:
    """Count a query and the documents to be ranked, and note how many searches they are billed as."""
    walk.content(body.get("query"))
    query = walk.text
    chunks = 0
    for document in _listed(body.get("documents")):
        before = walk.text
        walk.content(document)
        chunks += max(ceil((walk.text - before) / max(_TOKENS_PER_DOCUMENT - query, 1)), 1)
    walk.other = {"search_units": max(ceil(chunks / _DOCUMENTS_PER_SEARCH), 1)}


def pictures(walk: BodyWalk, body: Fields) -> None:
    """Count images that stand beside a prompt, or are to be embedded: bare base64, or blocks."""
    for image in (*_listed(body.get("images")), body.get("inputImage"), body.get("mask")):
        if isinstance(image, (str, bytes)):
            walk.image(image)
        else:
            walk.content(image)


def embedded_pictures(walk: BodyWalk, body: Fields) -> None:
    """Count images that are to be embedded, which some models bill by the piece."""
    pictures(walk, body)
    if found := _listed(body.get("images")):
        walk.other = {"images": len(found)}


def pages(walk: BodyWalk, body: Fields) -> None:
    """Note how many pages are to be read."""
    document = body.get("document")
    if not is_fields(document):
        walk.is_complete = False
        return
    file = media.payload(document.get("document_url") or document.get("file"))
    if document.get("image_url") is not None:
        found = 1
    elif file is not None:
        found = pdf.pages(file) if pdf.is_pdf(file) else 1
    else:
        found = input_rules.UNKNOWN_PAGES
        walk.is_complete = False
    wanted = _page_numbers(body.get("pages"))
    if wanted:
        found = wanted if file is None else min(found, wanted)
    is_annotated = body.get("document_annotation_format") or body.get("bbox_annotation_format")
    units: tuple[Unit, ...] = ("pages", "annotated_pages") if is_annotated else ("pages",)
    walk.other = dict.fromkeys(units, found)


def unseen(walk: BodyWalk, _body: Fields) -> None:
    """Note that what is worked on is not in the JSON, as a sound sent as a form."""
    walk.is_complete = False


def _claude_tools(walk: BodyWalk, tools: object, *, is_forced: bool) -> None:
    if isinstance(tools, (list, tuple)) and tools:
        walk.fixed += input_rules.tool_prompt_tokens(walk.model, is_forced=is_forced)
        for tool in tools:
            walk.fixed += input_rules.provided_tool_tokens(walk.fields(tool).get("type"))


def _page_numbers(value: object) -> int:
    """Count the pages asked for: a list of numbers, or a text such as `0-4,7`; 0: all, or not understood."""
    if isinstance(value, (list, tuple)):
        return min(len(value), _MOST)
    wanted = 0
    for part in value.split(",") if isinstance(value, str) else ():
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or len(first) + len(last) > 2 * len(str(_MOST)):
            return 0
        wanted += int(last) - int(first) + 1 if last.isdecimal() else 1
    return min(max(wanted, 0), _MOST)


def _number(value: object, otherwise: int) -> int:
    """Return a count as it is asked for, within reason."""
    return min(value, _MOST) if type(value) is int and value > 0 else otherwise


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()
