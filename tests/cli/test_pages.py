"""The pages of the documentation say what the program says."""

import pytest

from otel_llmcost.cli.main import cli
from tests.cli.pages import DOCS, PAGES, commands_page


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_make_docs_writes(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name]()


def test_every_command_is_in_the_page():
    page = commands_page()

    assert all(f"## `otel-llmcost {name}`" in page for name in cli.commands)
