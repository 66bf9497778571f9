"""Who may ask is written down in a file that gives nobody a token away."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from otel_llmcost.errors import ConfigError
from otel_llmcost_collector.tokens import Token, holder, load

HASH = sha256(b"geheim").hexdigest()
OTHER = sha256(b"anders").hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


def test_a_file_names_tokens_by_their_hashes(file: Path) -> None:
    file.write_text(
        f'[[token]]\nname = "agents"\nsha256 = "{HASH}"\nrights = ["agent", "reader"]\nteam = "support"\n'
        f'[[token]]\nname = "people"\nsha256 = "{OTHER}"\nrights = ["operator"]\n'
    )

    assert load(file) == (
        Token(name="agents", sha256=HASH, rights=frozenset({"agent", "reader"}), team="support"),
        Token(name="people", sha256=OTHER, rights=frozenset({"operator"})),
    )


@pytest.mark.parametrize("header", ["Bearer geheim", "bearer  geheim"])
def test_a_token_is_found_by_what_it_is_the_hash_of(header: str) -> None:
    tokens = [Token(name=name, sha256=each, rights=frozenset({"agent"})) for name, each in (("a", OTHER), ("b", HASH))]

    found = holder(tokens, header)

    assert found is not None
    assert found.name == "b"
    assert "sha256" not in repr(found)


def test_the_hash_itself_opens_nothing() -> None:
    assert holder([Token(name="a", sha256=HASH, rights=frozenset({"agent"}))], f"Bearer {HASH}") is None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        pytest.param('rights = ["agent"]', r"token\[0\].name", id="no-name"),
        pytest.param('name = " "\nrights = ["agent"]', r"token\[0\].name", id="an-empty-name"),
        pytest.param('name = "a"\nsha256 = "geheim"', r"token\[0\].sha256.*64 hexadecimal", id="the-token-itself"),
        pytest.param(f'name = "a"\nsha256 = "{HASH.upper()}"', r"token\[0\].sha256", id="in-capitals"),
        pytest.param(f'name = "a"\nsha256 = "{HASH}"', r"token\[0\].rights", id="no-rights"),
        pytest.param(f'name = "a"\nsha256 = "{HASH}"\nrights = []', r"token\[0\].rights", id="not-one-right"),
        pytest.param(f'name = "a"\nsha256 = "{HASH}"\nrights = ["all"]', r"token\[0\].rights", id="an-unknown-right"),
        pytest.param(f'name = "a"\nsha256 = "{HASH}"\nrights = [["agent"]]', r"token\[0\].rights", id="a-list-in-it"),
        pytest.param(
            f'name = "a"\nsha256 = "{HASH}"\nrights = ["agent"]\nteam = "s*"', r"token\[0\].team", id="a-pattern"
        ),
        pytest.param(
            f'name = "a"\nsha256 = "{HASH}"\nrights = ["operator"]\nteam = "s"', r"token\[0\].team", id="one-for-all"
        ),
        pytest.param('name = "a"\nsecret = "geheim"', r"token\[0\].secret", id="an-unknown-key"),
    ],
)
def test_a_token_that_cannot_be_used_is_said_with_its_place(file: Path, lines: str, problem: str) -> None:
    file.write_text(f"[[token]]\n{lines}")

    with pytest.raises(ConfigError, match=problem) as caught:
        load(file)

    assert str(file) in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[[token", "cannot be read", id="no-toml"),
        pytest.param("store = 1", "holds no tokens, or something else", id="another-file"),
        pytest.param("token = 5", "holds no tokens, or something else", id="no-tables"),
        pytest.param("", "holds no tokens, or something else", id="empty-which-would-let-everybody-in"),
        pytest.param("token = [5]", r"token\[0\].name", id="no-table"),
    ],
)
def test_a_file_of_something_else_is_said(file: Path, text: str, problem: str) -> None:
    file.write_text(text)

    with pytest.raises(ConfigError, match=problem):
        load(file)


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(file)


@pytest.mark.parametrize(("name", "hashed"), [("a", OTHER), ("b", HASH)])
def test_two_tokens_that_cannot_be_told_apart_are_said(file: Path, name: str, hashed: str) -> None:
    rows = (("a", HASH), (name, hashed))
    file.write_text("\n".join(f'[[token]]\nname = "{n}"\nsha256 = "{h}"\nrights = ["agent"]' for n, h in rows))

    with pytest.raises(ConfigError, match="two tokens have the same"):
        load(file)
