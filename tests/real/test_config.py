"""The configuration of Prometheus and Alertmanager, read by their own checkers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.servers import run

pytestmark = pytest.mark.real

COLLECTOR = Path(__file__).parents[2] / "collector"


def test_promtool_takes_the_configuration_and_the_rules_in_it(tmp_path: Path) -> None:
    """`check config` reads the rules, token and certificates that the configuration names."""
    for name in ("ca.pem", "metrics.token"):
        (tmp_path / name).write_text("made when the stack starts")
    config = (COLLECTOR / "prometheus" / "prometheus.yml").read_text().replace("/shared/secrets", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(config)
    (tmp_path / "rules.yml").symlink_to(COLLECTOR / "prometheus" / "rules.yml")

    output = run("promtool", "check", "config", str(tmp_path / "prometheus.yml"))

    assert "SUCCESS: 1 rule files found" in output
    assert "34 rules found" in output


def test_rules_record_and_alert_as_their_tests_say() -> None:
    """`rules_test.yml` says what the rules make of given series."""
    told = run("promtool", "test", "rules", "rules_test.yml", cwd=COLLECTOR / "prometheus", timeout=600)

    assert "SUCCESS" in told  # weeks of minutes take most of a minute of a processor


def test_amtool_takes_the_routes() -> None:
    """A worse alert of a budget mutes the lesser ones, and all go to one webhook."""
    output = run("amtool", "check-config", str(COLLECTOR / "alertmanager" / "alertmanager.yml"))

    assert "5 inhibit rules" in output
    assert "1 receivers" in output
