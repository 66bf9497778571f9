"""OpenAI's pictures, speech, transcriptions and moderations."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator

from examples.provider_server.numbers import PIXEL
from examples.provider_server.tokens import TOKENS_PER_PART, count, pieces
from examples.provider_server.wire import Blob, Event, Json, Prompt, Reply, Request, Stream, new_id, segment

_PICTURE_TOKENS = {
    ("low", "1024x1024"): 272,
    ("low", "1024x1536"): 408,
    ("low", "1536x1024"): 400,
    ("medium", "1024x1024"): 1056,
    ("medium", "1024x1536"): 1584,
    ("medium", "1536x1024"): 1568,
    ("high", "1024x1024"): 4160,
    ("high", "1024x1536"): 6240,
    ("high", "1536x1024"): 6208,
}
"""As OpenAI publishes them for its first picture model; what is left to the model is a medium square here."""
_TOKENS_PER_SECOND = 10
_TOKENS_PER_SPOKEN_WORD = 8
_BYTES_PER_SECOND = 16_000
_WORDS_PER_SECOND = 2
_CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)


def images(request: Request) -> Reply:
    """Answer `POST /v1/images/generations` and `/edits`: tokens are billed, by older models the picture."""
    body = request.body
    model, wanted = body.get("model") or "dall-e-2", int(body.get("n") or 1)
    if model.startswith("dall-e"):
        kind = (
            {"b64_json": PIXEL} if body.get("response_format") == "b64_json" else {"url": "https://example.com/1.png"}
        )
        return Reply({"created": request.now, "data": [kind] * wanted}, {"images": wanted})
    size = body.get("size") if body.get("size") not in (None, "auto") else "1024x1024"
    quality = body.get("quality") if body.get("quality") not in (None, "auto") else "medium"
    text, pictures = count(request.required("prompt")), TOKENS_PER_PART * len(request.files)
    made = _PICTURE_TOKENS[quality, size] * wanted
    usage = {
        "input_tokens": text + pictures,
        "input_tokens_details": {"text_tokens": text, "image_tokens": pictures},
        "output_tokens": made,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": made},
        "total_tokens": text + pictures + made,
    }
    data = [{"b64_json": PIXEL}] * wanted
    settings = {"background": "opaque", "output_format": "png", "quality": quality, "size": size}
    return Reply({"created": request.now, "data": data, "usage": usage, **settings}, usage)


def speech(request: Request) -> Blob | Stream:
    """Answer `POST /v1/audio/speech`: a tenth of a second of silence for each token; usage only in events."""
    text = request.required("input")
    spoken = count(text) * _TOKENS_PER_SPOKEN_WORD
    usage = {"input_tokens": count(text), "output_tokens": spoken, "total_tokens": count(text) + spoken}
    sound = bytes(160 * count(text))
    if request.body.get("stream_format") != "sse":
        return Blob(sound, "audio/mpeg", {"characters": len(text), **usage})
    events = [{"type": "speech.audio.delta", "audio": "AAAA"}, {"type": "speech.audio.done", "usage": usage}]
    return Stream(tuple(map(Event, events)), usage)


def transcriptions(request: Request) -> Reply | Blob | Stream:
    """Answer `POST /v1/audio/transcriptions` and `/translations`: two words for each second of sound."""
    body = request.body
    seconds = _seconds(request.files["file"])
    prompt = Prompt(
        model=request.required("model"),
        ask=f"a sound of {seconds:g} seconds in {max(round(seconds * _WORDS_PER_SECOND), 1)} words",
        segments=(segment(body.get("prompt") or ""),),
    )
    text = request.answer(prompt).text
    if prompt.model.startswith("whisper"):
        usage: Json = {"type": "duration", "seconds": round(seconds)}
    else:
        heard, told = round(seconds * _TOKENS_PER_SECOND), prompt.input_tokens
        usage = {
            "type": "tokens",
            "input_tokens": heard + told,
            "input_token_details": {"text_tokens": told, "audio_tokens": heard},
            "output_tokens": count(text),
            "total_tokens": heard + told + count(text),
        }
    form = body.get("response_format") or "json"
    if form in ("text", "srt", "vtt"):
        return Blob(f"{text}\n".encode(), "text/plain; charset=utf-8", usage)
    if str(body.get("stream")).lower() == "true":
        return Stream(tuple(_heard(text, usage)), usage)
    whole: Json = {"text": text, "usage": usage}
    if form == "verbose_json":
        whole |= {"task": "transcribe", "language": "english", "duration": seconds, "segments": []}
    return Reply(whole, usage)


def moderations(request: Request) -> Reply:
    """Answer `POST /v1/moderations`: nothing is flagged, and nothing costs."""
    asked = request.required("input")
    inputs = asked if isinstance(asked, list) and isinstance(asked[0], str) else [asked]
    result = {
        "flagged": False,
        "categories": dict.fromkeys(_CATEGORIES, False),
        "category_scores": dict.fromkeys(_CATEGORIES, 0.0001),
        "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
    }
    model = request.body.get("model") or "omni-moderation-latest"
    return Reply({"id": new_id("modr-"), "model": model, "results": [result for _ in inputs]}, {})


def _seconds(sound: bytes) -> float:
    try:
        with wave.open(io.BytesIO(sound)) as opened:
            return opened.getnframes() / opened.getframerate()
    except (wave.Error, EOFError):
        return len(sound) / _BYTES_PER_SECOND


def _heard(text: str, usage: Json) -> Iterator[Event]:
    for piece in pieces(text):
        yield Event({"type": "transcript.text.delta", "delta": piece})
    yield Event({"type": "transcript.text.done", "text": text, "usage": usage})
