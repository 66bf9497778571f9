"""What the proofs did, as a table at the end of a run."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """Lines of figures, one for each thing that was tried."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    """What was proven, on what, and the figures."""

    def say(self, proof: str, on: str, figures: str, details: str = "") -> None:
        """Print a line now, and keep all but the details for the table."""
        self.rows.append((proof, on, figures))
        print(f"\n{proof} | {on} | {figures} {details}", flush=True)

    def table(self) -> list[str]:
        """Lay the lines out."""
        widths = [max((len(row[place]) for row in self.rows), default=0) for place in (0, 1)]
        return [f"{proof:<{widths[0]}}  {on:<{widths[1]}}  {figures}" for proof, on, figures in self.rows]
