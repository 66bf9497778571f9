"""The server's counting rule and what it makes up when nobody tells it what to say."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.provider_server.script import instance
from examples.provider_server.tokens import count, first, pieces, read


@given(st.text())
def test_pieces_are_the_text_and_one_for_each_token(text: str) -> None:
    cut = pieces(text)

    assert "".join(cut) == text
    assert len(cut) - count(text) == (1 if text and text[-1].isspace() else 0)


@given(st.text(), st.integers(0, 30))
def test_the_first_tokens_of_a_text_are_no_more_than_asked_for(text: str, tokens: int) -> None:
    assert count(first(text, tokens)) == min(tokens, count(text))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello", 1), ("streaming", 2), ("a, b", 3), ("你好", 2), ("snake_case_name", 3), ("  \n ", 0)],
)
def test_the_rule_as_it_is_written_down(text: str, tokens: int) -> None:
    assert count(text) == tokens


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, ("", 0)),
        ("hi", ("hi", 0)),
        ([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:"}}], ("hi", 85)),
        ([{"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}], ('f {"a":1}', 0)),
        ([{"type": "function", "id": "1", "function": {"name": "f", "arguments": "{}"}}], ("f {}", 0)),
        ([{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "ok"}]}], ("ok", 0)),
        ({"type": "function_call_output", "call_id": "1", "output": "ok"}, ("ok", 0)),
        ([{"type": "text", "text": ""}], ("", 0)),
        (7, ("", 85)),
    ],
)
def test_the_text_of_a_message_is_found_in_every_form(content: Any, expected: tuple[str, int]) -> None:
    assert read(content) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}, "required": ["n"]},
        {"type": "array", "items": {"type": "number"}, "minItems": 5},
        {"type": "array", "items": {"type": "boolean"}, "maxItems": 1},
        {"enum": ["red", "green"]},
        {"const": 4},
        {"anyOf": [{"type": "null"}, {"type": "string"}]},
        {"type": ["string", "null"]},
        {"type": "object"},
        {
            "$defs": {"step": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}},
            "properties": {"steps": {"type": "array", "items": {"$ref": "#/$defs/step"}}},
            "required": ["steps"],
        },
    ],
)
def test_what_is_made_up_for_a_schema_fits_it(schema: dict[str, Any]) -> None:
    jsonschema.validate(instance(schema, "budgets"), schema)
