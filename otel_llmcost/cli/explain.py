"""`explain`: why one time cost more than another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import cast

import click
from rich.table import Table

from otel_llmcost.cli.output import Column, as_json, moment, print_json, print_table, table, usd
from otel_llmcost.cli.period import EXPECTED, span
from otel_llmcost.cli.reasons import LABELS, place, sentences, signed
from otel_llmcost.cli.tools import Tools
from otel_llmcost.core import explain as core
from otel_llmcost.core.attribution import DIMENSIONS, Dimension
from otel_llmcost.core.explain import Explanation, Part, Sums
from otel_llmcost.core.factors import COMMON_WEIGHTS, Weights
from otel_llmcost.core.ledger import ChargeStatus
from otel_llmcost.core.money import from_nano
from otel_llmcost.core.prices import PriceBook
from otel_llmcost.errors import UnknownPriceError, one_line
from otel_llmcost.storage.base import Store, Total

Period = tuple[datetime, datetime]


@click.command()
@click.option("--from", "since", default="7d", show_default=True, metavar="TIME", help=f"Begin: {EXPECTED}.")
@click.option("--to", "until", metavar="TIME", help="End, of the same forms; now if left out.")
@click.option("--against", metavar="TIME..TIME", help="What to compare with; as long a time just before if left out.")
@click.option("--by", type=click.Choice(DIMENSIONS), default="agent", show_default=True, metavar="NAME",
              help=f"What to look for causes in: {', '.join(DIMENSIONS)}.")  # fmt: skip
@as_json
@click.pass_obj
def explain(tools: Tools, since: str, until: str | None, against: str | None, by: Dimension, as_json: bool) -> None:
    """Say why a time cost more or less than the one before it.

    The change is split into new and gone agents, the number of calls, the mix of models, tokens per call, cache hits,
    prices and retries; the parts add up to it. docs/forecast.md says how.
    """
    now = tools.now()
    later = span(since, until, now, "--from", "--to")
    earlier = _against(against, now) if against else _just_before(later)
    old, new = read(tools.store(), by, earlier), read(tools.store(), by, later)
    found = core.explain(old, new, weights_of(tools.book(), later[0]))
    if as_json:
        print_json(document(found, by, earlier, later))
        return
    click.echo(f"{_shown(later)} against {_shown(earlier)}, UTC")
    print_table(drawn(found, by))
    for sentence in sentences(found, by):
        click.echo(one_line(sentence))
    for remark in _remarks(old, new, earlier, later):
        click.echo(remark)


def read(store: Store, by: Dimension, period: Period) -> list[Sums]:
    """Read what an explanation needs to know of a time."""
    return [_sums(total) for total in store.totals((by, "provider", "model", "rate", "status"), *period)]


def weights_of(book: PriceBook, at: datetime) -> Callable[[str, str], Weights]:
    """Say what tokens cost as compared with one another, by the price book at an instant."""

    def weights(provider: str, model: str) -> Weights:
        try:
            prices = book.rate_at(provider, model, at).prices
        except UnknownPriceError:
            return COMMON_WEIGHTS
        fresh = prices.get("input_tokens", 0)
        return Weights(
            float(fresh), float(prices.get("cache_read_tokens", fresh)), float(prices.get("output_tokens", 0))
        )

    return weights


def document(found: Explanation, by: Dimension, earlier: Period, later: Period) -> dict[str, object]:
    """Make an explanation as programs read it."""
    return {
        "from": later[0],
        "to": later[1],
        "against": {"from": earlier[0], "to": earlier[1]},
        "by": by,
        "before_usd": from_nano(found.before_nano),
        "after_usd": from_nano(found.after_nano),
        "change_usd": from_nano(found.change_nano),
        "causes": {cause: from_nano(_sum(parts)) for cause, parts in found.by_cause().items()},
        "parts": [_record(part, by) for part in found.parts],
        "text": sentences(found, by),
    }


def drawn(found: Explanation, by: Dimension) -> Table:
    """Draw the causes, with the place that most of each is from."""
    columns = [Column("cause"), Column("change", is_number=True), Column("most of it")]
    rows = [
        [LABELS[cause].format(by=by), signed(_sum(parts)), _largest(parts[0], by)]
        for cause, parts in found.by_cause().items()
    ]
    total = ["change", signed(found.change_nano), f"from {usd(found.before_nano)} to {usd(found.after_nano)}"]
    return table(columns, rows, total=total)


def _largest(part: Part, by: Dimension) -> str:
    return f"{signed(part.change_nano)} {place(part, by)}"


def _sums(total: Total) -> Sums:
    group, provider, model, rate, status = total.group
    return Sums(
        group=group,
        provider=provider or "",
        model=model or "",
        rate=rate,
        status=cast("ChargeStatus", status),
        calls=total.calls,
        input_tokens=total.input_tokens,
        cache_read_tokens=total.cache_read_tokens,
        output_tokens=total.output_tokens,
        cost_nano=total.cost_nano,
    )


def _record(part: Part, by: Dimension) -> dict[str, object]:
    return {
        "cause": part.cause,
        by: part.group,
        "on_model": part.model,
        "change_usd": from_nano(part.change_nano),
        "before": part.before,
        "after": part.after,
    }


def _sum(parts: Sequence[Part]) -> int:
    return sum(part.change_nano for part in parts)


def _just_before(later: Period) -> Period:
    try:
        return later[0] - (later[1] - later[0]), later[0]
    except OverflowError:
        raise click.BadParameter("no calendar reaches as far back as the time before.", param_hint="--from") from None


def _against(text: str, now: datetime) -> Period:
    since, dots, until = text.partition("..")
    if not dots or not until:
        raise click.BadParameter(f"{text!r} is not two times such as 2026-10-01..2026-11-01.", param_hint="--against")
    return span(since, until, now, "--against")


def _shown(period: Period) -> str:
    return f"{moment(period[0])} to {moment(period[1])}"


def _remarks(old: Sequence[Sums], new: Sequence[Sums], earlier: Period, later: Period) -> Iterator[str]:
    """Say what the reader should know of the figures."""
    lengths = [round((end - start) / timedelta(days=1), 2) for start, end in (later, earlier)]
    if lengths[0] != lengths[1]:
        yield f"The times are not equally long, in days: {lengths[0]:g} against {lengths[1]:g}."
    unpriced = [sum(each.calls for each in sums if each.status == "unpriced") for sums in (new, old)]
    if any(unpriced):
        yield f"Calls without a price are not in these amounts: {unpriced[0]:,}, in the time before {unpriced[1]:,}."
