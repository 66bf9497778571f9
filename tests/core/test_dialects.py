"""Every dialect's body is counted; each figure is worked out by hand.

A character of text is a quarter. JSON that the model reads as such counts its keys and strings with four characters
between two: `{"q": "abcd"}` is `q", "abcd`, 9 characters, 2.25. The image has 512 by 512 pixels, the PDF 3 pages, the
sound 2 seconds, the film 4.
"""

import base64

import pytest

from otel_llmcost.core.tokens import InputCount, count_input
from tests.core.bodies import PDF, PNG_512, PNG_512_BASE64, PNG_512_URL
from tests.core.test_media import wav
from tests.core.test_video import FILM, box, header

WAV = base64.b64encode(wav(2.0)).decode()
MP4 = base64.b64encode(FILM + box(b"moov", header(4, 1) + bytes(99))).decode()
HI = {"parts": [{"text": "abcd"}]}


def gemini(*parts, model="gemini-2.5-flash", **more):
    return count_input({"contents": [{"role": "user", "parts": list(parts)}], **more}, "gemini.contents", model=model)


def inline(mime, data, **more):
    return {"inlineData": {"mimeType": mime, "data": data}, **more}


def converse(*content, **more):
    return count_input(
        {"messages": [{"role": "user", "content": list(content)}], **more}, "bedrock.converse", model="amazon.nova-pro"
    )


def invoke(body, model="amazon.nova-pro"):
    return count_input(body, "bedrock.invoke", model=model)


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        # 1 token a content.
        pytest.param(gemini({"text": "abcdabcd"}), InputCount(2, 1), id="text"),
        pytest.param(
            gemini(
                {"text": "abcd", "thought": True, "thoughtSignature": "x" * 400},
                systemInstruction=HI,
                generationConfig={"temperature": 0.5, "responseSchema": {"q": "abcd"}},
            ),
            InputCount(1 + 1 + 2.25, 1),
            id="system-and-schema",
        ),
        pytest.param(
            gemini({"text": "abcd"}, system_instruction={"parts": {"text": "abcd"}}, tools=[{"q": "abcd"}]),
            InputCount(1 + 1 + 2.25, 1),
            id="as-written-with-underscores",
        ),
        pytest.param(
            gemini(
                {"functionCall": {"id": "1", "name": "look", "args": {"q": "abcd"}}},
                {"functionResponse": {"id": "1", "name": "look", "response": {"q": "abcd"}}},
            ),
            InputCount(2 * (1 + 2.25), 1 + 2),
            id="function-call-and-its-answer",
        ),
        pytest.param(
            gemini(
                {"executableCode": {"language": "PYTHON", "code": "abcd"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "abcd"}},
            ),
            InputCount(2, 1),
            id="code-and-what-it-said",
        ),
        # 512 x 512: tiles of 341, 2 x 2 of them. 32 tokens a second of sound, 263 of video, 258 a page.
        pytest.param(gemini(inline("image/png", PNG_512_BASE64)), InputCount(0, 1, image_tokens=4 * 258), id="image"),
        pytest.param(gemini(inline("audio/wav", WAV)), InputCount(0, 1, audio_tokens=64), id="sound"),
        pytest.param(gemini(inline("video/mp4", MP4)), InputCount(0, 1, video_tokens=4 * 263), id="video"),
        pytest.param(gemini(inline("application/pdf", PDF)), InputCount(0, 1, file_tokens=3 * 258), id="pdf"),
        pytest.param(gemini(inline("text/plain", "A" * 1600)), InputCount(0, 1, file_tokens=300), id="text-file"),
        pytest.param(
            gemini({"inline_data": {"mime_type": "image/png", "data": PNG_512}}),
            InputCount(0, 1, image_tokens=4 * 258),
            id="image-before-it-is-json",
        ),
        pytest.param(
            gemini(inline("image/png", PNG_512_BASE64), generationConfig={"mediaResolution": "MEDIA_RESOLUTION_LOW"}),
            InputCount(0, 1, image_tokens=64),
            id="low-for-all",
        ),
        pytest.param(
            gemini(
                inline("image/png", PNG_512_BASE64, mediaResolution={"level": "MEDIA_RESOLUTION_MEDIUM"}),
                model="gemini-3-pro",
            ),
            InputCount(0, 1, image_tokens=560),
            id="medium-for-one",
        ),
        pytest.param(
            gemini({"fileData": {"fileUri": "https://youtu.be/x"}}),
            InputCount(0, 1, video_tokens=60 * 263, is_complete=False),
            id="a-film-elsewhere-counts-as-a-minute",
        ),
        pytest.param(
            gemini({"file_data": {"mime_type": "audio/mp3", "file_uri": "gs://b/a.mp3"}}),
            InputCount(0, 1, audio_tokens=60 * 32, is_complete=False),
            id="a-sound-elsewhere",
        ),
        pytest.param(
            gemini({"fileData": {"fileUri": "gs://b/a.pdf"}}),
            InputCount(0, 1, file_tokens=5 * 258, is_complete=False),
            id="a-file-elsewhere",
        ),
        pytest.param(
            gemini({"text": "abcd"}, cachedContent="cachedContents/1"),
            InputCount(1, 1, is_complete=False),
            id="cached-content",
        ),
        pytest.param(
            count_input(
                {
                    "model": "gemini-3-flash",
                    "system_instruction": "abcd",
                    "input": [
                        {"type": "user_input", "content": [{"type": "text", "text": "abcd"}]},
                        {"type": "image", "data": PNG_512_BASE64, "mime_type": "image/png", "resolution": "low"},
                        {"type": "audio", "data": WAV},
                        {"type": "thought", "signature": "x" * 400},
                    ],
                },
                "gemini.interactions",
            ),
            InputCount(2, 4, image_tokens=280, audio_tokens=64),
            id="interaction",
        ),
        pytest.param(
            count_input(
                {
                    "model": "gemini-3-flash",
                    "input": [{"type": "document", "uri": "gs://b/a"}, {"type": "image", "data": None}],
                    "previous_interaction_id": "v1",
                },
                "gemini.interactions",
            ),
            InputCount(0, 2, file_tokens=5 * 560, is_complete=False),
            id="interaction-that-goes-on",
        ),
        pytest.param(
            count_input({"content": HI, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 768}, "gemini.embed"),
            InputCount(1),
            id="embedding",
        ),
        pytest.param(
            count_input({"requests": [{"model": "models/m", "content": HI}] * 3}, "gemini.embed"),
            InputCount(3),
            id="embeddings",
        ),
        pytest.param(
            count_input({"instances": [{"content": "abcd", "task_type": "x"}] * 2, "parameters": {}}, "gemini.predict"),
            InputCount(2),
            id="embeddings-of-vertex",
        ),
        pytest.param(
            count_input(
                {"instances": [{"text": "abcd", "image": {"bytesBase64Encoded": PNG_512_BASE64}}]},
                "gemini.predict",
                model="multimodalembedding",
            ),
            InputCount(1, image_tokens=85 + 170),
            id="embedding-of-an-image",
        ),
        pytest.param(
            count_input({"instances": [{"video": {"gcsUri": "gs://b/a"}}]}, "gemini.predict", model="gemini-2"),
            InputCount(0, video_tokens=60 * 263, is_complete=False),
            id="embedding-of-a-film",
        ),
        pytest.param(
            count_input(
                {"instances": [{"prompt": "abcd"}], "parameters": {"sampleCount": 2}},
                "gemini.predict",
                model="imagen-4.0",
            ),
            InputCount(1, other={"images": 2}),
            id="imagen",
        ),
        pytest.param(
            count_input({"instances": [{"prompt": "abcd"}]}, "gemini.predict", model="imagen-4.0"),
            InputCount(1, other={"images": 4}),
            id="imagen-makes-four-unless-told",
        ),
        pytest.param(
            count_input({"instances": [{"prompt": "abcd"}]}, "gemini.predict", model="veo-3.0"),
            InputCount(1),
            id="veo-makes-no-image",
        ),
    ],
)
def test_googles_bodies(counted, expected):
    assert counted == expected


@pytest.mark.parametrize(
    ("counted", "expected"),
    [
        # 3 + 4 a message, as anybody's chat.
        pytest.param(
            converse({"text": "abcd"}, {"cachePoint": {"type": "default"}}, system=[{"text": "abcd"}]),
            InputCount(2, 7),
            id="text",
        ),
        pytest.param(
            converse({"toolUse": {"toolUseId": "t", "name": "look", "input": {"q": "abcd"}}}),
            InputCount(1 + 2.25, 7 + 1),
            id="tool-use",
        ),
        pytest.param(
            converse(
                {
                    "toolResult": {
                        "toolUseId": "t",
                        "status": "success",
                        "content": [{"text": "abcd"}, {"json": {"q": "abcd"}}],
                    }
                }
            ),
            InputCount(1 + 2.25, 7),
            id="tool-result",
        ),
        pytest.param(
            converse({"reasoningContent": {"reasoningText": {"text": "abcd", "signature": "x" * 400}}}),
            InputCount(1, 7),
            id="reasoning",
        ),
        pytest.param(
            converse({"image": {"format": "png", "source": {"bytes": PNG_512_BASE64}}}),
            InputCount(0, 7, image_tokens=85 + 170),
            id="image",
        ),
        pytest.param(
            converse({"image": {"format": "png", "source": {"bytes": PNG_512}}}),
            InputCount(0, 7, image_tokens=85 + 170),
            id="image-before-it-is-json",
        ),
        pytest.param(
            converse({"image": {"source": {"s3Location": {"uri": "s3://b/a.png"}}}}),
            InputCount(0, 7, image_tokens=85 + 4 * 170, is_complete=False),
            id="image-at-amazon",
        ),
        pytest.param(
            converse({"document": {"format": "pdf", "name": "a", "source": {"bytes": PDF}}}),
            InputCount(0, 7, file_tokens=3 * (500 + 85)),
            id="pdf",
        ),
        pytest.param(
            converse(
                {"document": {"format": "txt", "name": "a", "source": {"text": "abcd"}}},
                {"document": {"name": "a", "source": {"content": [{"text": "abcd"}]}}},
            ),
            InputCount(2, 7),
            id="document-of-text",
        ),
        # No rule is published but Gemini's: 70 a frame and 32 for its sound.
        pytest.param(
            converse({"video": {"format": "mp4", "source": {"bytes": MP4}}}),
            InputCount(0, 7, video_tokens=4 * 102),
            id="video",
        ),
        pytest.param(
            converse({"audio": {"format": "wav", "source": {"bytes": WAV}}}),
            InputCount(0, 7, audio_tokens=20),
            id="sound",
        ),
        pytest.param(converse(toolConfig={"tools": [{"q": "abcd"}]}), InputCount(18 / 4, 7), id="tools"),
        pytest.param(converse(promptVariables={}), InputCount(0, 7, is_complete=False), id="stored-prompt"),
        pytest.param(
            count_input(
                {"messages": [], "toolConfig": {"tools": [{}], "toolChoice": {"any": {}}}},
                "bedrock.converse",
                model="us.anthropic.claude-opus-4-20250514-v1:0",
            ),
            InputCount(26 / 4, 3 + 315),
            id="claude-brings-its-tool-prompt",
        ),
        pytest.param(
            invoke(
                {
                    "anthropic_version": "bedrock-2023-05-31",
                    "max_tokens": 9,
                    "system": "abcd",
                    "messages": [{"role": "user", "content": "abcd"}],
                }
            ),
            InputCount(2, 7),
            id="invoke-claude",
        ),
        pytest.param(
            invoke({"schemaVersion": "messages-v1", "messages": [{"role": "user", "content": [{"text": "abcd"}]}]}),
            InputCount(1, 4),
            id="invoke-nova",
        ),
        pytest.param(invoke({"inputText": "abcd"}), InputCount(1), id="invoke-titan"),
        pytest.param(
            invoke({"inputText": "abcd", "inputImage": PNG_512_BASE64}),
            InputCount(1, image_tokens=85 + 170),
            id="invoke-titan-with-an-image",
        ),
        pytest.param(invoke({"prompt": "abcd", "max_gen_len": 9}), InputCount(1), id="invoke-llama-or-mistral"),
        pytest.param(invoke({"message": "abcd", "chat_history": []}), InputCount(1), id="invoke-cohere-chat"),
        pytest.param(invoke({"texts": ["abcd"], "input_type": "x"}), InputCount(1), id="invoke-cohere-embed"),
        pytest.param(
            invoke({"query": "abcd", "documents": ["abcd"]}),
            InputCount(2, other={"search_units": 1}),
            id="invoke-cohere-rerank",
        ),
        pytest.param(
            invoke({"textToImageParams": {"text": "abcd"}, "imageGenerationConfig": {"numberOfImages": 3}}),
            InputCount(1, other={"images": 3}),
            id="invoke-nova-canvas",
        ),
        pytest.param(
            invoke({"prompt": "abcd", "aspect_ratio": "1:1"}), InputCount(1, other={"images": 1}), id="invoke-stable"
        ),
    ],
)
def test_amazons_bodies(counted, expected):
    assert counted == expected


@pytest.mark.parametrize(
    ("dialect", "body", "expected"),
    [
        pytest.param(
            "cohere.chat",
            {
                "message": "abcd",
                "preamble": "abcd",
                "chat_history": [{"role": "USER", "message": "abcd"}],
                "documents": [{"q": "abcd"}],
            },
            InputCount(3 + 2.25),
            id="cohere-chat-1",
        ),
        pytest.param(
            "cohere.chat",
            {
                "messages": [
                    {"role": "user", "content": [{"type": "document", "document": {"id": "1", "data": {"t": "abcd"}}}]},
                    {"role": "assistant", "tool_plan": "abcd", "tool_calls": []},
                ],
                "documents": ["abcd", "abcd"],
            },
            InputCount(2 + 3),
            id="cohere-chat-2",
        ),
        pytest.param(
            "cohere.chat",
            {"message": "abcd", "conversation_id": "c"},
            InputCount(1, is_complete=False),
            id="cohere-stored-conversation",
        ),
        pytest.param("cohere.generate", {"prompt": "abcd"}, InputCount(1), id="cohere-generate"),
        pytest.param(
            "cohere.embed",
            {"inputs": [{"content": [{"type": "text", "text": "abcd"}]}], "texts": ["abcd"]},
            InputCount(2),
            id="cohere-embed",
        ),
        pytest.param(
            "cohere.embed",
            {"images": [PNG_512_URL]},
            InputCount(0, image_tokens=255, other={"images": 1}),
            id="cohere-embed-images",
        ),
        pytest.param(
            "cohere.rerank",
            {"query": "abcd", "documents": [{"text": "abcd"}] * 101},
            InputCount(102, other={"search_units": 2}),
            id="cohere-rerank-hundred-documents-a-search",
        ),
        # The query takes 100 of a document's 500: 1,000 tokens are 3 documents, 60 of them 180.
        pytest.param(
            "cohere.rerank",
            {"query": "abcd" * 100, "documents": ["abcd" * 1000] * 60},
            InputCount(60_100, other={"search_units": 2}),
            id="cohere-rerank-long-documents",
        ),
        pytest.param("cohere.rerank", {}, InputCount(0, other={"search_units": 1}), id="cohere-rerank-of-nothing"),
        pytest.param(
            "mistral.agents",
            {"agent_id": "ag", "messages": [{"role": "user", "content": "abcd"}]},
            InputCount(1, 7, is_complete=False),
            id="mistral-agent",
        ),
        pytest.param(
            "mistral.conversations", {"inputs": "abcd", "instructions": "abcd"}, InputCount(2, 7), id="mistral-input"
        ),
        pytest.param(
            "mistral.conversations",
            {"inputs": [{"role": "user", "content": "abcd"}], "agent_id": "ag"},
            InputCount(1, 7, is_complete=False),
            id="mistral-inputs",
        ),
        pytest.param(
            "openai.chat",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_audio", "input_audio": WAV},
                            {"type": "document_url", "document_url": "data:x/y;base64," + PDF, "document_name": "a"},
                            {"type": "image_url", "image_url": PNG_512_URL},
                        ],
                    }
                ]
            },
            InputCount(0, 7, image_tokens=255, audio_tokens=20, file_tokens=3 * 585),
            id="mistral-chat-with-media",
        ),
        pytest.param(
            "mistral.ocr",
            {"document": {"type": "document_url", "document_url": "data:x/y;base64," + PDF}},
            InputCount(0, other={"pages": 3}),
            id="ocr",
        ),
        pytest.param(
            "mistral.ocr",
            {"document": {"document_url": "data:x/y;base64," + PDF}, "pages": [0, 1]},
            InputCount(0, other={"pages": 2}),
            id="ocr-of-some-pages",
        ),
        pytest.param(
            "mistral.ocr",
            {"document": {"document_url": "https://x.y/z"}, "pages": "0-3, 7", "document_annotation_format": {}},
            InputCount(0, is_complete=False, other={"pages": 5}),
            id="ocr-of-a-link",
        ),
        pytest.param(
            "mistral.ocr",
            {"document": {"document_url": "https://x.y/z"}, "bbox_annotation_format": {"type": "text"}, "pages": "x"},
            InputCount(0, is_complete=False, other={"pages": 5, "annotated_pages": 5}),
            id="ocr-with-notes",
        ),
        pytest.param(
            "mistral.ocr", {"document": {"image_url": PNG_512_URL}}, InputCount(0, other={"pages": 1}), id="ocr-image"
        ),
        pytest.param("mistral.ocr", {"document": None}, InputCount(0, is_complete=False), id="ocr-of-nothing"),
        pytest.param(
            "ollama.chat",
            {"messages": [{"role": "user", "content": "abcd", "images": [PNG_512_BASE64]}]},
            InputCount(1, 7, image_tokens=255),
            id="ollama-chat",
        ),
        pytest.param(
            "ollama.generate",
            {"prompt": "abcd", "system": "abcd", "images": [PNG_512_BASE64], "context": [1, 2, 3], "template": "abcd"},
            InputCount(2, 3, image_tokens=255),
            id="ollama-generate",
        ),
        pytest.param("ollama.embed", {"input": ["abcd", "abcd"]}, InputCount(2), id="ollama-embed"),
        pytest.param("ollama.embed", {"prompt": "abcd"}, InputCount(1), id="ollama-embed-as-before"),
        pytest.param("huggingface.inputs", {"inputs": "abcd", "parameters": {"a": "b"}}, InputCount(1), id="inputs"),
        pytest.param("openai.images", {"prompt": "abcd", "n": 3}, InputCount(1, other={"images": 3}), id="images"),
        pytest.param(
            "openai.images",
            {"prompt": "abcd", "images": [{"image_url": PNG_512_URL}]},
            InputCount(1, image_tokens=255, other={"images": 1}),
            id="image-to-be-changed",
        ),
        pytest.param(
            "openai.speech",
            {"input": "abcdabcd", "instructions": "abcd"},
            InputCount(3, other={"characters": 8}),
            id="speech",
        ),
        pytest.param("openai.speech", {"input": None}, InputCount(0), id="speech-of-nothing"),
        pytest.param("openai.transcription", {"prompt": "abcd"}, InputCount(1, is_complete=False), id="transcription"),
        pytest.param(
            "openai.videos",
            {"prompt": "abcd", "seconds": "8"},
            InputCount(1, other={"video_milliseconds": 8000}),
            id="video",
        ),
        pytest.param("openai.videos", {"prompt": "abcd"}, InputCount(1), id="video-of-no-length"),
    ],
)
def test_bodies_of_others(dialect, body, expected):
    assert count_input(body, dialect) == expected
