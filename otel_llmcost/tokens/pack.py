"""Make the shipped tables anew: `python -m otel_llmcost.tokens.pack o200k_base.tiktoken cl100k_base.tiktoken`.

The files are the published ones, as tiktoken fetches them; what is made of them is written beside this script.
"""

from __future__ import annotations

import sys
from pathlib import Path

from otel_llmcost.tokens import ranks

DATA = Path(__file__).with_name("data")


def main(files: list[str]) -> None:
    """Write the shipped form of each file."""
    for file in map(Path, files):
        packed = ranks.pack(file.read_bytes())
        target = DATA / f"{file.stem}.ranks"
        target.write_bytes(packed)
        print(f"{target.name}: {len(packed):,} bytes of a table with the SHA-256 {ranks.digest(packed)}")  # noqa: T201 -- a script's answer


if __name__ == "__main__":
    main(sys.argv[1:])
