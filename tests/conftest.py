"""What holds for all tests: which run by default, and that nothing is skipped unnoticed."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec

import pytest

EXPECTED_SKIPS = re.compile(
    r"(openai|anthropic) (\d+\.\d+\.\d+ )?(has no|does not know|makes no)"
    r"|this (openai|anthropic|google-genai|botocore|mistralai|cohere|ollama|groq|together|cerebras|openrouter) "
)
"""Only an older SDK may lack what a test is about."""

collect_ignore = [] if find_spec("openinference") else ["beside"]
"""Other instrumentors have a virtual environment of their own: `make test-beside`.

So have agent frameworks, `make test-frameworks`; what is not installed is passed over in their folder.
"""

_unexpected: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Leave out what needs servers or much time, unless it is asked for."""
    if not config.option.markexpr:
        config.option.markexpr = "not real and not slow and not prove"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a skip that nobody expects."""
    if report.skipped and isinstance(report.longrepr, tuple) and not EXPECTED_SKIPS.search(report.longrepr[2]):
        _unexpected.append(f"{report.nodeid}: {report.longrepr[2]}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a run in CI fail where a test was skipped for a reason that is not expected."""
    if _unexpected and os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name them."""
    for skip in _unexpected:
        terminalreporter.write_line(f"unexpected skip: {skip}")
