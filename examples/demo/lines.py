"""The play in lines, one for each thing that happens: for logs, and for terminals that cannot be drawn anew."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from examples.demo.screen import calls, refusal, webhook
from examples.demo.watch import Snapshot

_EVERY_SECONDS = 10.0


class Lines:
    """Prints what is new in each snapshot."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._webhooks = 0
        self._refused = 0
        self._next_at = 0.0

    def show(self, snapshot: Snapshot) -> None:
        """Print what happened since the last snapshot, and every ten seconds how things stand."""
        for message in snapshot.webhooks[self._webhooks :]:
            self._console.print(Text.assemble("webhook  ", webhook(message)))
        for refused in snapshot.refused[self._refused :]:
            self._console.print(Text.assemble("refused  ", refusal(refused)))
        self._webhooks, self._refused = len(snapshot.webhooks), len(snapshot.refused)
        if snapshot.seconds >= self._next_at:
            self._next_at = snapshot.seconds + _EVERY_SECONDS
            self._console.print(Text.assemble(f"         {snapshot.seconds:3.0f} s ", calls(snapshot)))
