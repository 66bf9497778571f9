"""Run the server: `python -m examples.provider_server --port 8099`."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from pathlib import Path

from examples.provider_server.script import rule_from_json
from examples.provider_server.server import ProviderServer


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m examples.provider_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8099, help="0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port here once it listens")
    parser.add_argument("--script", type=Path, help="JSON file with a list of rules")
    parser.add_argument("--gap", type=float, default=0.0, help="seconds before an answer and between a stream's events")
    parser.add_argument("--chunk", type=int, help="cut bodies into pieces of so many bytes")
    options = parser.parse_args()
    try:
        rules = [rule_from_json(entry) for entry in json.loads(options.script.read_text())] if options.script else []
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"--script {options.script}: {error}")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ProviderServer(
        rules, host=options.host, port=options.port, gap_seconds=options.gap, chunk_bytes=options.chunk
    ) as server:
        if options.port_file:
            options.port_file.write_text(str(server.port))
        print(
            f"provider server: OPENAI_BASE_URL={server.openai_url} ANTHROPIC_BASE_URL={server.anthropic_url}",
            flush=True,
        )
        stop.wait()


if __name__ == "__main__":
    main()
