"""Whether a collector does its work: what comes in, what has a price, what waits, what is lost."""

from __future__ import annotations

from dataclasses import replace

from dashboards.builder import kinds, looks, promql
from dashboards.builder.board import Board
from dashboards.builder.metrics import SOURCE
from dashboards.builder.panels import Panel, Query, Style, link_to

_TURNED_AWAY = 'outcome!~"accepted|partial"'
_BYTES = Style(unit="bytes", decimals=1)
_LATENCY = Style(unit="s", custom=kinds.LINE)


def _added(name: str, *matchers: str, window: str = promql.RANGE) -> str:
    return promql.added(promql.select_all(f"llmcost_collector_{name}", *matchers), window)


def _total(name: str, *by: str, only: str = "") -> str:
    return promql.total(_added(f"{name}_total", only), *by)


def _sum(gauge: str, *by: str, only: str = "") -> str:
    return promql.total(promql.select_all(f"llmcost_collector_{gauge}", only), *by)


def _within(name: str) -> str:
    return f"histogram_quantile(0.95, sum by (le) ({_added(f'{name}_seconds_bucket', window=promql.STEP)}))"


_COSTS = promql.net(*(promql.added(promql.select_all(f"llmcost_cost{part}_USD_total")) for part in ("", "_reversed")))


def _figure(title: str, description: str, expr: str, style: Style) -> Panel:
    return kinds.stat(title, description, Query(expr=promql.or_zero(expr)), style, width=4)


_FIGURES = [
    _figure(
        "Inference spans",
        "Spans of the time range that told of a call of a model. If it falls to 0, a sender or a gateway is down.",
        _total("inference_spans"),
        looks.COUNT,
    ),
    _figure(
        "Unpriced share",
        "Of those. If it grows, a new model came up or a sender tells no usage: see why on the right.",
        promql.ratio(_total("unpriced"), _total("inference_spans")),
        replace(looks.SHARE, color_mode="thresholds", steps=((None, looks.GREEN), (0.05, looks.ORANGE))),
    ),
    _figure(
        "Duplicates",
        "Tellings of the time range that were of a call known already: sent again, or told by two. Charged once.",
        _total("duplicates"),
        looks.COUNT,
    ),
    _figure(
        "Turned away",
        "Requests of the time range that were not accepted: too much at once, malformed, or without a token. "
        "Senders repeat what was too much; add a worker or a collector if it goes on.",
        _total("requests", only=_TURNED_AWAY),
        looks.alarm(),
    ),
    _figure(
        "Not handed on",
        "Requests of the time range that no back end will ever get. Their calls are in the ledger all the same.",
        _total("forward_dropped"),
        looks.alarm(looks.RED),
    ),
    _figure(
        "Workers missing",
        "Workers that should live and do not. One that died is begun anew; if it stays so, see the collector's log.",
        f"{_sum('workers_wanted')} - {_sum('workers')}",
        looks.alarm(looks.RED),
    ),
]

_CAME = kinds.speed(
    "Inference spans per minute, by dialect",
    "What senders speak. A dialect that ends is a fleet that stopped sending, or an update that changed its words.",
    kinds.over_time(
        promql.per_minute(promql.total(_added("inference_spans_total", window=promql.STEP), "source")), "source"
    ),
    Style(unit="short"),
    width=16,
    height=8,
    empty="Nothing came",
)

_COST = kinds.donut(
    "Cost by dialect",
    "Who told of the cost of the time range: `unattributed` is what agents show themselves, without a collector.",
    SOURCE,
    promql.total(_COSTS, SOURCE),
    looks.MONEY,
    width=8,
    height=8,
    empty="Nothing was spent",
    link=link_to("LLM Cost Overview", "llmcost-overview"),
)

_ANSWERS = kinds.speed(
    "Requests per minute, by outcome",
    "busy: senders are told to come again. failed: a fault of ours, see the log.",
    kinds.over_time(
        promql.per_minute(promql.total(_added("requests_total", window=promql.STEP), "outcome")), "outcome"
    ),
    Style(unit="short"),
    width=8,
    height=8,
    named=kinds.colored(
        {
            "accepted": looks.GREEN,
            "partial": looks.YELLOW,
            "busy": looks.ORANGE,
            "malformed": looks.PURPLE,
            "too_large": looks.GRAY,
            "unauthorized": looks.BLUE,
            "failed": looks.RED,
        }
    ),
    empty="Nothing came",
)

_SPEED = kinds.chart(
    "95 % within",
    "Of requests until they are answered, and of calls until they are on disk in the ledger. If both grow, the disk "
    "is slow; if only the answers do, a back end is, or the processor is busy.",
    [
        Query(expr=_within("answer"), legend="answers", shape="range", step="1m"),
        Query(expr=_within("ledger_lag"), legend="ledger", shape="range", step="1m"),
    ],
    _LATENCY,
    width=8,
    height=8,
    named=kinds.colored({"answers": looks.BLUE, "ledger": looks.PURPLE}),
    empty="Nothing came",
)


def _list(title: str, description: str, label: tuple[str, str], name: str, *, empty: str) -> Panel:
    return kinds.table(
        title,
        description,
        {label[0]: label[1], "Count": Query(expr=f"{_total(name, label[1])} > 0", shape="table")},
        {"Count": looks.wide(looks.COUNT, 90)},
        sort="Count",
        width=8,
        height=8,
        empty=empty,
    )


_REASONS = _list(
    "Unpriced, by reason",
    "unknown model: add a `[[price]]`, `otel-llmcost doctor` names them. no usage: the sender tells none.",
    ("Reason", "reason"),
    "unpriced",
    empty="All had a price",
)

_BACK_ENDS = kinds.table(
    "Back ends",
    "Requests of the time range. What waits is in memory first, then on disk; when that is full, senders are told to "
    "come again.",
    {
        "Back end": "to",
        "Sent": Query(expr=_total("forward_sent", "to"), shape="table"),
        "Again": Query(expr=f"{_total('forward_retried', 'to')} > 0", shape="table"),
        "Given up": Query(expr=f"{_total('forward_dropped', 'to')} > 0", shape="table"),
        "In memory": Query(expr=_sum("forward_queue_requests", "to"), shape="table"),
        "On disk": Query(expr=_sum("forward_queue_bytes", "to", only='place="disk"'), shape="table"),
        "Disk used": Query(
            expr=promql.ratio(
                _sum("forward_queue_bytes", "to", only='place="disk"'),
                _sum("forward_limit_bytes", "to", only='place="disk"'),
            ),
            shape="table",
        ),
    },
    {
        "Sent": looks.wide(looks.COUNT, 100),
        "Again": looks.wide(looks.COUNT, 80),
        "Given up": looks.wide(looks.COUNT, 90),
        "In memory": looks.wide(looks.COUNT, 100),
        "On disk": looks.wide(_BYTES, 90),
        "Disk used": looks.wide(looks.gauge_cell(((None, looks.GREEN), (0.5, looks.YELLOW), (0.8, looks.RED))), 130),
    },
    sort="On disk",
    width=16,
    height=8,
    empty="Nothing is handed on",
)

_WAITING = kinds.chart(
    "Waiting to be handed on",
    "Bytes in memory and on disk. A line that climbs is a back end that is down or too slow.",
    [Query(expr=_sum("forward_queue_bytes", "to"), legend="{{to}}", shape="range", step="1m")],
    replace(_BYTES, color_mode=kinds.BY_SERIES, custom=kinds.LINE),
    width=8,
    height=8,
    empty="Nothing is handed on",
)

_LEDGER = kinds.chart(
    "Ledger and balances",
    "Commits that wait to be booked in the balances, and for how many seconds calls wait for the ledger by now. "
    "Both are near 0, or a store is down.",
    [
        Query(expr=_sum("notes_waiting"), legend="commits not booked", shape="range", step="1m"),
        Query(expr="max(llmcost_collector_ledger_age_seconds)", legend="seconds waiting", shape="range", step="1m"),
    ],
    replace(looks.SECONDS, unit="short", custom=kinds.LINE),
    width=12,
    height=8,
    named=kinds.colored({"commits not booked": looks.YELLOW, "seconds waiting": looks.ORANGE}),
    empty="Nothing was reported",
)

_MEMORY = kinds.chart(
    "Memory, by process",
    "The accountant keeps the books; workers receive, price and hand on.",
    [Query(expr=_sum("resident_memory_bytes", "process"), legend="{{process}}", shape="range", step="1m")],
    replace(_BYTES, color_mode=kinds.BY_SERIES, custom=kinds.LINE),
    width=12,
    height=8,
    empty="Nothing was reported",
)

COLLECTOR = Board(
    uid="llmcost-collector",
    title="Collector",
    description="Whether the collector does its work: what comes in, what has a price, what waits, what is lost.",
    variables=(),
    rows=[_FIGURES, [_CAME, _REASONS], [_ANSWERS, _SPEED, _COST], [_BACK_ENDS, _WAITING], [_LEDGER, _MEMORY]],
    time_from="now-6h",
    refresh="30s",
)
