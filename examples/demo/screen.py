"""How it looks: one snapshot, drawn; the same for a terminal that is drawn anew and for the last screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from examples.demo.watch import GROUPS, Refused, Snapshot, Standing, Webhook
from otel_llmcost.core.money import from_nano
from otel_llmcost.storage.base import Total

WORKS = "Every call is priced, attributed, and held against the budgets."
TOLD = "A mark was reached: a signed webhook tells of it, once."
REFUSED = "A budget is used up: calls that do not fit are refused, the others go on."
ALL_REFUSED = "The team's budget is used up: what does not fit is not sent, and not paid."

STYLES = {"ok": "green", "warning": "yellow", "critical": "red", "exceeded": "bold white on red"}
_ZONES = ("green", "yellow", "red")
"""Colours of a bar below its first mark, between its marks, and behind the last but one."""
_TITLE = "bold cyan"
_DIM = "bright_black"
_WIDE = 96
_WIDE_NEWS = 110
_LONGEST_BAR, _SHORTEST_BAR = 40, 12
_ROWS_ABOVE_NEWS = 18
_FEWEST_NEWS, MOST_NEWS = 4, 10


class Screen:
    """A snapshot on a terminal, fitted to its size."""

    def __init__(self, snapshot: Snapshot, *, rows_of_news: int | None = None) -> None:
        """Take what is to be drawn.

        Args:
            snapshot: the figures.
            rows_of_news: how many alerts and refusals to show; None: as many as the terminal has room for.
        """
        self._snapshot = snapshot
        self._rows = rows_of_news

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height, width = options.height or console.height, options.max_width
        above = _ROWS_ABOVE_NEWS + (width < _WIDE_NEWS)
        rows = self._rows or min(max(height - above, _FEWEST_NEWS), MOST_NEWS)
        yield from (
            _caption(self._snapshot),
            "",
            titled("BUDGETS", "of today; the colours change at the marks"),
            budgets(self._snapshot.standings, width),
            "",
            costs(self._snapshot, width),
            "",
            calls(self._snapshot),
            "",
            _news(self._snapshot, rows, is_wide=width >= _WIDE_NEWS),
        )


def story(snapshot: Snapshot) -> str:
    """Say what is going on."""
    refusing = [standing for standing in snapshot.standings if standing.balance.refused]
    if any(not standing.budget.per for standing in refusing):
        return ALL_REFUSED
    if refusing:
        return REFUSED
    return TOLD if snapshot.webhooks else WORKS


def usd(nano: int) -> str:
    """Show an amount; all with as many digits, so that they can be compared at a glance."""
    return f"${from_nano(nano):.5f}"


def grid(rows: Iterable[Sequence[RenderableType]], justify: str, *, gap: int = 2) -> Table:
    """Set columns without lines: `l` to the left, `r` to the right."""
    drawn = Table.grid(padding=(0, gap, 0, 0))
    for side in justify:
        drawn.add_column(justify="right" if side == "r" else "left", no_wrap=True, overflow="ellipsis")
    for row in rows:
        drawn.add_row(*row)
    return drawn


def budgets(standings: Sequence[Standing], width: int) -> Table:
    """Draw each balance as a bar that changes colour at its marks."""
    drawn = [_budget(standing, width) for standing in standings]
    return grid(drawn, "lllrll")


def _budget(standing: Standing, width: int) -> list[RenderableType]:
    balance, level, is_wide = standing.balance, standing.level, width >= _WIDE
    said = Text.assemble((f" {level} ", STYLES.get(level, "red")))
    if balance.refused:
        said.append(f" {balance.refused} refused", style="bold red")
    elif not standing.refuses:
        said.append(" only tells", style=_DIM)
    limit = f" of {usd(balance.limit_nano)}" if is_wide else ""
    scope = str(standing.budget.scope) if is_wide else ""
    return [
        balance.budget,
        Text(balance.subject or scope, style=_DIM),
        bar(standing, min(max(width - 86, _SHORTEST_BAR), _LONGEST_BAR)),
        f"{balance.share * 100:.0f} %",
        Text.assemble(usd(balance.spent_nano), (limit, _DIM)),
        said,
    ]


def bar(standing: Standing, cells: int) -> Text:
    """Draw a share of a limit; every cell has the colour of the zone that it lies in."""
    marks = [int(mark.share * cells) for mark in standing.budget.marks if mark.share < 1]
    filled = min(round(standing.balance.share * cells), cells)
    drawn = Text()
    for cell in range(cells):
        zone = _ZONES[min(sum(cell >= mark for mark in marks), len(_ZONES) - 1)]
        if cell in marks:
            drawn.append("╋" if cell < filled else "┼", style=zone)
        else:
            drawn.append(*("━", zone) if cell < filled else ("─", _DIM))
    return drawn


def costs(snapshot: Snapshot, width: int) -> Table:
    """Set the costs by agent, task, user and model side by side."""
    between, within = (4, 2) if width >= _WIDE else (2, 1)
    heads = (Text(f"COST BY {by.upper()}" if by == GROUPS[0] else by.upper(), style=_TITLE) for by in GROUPS)
    columns = (_cost_column(snapshot.totals[by], within) for by in GROUPS)
    return grid([[*heads], [*columns]], "llll", gap=between)


def _cost_column(totals: Sequence[Total], gap: int) -> Table:
    named = sorted(totals, key=lambda total: total.group[0] or "")
    return grid(([total.group[0] or "(none)", usd(total.cost_nano)] for total in named), "lr", gap=gap)


def calls(snapshot: Snapshot) -> Text:
    """Say how many calls were made, and how many were not."""
    sent = "" if snapshot.requests is None else f"   {snapshot.requests} reached the provider"
    refused = f"   {snapshot.refused_calls} refused before sending"
    style = "bold red" if snapshot.refused_calls else _DIM
    return Text.assemble(("CALLS", _TITLE), f"   {snapshot.calls} in the ledger", sent, (refused, style))


def _caption(snapshot: Snapshot) -> Text:
    clock = f"{snapshot.seconds // 60:.0f}:{snapshot.seconds % 60:02.0f}"
    return Text.assemble((f"{clock}  ", _TITLE), (story(snapshot), "bold"))


def _news(snapshot: Snapshot, rows: int, *, is_wide: bool) -> RenderableType:
    told = [titled("WEBHOOKS", "signed; checked by the receiver"), *map(webhook, snapshot.webhooks[-rows:])]
    refused = [titled("REFUSED", "before it was sent"), *map(refusal, snapshot.refused[-rows:])]
    if is_wide:
        return grid(zip_longest(told, refused, fillvalue=""), "ll", gap=4)
    return Group(told[0], *told[1:][-(rows // 2) :], refused[0], *refused[1:][-(rows // 2) :])


def webhook(message: Webhook) -> Text:
    """Draw a message that arrived."""
    sign = Text("✔ ", style="green") if message.is_verified else Text("✘ ", style="bold red")
    what = f"{message.budget} {message.subject}".strip() or message.reason
    return Text.assemble(
        (f"{message.at_seconds:3.0f} s ", _DIM),
        sign,
        (f"{message.level:<8}", STYLES.get(message.level, "")),
        f" {what} ",
        (f"{message.share * 100:.0f} %" + (", by a refusal" if message.by_refusal else ""), _DIM),
    )


def refusal(refused: Refused) -> Text:
    """Draw a call that was refused."""
    return Text.assemble(
        (f"{refused.at_seconds:3.0f} s ", _DIM),
        f"{refused.task} for {refused.user} ",
        (f"needs {refused.needed}, {refused.left} left", "red"),
    )


def titled(title: str, rest: str) -> Text:
    """Draw the heading of a part."""
    return Text.assemble((title, _TITLE), (f"   {rest}", _DIM))
