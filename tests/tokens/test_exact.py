"""Exact counts are those of tiktoken itself, for any name a model goes by and any length of text."""

import pytest
import tiktoken.model
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llmcost.tokens import ModelEncoding, count_body, count_text, encoding_for, encodings, ready, warm
from otel_llmcost.tokens.exact import PIECE_CHARS
from tests.core.bodies import PNG_512_URL

KNOWN = [(model, name) for model, name in tiktoken.model.MODEL_TO_ENCODING.items() if name in encodings.SHIPPED]


@pytest.mark.parametrize(("model", "name"), KNOWN)
def test_the_encoding_of_a_model_is_the_one_tiktoken_knows(model, name):
    assert encoding_for(model) == ModelEncoding(name, is_exact=True)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-6.1-sol", "o200k_base"),
        ("gpt-5.4-mini-2026-03-17", "o200k_base"),
        ("azure/gpt-4.1-nano", "o200k_base"),
        ("ft:gpt-4o-mini:acme", "o200k_base"),
        ("gpt-oss-120b", "o200k_base"),
        ("o3-pro", "o200k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("gpt-35-turbo-16k", "cl100k_base"),
        ("openai/text-embedding-3-large", "cl100k_base"),
    ],
)
def test_a_model_is_known_by_any_of_its_names(model, name):
    assert encoding_for(model) == ModelEncoding(name, is_exact=True)


@pytest.mark.parametrize("model", ["claude-opus-5", "gemini-3-pro", "llama-4", "text-davinci-003", "gpt2", ""])
def test_a_model_without_a_public_encoding_is_marked_as_approximate(model):
    assert encoding_for(model) == ModelEncoding("o200k_base", is_exact=False)


@pytest.mark.parametrize(
    ("model", "tokens"), [("gpt-4o", [2, 2, 3, 0]), ("gpt-4", [2, 5, 3, 0]), ("claude-opus-5", [2, 2, 3, 0])]
)
def test_texts_have_their_known_counts(model, tokens):
    """Counts of the published encodings; `<|endoftext|>` is text to a provider, whatever it looks like."""
    texts = ["hello world", "你好世界", " 123456", ""]

    assert [count_text(text, model) for text in texts] == tokens
    assert count_text("<|endoftext|>", model) > 1


def test_an_encoding_is_ready_once_it_was_warmed(monkeypatch):
    monkeypatch.setattr(encodings, "_made", {})
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})

    assert not ready("gpt-4")

    warm("gpt-4")

    assert ready("gpt-4")
    assert ready("gpt-3.5-turbo")
    assert not ready("gpt-4o")


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.sampled_from(["word ", "Zahl 12 ", "x=[1,2]; ", "\n\n    ", "你好。", "…\t", "- "]), min_size=1),
    st.data(),
)
def test_a_long_text_counts_as_in_one_piece(parts, data):
    text = "".join(parts)
    text *= 3 * PIECE_CHARS // len(text) + 1
    whole = len(encodings.make("o200k_base").encode_ordinary(text))

    assert count_text(text, "gpt-4o") == pytest.approx(whole, abs=3)


@pytest.mark.parametrize("char", [" ", "a", "^", "\n", "你"])
@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4"])
def test_a_run_of_one_character_neither_panics_nor_hangs(char, model):
    assert 0 < count_text(char * 200_000, model) <= 400_000


def test_a_body_is_counted_with_the_encoding_and_the_published_rules():
    image = {"type": "image_url", "image_url": {"url": PNG_512_URL}}
    text = {"type": "text", "text": "hello world"}
    body = {"messages": [{"role": "system", "content": "hello world"}, {"role": "user", "content": [text, image]}]}

    counted = count_body(body, "openai.chat", "gpt-4o")

    assert (counted.text_tokens, counted.fixed_tokens, counted.image_tokens) == (4, 11, 255)


def test_the_cookbooks_example_comes_out_as_the_api_reported_it():
    """OpenAI's cookbook, "How to count tokens with tiktoken": 124 prompt tokens on gpt-4o, 129 on gpt-4."""
    jargon = "You are a helpful, pattern-following assistant that translates corporate jargon into plain English."
    circle = "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."
    ocean = "This late pivot means we don't have time to boil the ocean for the client deliverable."
    examples = [
        ("example_user", "New synergies will help drive top-line growth."),
        ("example_assistant", "Things working well together will increase revenue."),
        ("example_user", circle),
        ("example_assistant", "Let's talk later when we're less busy about how to do better."),
    ]
    body = {
        "messages": [
            {"role": "system", "content": jargon},
            *({"role": "system", "name": name, "content": content} for name, content in examples),
            {"role": "user", "content": ocean},
        ]
    }

    assert count_body(body, "openai.chat", "gpt-4o").tokens == 124
    assert count_body(body, "openai.chat", "gpt-4").tokens == 129
