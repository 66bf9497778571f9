"""The size of the proofs, the servers they share, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.prove.report import Report
from tests.prove.servers import budget_api
from tests.prove.sizes import Size
from tests.prove.sizes import size as size_said
from tests.real.redis_servers import cluster, server

_REPORT = Report()
_SIZE = size_said()

UrlOf = Callable[[str], str]


@pytest.fixture(scope="session")
def size() -> Size:
    return _SIZE


@pytest.fixture(scope="session")
def report() -> Report:
    return _REPORT


@pytest.fixture(scope="session")
def url_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UrlOf]:
    """Starts the server of a store when it is first asked for; nobody disturbs it."""
    with ExitStack() as stack:
        folder, urls = tmp_path_factory.mktemp("stores"), dict[str, str]()

        def find(kind: str) -> str:
            if kind not in urls:
                urls[kind] = _start(kind, folder / kind, stack)
            return urls[kind]

        yield find


def _start(kind: str, folder: Path, stack: ExitStack) -> str:
    folder.mkdir()
    match kind:
        case "memory":
            return "memory://"
        case "sqlite":
            return f"sqlite://{folder}/ledger.db"
        case "redis":
            return f"redis://{stack.enter_context(server(folder)).place}?timeout=30&connections=200"
        case "redis+cluster":
            url, _ = stack.enter_context(cluster(folder))
            return f"{url}?timeout=30&connections=200"
        case "https":
            return f"http://{stack.enter_context(budget_api(folder)).place}?timeout=30"
    raise ValueError(kind)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that is here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.prove)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if _REPORT.rows:
        terminalreporter.section(f"proofs, seed {_SIZE.seed}")
        for line in _REPORT.table():
            terminalreporter.write_line(line)
