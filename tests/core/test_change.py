"""What is put into a request leaves the caller's own as it is."""

from otel_llmcost.core.change import put


def test_a_value_is_put_into_a_copy_and_what_is_on_its_way_is_copied_too():
    """The fields are the program's, and it may send them again."""
    given = {"options": {"num_predict": 50, "seed": 1}, "model": "m"}

    found = put(given, "options.num_predict", 10)

    assert found == {"options": {"num_predict": 10, "seed": 1}, "model": "m"}
    assert given == {"options": {"num_predict": 50, "seed": 1}, "model": "m"}


def test_what_is_missing_on_the_way_is_made():
    """A request without options gets some."""
    assert put({"options": None}, "options.num_predict", 10) == {"options": {"num_predict": 10}}
    assert put({}, "a.b.c", 1) == {"a": {"b": {"c": 1}}}


def test_nothing_is_put_where_something_else_stands():
    """A list where fields should be is the provider's to reject."""
    assert put({"a": {"b": [1]}}, "a.b.c", 1) is None
