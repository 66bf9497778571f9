"""The price book as a file."""

import json
from pathlib import Path

import pytest

from otel_llmcost.errors import ConfigError
from otel_llmcost.pricebook.book import SHIPPED, header_of, load, newest, parse, render

MODEL = {"id": "m", "names": {"is": ["m"]}, "rows": [{"usd": {"input_tokens": "2"}}]}


def written(path: Path, compiled_on: str, models=(MODEL,)) -> Path:
    providers = [{"id": "acme", "models": list(models)}, {"id": "empty", "models": []}]
    path.write_bytes(render(providers, source="test", version="1", compiled_on=compiled_on, ceilings=""))
    return path


def test_the_shipped_book_is_whole():
    book = load()

    assert len(book.models()) > 2300
    assert header_of(SHIPPED).name == book.source


def test_a_book_is_one_json_document_with_a_model_a_line(tmp_path):
    path = written(tmp_path / "book.json", "2026-01-01")

    document = json.loads(path.read_bytes())

    assert document["providers"] == [{"id": "acme", "models": [MODEL]}, {"id": "empty", "models": []}]
    assert json.dumps(MODEL, separators=(",", ":")) in path.read_text().splitlines()


def test_reading_gives_what_was_written(tmp_path):
    book = parse(written(tmp_path / "book.json", "2026-01-01").read_bytes())

    assert book.models() == [("acme", "m")]
    assert (book.source, book.compiled_on) == ("test 1", "2026-01-01")
    assert [rate.prices["input_tokens"] * 1_000_000 for rate in book.show("acme", "m")] == [2]


@pytest.mark.parametrize(
    ("compiled_on", "is_refreshed"), [("2000-01-01", False), ("2999-01-01", True)], ids=["older", "newer"]
)
def test_the_newer_book_is_loaded(tmp_path, compiled_on, is_refreshed):
    path = written(tmp_path / "book.json", compiled_on)

    assert newest(path) == (path if is_refreshed else SHIPPED)
    assert load(path).source == ("test 1" if is_refreshed else header_of(SHIPPED).name)


def test_without_a_refreshed_book_the_shipped_one_is_loaded(tmp_path):
    assert newest(tmp_path / "none.json") == SHIPPED
    assert newest(None) == SHIPPED


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data.replace(b'"2"', b'"3"'), id="changed-price"),
        pytest.param(lambda data: data[:-5], id="cut-off"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"[]", id="other-json"),
        pytest.param(lambda data: b"\0" + data, id="not-json"),
        pytest.param(lambda data: data.replace(b'"format":1', b'"format":99'), id="of-the-future"),
        pytest.param(lambda data: data.replace(b'"version"', b'"vision"'), id="other-header"),
    ],
)
def test_a_damaged_book_is_refused_by_name(tmp_path, damage):
    path = written(tmp_path / "book.json", "2999-01-01")
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(ConfigError) as caught:
        load(path)

    assert caught.value.file == str(path)
    assert "prices update" in caught.value.expected
