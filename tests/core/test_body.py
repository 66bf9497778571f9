"""Media count by what their headers say, and no shape of a body raises, hangs, or is consumed."""

import base64
import io

import pytest
from anthropic import Omit
from anthropic.types import TextBlock
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llmcost.core.body import MAX_VALUES
from otel_llmcost.core.input_rules import UNKNOWN_PAGES
from otel_llmcost.core.tokens import DIALECTS, InputCount, count_input
from tests.core.bodies import PDF, PNG_512, PNG_512_BASE64, PNG_512_URL, chat, claude, responses

BLOCK_KEYS = (
    "type", "image_url", "url", "detail", "source", "data", "file", "file_data", "file_id", "name", "input_audio",
    "format", "function", "arguments", "parameters", "result", "output", "encrypted_content", "inlineData", "fileData",
    "mimeType", "mediaResolution", "fileUri", "args", "response", "uri", "image", "video", "audio", "document", "bytes",
    "json", "document_url", "inputImage", "bytesBase64Encoded", "level",
)  # fmt: skip
BODY_KEYS = (
    "messages", "input", "prompt", "content", "text", "tools", "system", "instructions", "tool_choice", "contents",
    "parts", "generationConfig", "instances", "parameters", "sampleCount", "requests", "toolConfig", "toolChoice", "n",
    "seconds", "query", "documents", "images", "inputs", "texts", "message", "pages", "samples", "text_prompts",
    "imageGenerationConfig", "numberOfImages", "anthropic_version", "document_annotation_format",
)  # fmt: skip


@pytest.mark.parametrize(
    ("count", "tokens"),
    [
        pytest.param(
            lambda: chat({"type": "image_url", "image_url": {"url": PNG_512_URL, "detail": "low"}}), 85, id="chat-low"
        ),
        pytest.param(
            lambda: chat({"type": "image_url", "image_url": {"url": PNG_512_URL}}), 85 + 170, id="chat-one-tile"
        ),
        pytest.param(
            lambda: chat({"type": "image_url", "image_url": {"url": PNG_512_URL}}, model="gpt-5.4"),
            308,
            id="chat-patches",
        ),
        pytest.param(
            lambda: responses({"role": "user", "content": [{"type": "input_image", "image_url": PNG_512_URL}]}),
            85 + 170,
            id="responses",
        ),
        pytest.param(
            lambda: responses({"type": "image_generation_call", "id": "i", "result": PNG_512_BASE64}),
            85 + 170,
            id="an-image-the-model-made",
        ),
        pytest.param(
            lambda: responses(
                {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": PNG_512_URL}}
            ),
            85 + 170,
            id="a-screenshot",
        ),
        pytest.param(
            lambda: claude({"type": "image", "source": {"type": "base64", "data": PNG_512_BASE64}}),
            19 * 19,
            id="anthropic",
        ),
        pytest.param(
            lambda: claude(
                {
                    "type": "tool_result",
                    "content": [{"type": "image", "source": {"type": "base64", "data": PNG_512_BASE64}}],
                }
            ),
            19 * 19,
            id="anthropic-in-a-tool-result",
        ),
        pytest.param(
            lambda: responses(
                tools=[{"type": "image_generation", "input_image_mask": {"image_url": PNG_512_URL + "A" * 1000}}]
            ),
            85 + 170,
            id="a-mask-in-a-tool",
        ),
    ],
)
def test_an_image_counts_by_its_pixels_and_never_as_text(count, tokens):
    counted = count()

    assert counted.image_tokens == tokens
    assert counted.text_tokens < 20
    assert counted.is_complete


@pytest.mark.parametrize(
    ("count", "image_tokens"),
    [
        pytest.param(lambda: chat({"type": "image_url", "image_url": {"url": "https://x.y/z.png"}}), 765, id="link"),
        pytest.param(lambda: chat({"type": "image_url", "image_url": {}}), 765, id="nothing"),
        pytest.param(
            lambda: chat({"type": "image_url", "image_url": {"url": "data:image/png;base64,!!"}}), 765, id="no"
        ),
        pytest.param(lambda: responses({"content": [{"type": "input_image", "file_id": "f"}]}), 765, id="uploaded"),
        pytest.param(
            lambda: claude({"type": "image", "source": {"type": "url", "url": "https://x.y/z.png"}}),
            37 * 37,
            id="anthropic-link",
        ),
        pytest.param(
            lambda: claude({"type": "image", "source": {"type": "base64", "data": io.BytesIO(PNG_512)}}),
            37 * 37,
            id="anthropic-open-file",
        ),
    ],
)
def test_an_image_that_cannot_be_seen_counts_as_one_of_1024_by_1024(count, image_tokens):
    counted = count()

    assert counted.image_tokens == image_tokens
    assert not counted.is_complete


def test_sound_counts_ten_tokens_a_second():
    pcm = base64.b64encode(bytes(96_000)).decode()

    counted = chat({"type": "input_audio", "input_audio": {"data": pcm, "format": "pcm16"}})

    assert (counted.audio_tokens, counted.text_tokens, counted.is_complete) == (20, 0, True)


@pytest.mark.parametrize(
    ("count", "tokens", "is_complete"),
    [
        pytest.param(
            lambda: chat({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:x/y;base64," + PDF}}),
            3 * (500 + 85),
            True,
            id="chat-pdf",
        ),
        pytest.param(
            lambda: responses(
                {"role": "user", "content": [{"type": "input_file", "file_data": PDF, "detail": "high"}]}
            ),
            3 * (500 + 765),
            True,
            id="responses-pdf-in-detail",
        ),
        pytest.param(
            lambda: responses({"content": [{"type": "input_file", "file_data": "A" * 1600}]}), 300, True, id="text-file"
        ),
        pytest.param(
            lambda: claude({"type": "document", "title": "", "source": {"type": "base64", "data": PDF}}),
            3 * 2250,
            True,
            id="anthropic-pdf",
        ),
        pytest.param(
            lambda: responses({"content": [{"type": "input_file", "file_id": "f"}]}),
            UNKNOWN_PAGES * 585,
            False,
            id="uploaded",
        ),
        pytest.param(
            lambda: responses({"content": [{"type": "input_file", "file_url": "https://x.y/z.pdf"}]}),
            UNKNOWN_PAGES * 585,
            False,
            id="link",
        ),
        pytest.param(
            lambda: claude({"type": "document", "source": {"type": "file", "file_id": "f"}}),
            UNKNOWN_PAGES * 2250,
            False,
            id="anthropic-uploaded",
        ),
    ],
)
def test_a_file_counts_by_its_pages(count, tokens, is_complete):
    counted = count()

    assert (counted.file_tokens, counted.text_tokens, counted.is_complete) == (tokens, 0, is_complete)


def test_a_document_of_plain_text_counts_as_text():
    plain = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "abcd" * 5}}
    blocks = {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "abcd" * 5}]}}
    found = {"type": "search_result", "source": "abcd", "title": "abcd", "content": [{"type": "text", "text": "abcd"}]}

    assert claude(plain) == claude(blocks) == InputCount(5.0, 7)
    assert claude(found) == InputCount(3.0, 7)


def test_encrypted_text_counts_as_the_text_that_it_was():
    assert responses({"type": "compaction", "encrypted_content": "A" * 1600}).text_tokens == 300


def test_an_iterator_is_left_alone_and_said():
    left = iter([{"role": "user", "content": "abcd"}])
    inside = iter([{"type": "text", "text": "abcd"}])
    tools = iter([{"name": "look"}])

    for body in ({"messages": left}, {"messages": [{"role": "user", "content": inside}]}, {"tools": tools}):
        assert not count_input(body, "anthropic.messages").is_complete

    assert len(list(left)) == len(list(inside)) == len(list(tools)) == 1


def test_objects_and_absent_fields_of_an_sdk_count_as_what_will_be_sent():
    """anthropic 2 hands answers over as they came, and marks what was left out by an object."""
    block = TextBlock(type="text", text="abcd" * 3)
    body = {"messages": [{"role": "assistant", "content": [block]}], "system": Omit(), "tools": Omit()}

    assert count_input(body, "anthropic.messages") == InputCount(3.0, 7)


def test_absent_media_count_nothing():
    absent = {"image_url": None, "file_data": None, "file_id": None, "encrypted_content": None, "name": None}

    assert chat(absent | {"audio": None, "input_audio": None, "images": None}) == chat()


def test_another_tools_result_is_text():
    assert responses({"type": "mcp_call", "result": "abcd"}).text_tokens == 1


def test_sound_that_cannot_be_seen_is_said():
    assert not chat({"type": "input_audio", "input_audio": {"data": None}}).is_complete


def test_odd_keys_and_long_texts_of_a_schema_are_counted():
    assert claude({"type": "tool_use", "input": {1: "abcd", None: True}}).text_tokens > 1
    assert claude({"type": "tool_use", "input": {"text": "abcd" * 1000}}).text_tokens == pytest.approx(1001)


def test_a_cycle_ends_and_is_said():
    block: dict[str, object] = {"type": "text", "text": "abcd"}
    block["content"] = [block, block]
    schema: dict[str, object] = {"type": "object"}
    schema["properties"] = {"left": schema, "right": schema}

    assert not chat(block).is_complete
    assert not chat(tools=[schema]).is_complete


def test_a_body_of_too_many_values_is_said():
    counted = chat({"type": "text", "parts": [""] * (MAX_VALUES + 1)})

    assert (counted.text_tokens, counted.is_complete) == (0, False)


KEYS = st.sampled_from([*BLOCK_KEYS, *BODY_KEYS])
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["data:image/png;base64,iVBORw0KGgo=", "image", "base64", "\ud800", "image_generation_call"])
    | st.sampled_from(["video/mp4", "audio/wav", "image/png", "application/pdf", "1-3,7", "9-1", "²-³", "high"])
    | st.binary(max_size=8)
    | st.builds(object)
)
JSON = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(KEYS | st.text(max_size=4) | st.integers(), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(deadline=None, max_examples=500)
@given(
    st.dictionaries(KEYS, JSON, max_size=8) | JSON,
    st.sampled_from(DIALECTS),
    st.sampled_from(["gpt-4o", "claude-opus-5", "gemini-2.5-flash", "gemini-3-pro", "veo-3", ""]),
)
def test_no_body_raises(body, dialect, model):
    counted = count_input(body, dialect, model=model)

    assert counted.tokens >= 0
    assert min((*counted[:5], counted.video_tokens, *counted.other.values())) >= 0
    assert counted.usage().input_tokens == counted.tokens
