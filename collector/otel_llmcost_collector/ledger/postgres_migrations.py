"""How a ledger in PostgreSQL came to its present tables: numbered steps, each applied once and noted beside them."""

from __future__ import annotations

from collections.abc import Sequence

from otel_llmcost_collector.ledger.moves import AMOUNTS

SCHEMA = "llmcost"
"""All tables stand in a schema of their own, so that the database may be anybody's."""
_SUMS = ", ".join(f"{name} bigint NOT NULL" for name in AMOUNTS)
_NUMBER = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"

_FIRST_TABLES = (
    f"CREATE TABLE kinds (kind {_NUMBER}, body text NOT NULL UNIQUE, kind_group bigint NOT NULL)",
    f"CREATE TABLE kind_groups (kind_group {_NUMBER}, body text NOT NULL UNIQUE)",
    f"CREATE TABLE persons (person {_NUMBER}, name text NOT NULL UNIQUE)",
    # By day, as ids begin with the time; what has no day of its own (old, strange or without a time) in the last one.
    """CREATE TABLE charges (
        id bytea PRIMARY KEY, at_us bigint NOT NULL, kind bigint NOT NULL, person bigint, task text, session text,
        trace_id bytea, span_id bytea, parent_id bytea, response_id text, call_key bigint, duration_us bigint NOT NULL,
        input bigint, output bigint, cache_read bigint, cache_write bigint, reasoning bigint,
        cost bigint, list_cost bigint, more text, unsure smallint, stray smallint) PARTITION BY RANGE (id)""",
    "CREATE TABLE charges_other PARTITION OF charges DEFAULT",
    "CREATE INDEX charges_stray ON charges (at_us) WHERE stray = 1",
    "CREATE INDEX charges_unsure ON charges (at_us) WHERE unsure IS NOT NULL",
    "CREATE INDEX charges_uncertain ON charges (response_id) WHERE unsure = 1",
    # Not by day: of two nodes that are told of one call at once, this decides which of them charges it.
    """CREATE TABLE calls (
        span bigint NOT NULL, call_key bigint NOT NULL, id bytea NOT NULL, PRIMARY KEY (span, call_key))""",
    *(
        f"""CREATE TABLE {table} ({unit} bigint NOT NULL, kind_group bigint NOT NULL, {_SUMS},
            PRIMARY KEY ({unit}, kind_group))"""
        for table, unit in (("hours", "hour"), ("days", "day"), ("months", "month"))
    ),
    f"""CREATE TABLE person_days (day bigint NOT NULL, person bigint NOT NULL, status bigint NOT NULL, {_SUMS},
        PRIMARY KEY (day, person, status))""",
    "CREATE TABLE series (node text NOT NULL, labels text NOT NULL, amounts text NOT NULL, PRIMARY KEY (node, labels))",
    f"CREATE TABLE moves (number {_NUMBER}, node text NOT NULL, entries bigint NOT NULL, body bytea NOT NULL)",
    f"CREATE TABLE notes (number {_NUMBER}, commit_id text NOT NULL UNIQUE, node text NOT NULL, body bytea NOT NULL)",
    "CREATE TABLE facts (name text PRIMARY KEY, number bigint NOT NULL)",
)
MIGRATIONS: tuple[tuple[str, Sequence[str]], ...] = (("0001 first tables", _FIRST_TABLES),)
"""Name → statements, in order. Steps are only ever added."""
