"""Google's embeddings, pictures and token counts."""

from __future__ import annotations

from dataclasses import replace

from examples.provider_server.gemini import at, modalities, to_prompt
from examples.provider_server.numbers import PIXEL, vector
from examples.provider_server.tokens import count
from examples.provider_server.wire import Json, Reply, Request

_SIZE = 768
_PICTURES = 4


def count_tokens(request: Request) -> Reply:
    """Answer `…:countTokens`."""
    asked = at(request.body, "generateContentRequest") or {}
    request = replace(request, body=request.body | asked)
    prompt = to_prompt(request)
    return Reply({"totalTokens": prompt.input_tokens, "promptTokensDetails": modalities(request, prompt)})


def embed(request: Request) -> Reply:
    """Answer `…:embedContent`."""
    text, values = _embedded(request.body, request.required("content"))
    usage = {"promptTokenCount": count(text)}
    return Reply({"embedding": {"values": values}, "usageMetadata": usage}, usage)


def embed_batch(request: Request) -> Reply:
    """Answer `…:batchEmbedContents`."""
    found = [_embedded(each, each["content"]) for each in request.required("requests")]
    usage = {"promptTokenCount": sum(count(text) for text, _ in found)}
    return Reply({"embeddings": [{"values": values} for _, values in found], "usageMetadata": usage}, usage)


def predict(request: Request) -> Reply:
    """Answer `…:predict`: pictures for a prompt, else embeddings of texts, as Vertex has them."""
    instances: list[Json] = request.required("instances")
    settings = request.body.get("parameters") or {}
    if "prompt" in instances[0]:
        wanted = settings.get("sampleCount") or _PICTURES
        picture = {"mimeType": "image/png", "bytesBase64Encoded": PIXEL}
        return Reply({"predictions": [picture] * wanted}, {"images": wanted})
    size = at(settings, "outputDimensionality") or _SIZE
    tokens = [count(each["content"]) for each in instances]
    predictions = [
        {
            "embeddings": {
                "values": vector(each["content"], size),
                "statistics": {"truncated": False, "token_count": number},
            }
        }
        for each, number in zip(instances, tokens, strict=True)
    ]
    characters = sum(len(each["content"]) for each in instances)
    return Reply(
        {"predictions": predictions, "metadata": {"billableCharacterCount": characters}},
        {"token_count": sum(tokens), "billableCharacterCount": characters},
    )


def _embedded(settings: Json, content: Json) -> tuple[str, list[float]]:
    text = "\n".join(part.get("text", "") for part in content["parts"])
    return text, vector(text, at(settings, "outputDimensionality") or _SIZE)
