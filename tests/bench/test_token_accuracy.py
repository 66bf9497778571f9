"""The table of the bench says what users may rely on."""

import pytest

from tests.bench import token_accuracy


@pytest.fixture(scope="module")
def rows(module_monkeypatch):
    module_monkeypatch.setattr(token_accuracy, "microseconds", lambda count, body, times: 1.0)
    return {row.text: row for row in token_accuracy.rows()}


@pytest.fixture(scope="module")
def module_monkeypatch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("kind", ["English", "code", "Chinese", "JSON"])
def test_a_learned_factor_brings_the_rule_near_the_truth(rows, kind):
    assert abs(rows[kind].own_factor.mean) < 8
    assert rows[kind].own_factor.size < 15


@pytest.mark.parametrize("kind", ["English", "code", "Chinese", "JSON"])
def test_the_rule_alone_is_within_two_fifths(rows, kind):
    assert rows[kind].rule.size < 40


def test_the_table_has_a_line_for_each_kind(rows):
    printed = token_accuracy.table(list(rows.values()))

    assert [line.split(" |")[0] for line in printed.splitlines()[2:6]] == ["| English", "| code", "| Chinese", "| JSON"]
