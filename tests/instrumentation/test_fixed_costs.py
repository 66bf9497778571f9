"""Fixed costs of the settings reach the metrics of a process, and none of its charges."""

from tests.instrumentation.conftest import Start


def test_a_process_shows_the_fixed_costs_of_its_settings(start: Start) -> None:
    process = start('[[fixed_cost]]\nname = "gpu"\nkind = "gpu"\nper_hour = 1.65')

    (cost,) = process.runtime.store_state().fixed_costs

    assert (cost.name, cost.amount_nano) == ("gpu", 1_650_000_000)
    assert process.charges == []
