"""Lets libFuzzer look for what breaks a target: `python -m tests.prove.fuzz.run TARGET FOLDER SECONDS SEED`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["otel_llmcost", "otel_llmcost_collector"]):
    from tests.prove.fuzz.targets import TARGETS, seeds

_LONGEST = 65_536


def main(name: str, folder: str, seconds: str, seed: str) -> None:
    """Run until time is up; whatever the target raises ends it, and the input is left in the folder."""
    corpus = Path(folder, "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    for each in seeds(name):
        (corpus / hashlib.sha256(each).hexdigest()[:16]).write_bytes(each)
    atheris.Setup(
        [
            *("fuzz", str(corpus), f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_LONGEST}"),
            *(f"-artifact_prefix={folder}/", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"),
        ],
        TARGETS[name],
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
