"""How a ledger file came to its present tables: numbered steps, each applied once and noted in the file."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Cursor

from otel_llmcost.errors import StoreError

APPLICATION_ID = 0x4C4C4D43
"""Marks a file as ours in its header ("LLMC")."""


def _first_tables(cursor: Cursor) -> None:
    for statement in (
        """CREATE TABLE balances (
            budget TEXT NOT NULL, subject TEXT NOT NULL, bucket_us INTEGER NOT NULL,
            settled INTEGER NOT NULL DEFAULT 0, reserved INTEGER NOT NULL DEFAULT 0,
            suspected INTEGER NOT NULL DEFAULT 0, overrun INTEGER NOT NULL DEFAULT 0,
            exposure INTEGER NOT NULL DEFAULT 0, calls INTEGER NOT NULL DEFAULT 0,
            refused INTEGER NOT NULL DEFAULT 0, unpriced INTEGER NOT NULL DEFAULT 0,
            drop_us INTEGER NOT NULL,
            PRIMARY KEY (budget, subject, bucket_us)) WITHOUT ROWID""",
        "CREATE INDEX balances_drop ON balances (drop_us)",
        """CREATE TABLE reservations (
            reservation_id TEXT NOT NULL, budget TEXT NOT NULL, subject TEXT NOT NULL, bucket_us INTEGER NOT NULL,
            amount INTEGER NOT NULL, exposure INTEGER NOT NULL, expires_us INTEGER NOT NULL,
            is_expired INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (reservation_id, budget, subject, bucket_us)) WITHOUT ROWID""",
        # Time first, so that reports of a period read one stretch of the file; the id says what was charged already.
        """CREATE TABLE charges (
            at_us INTEGER NOT NULL, charge_id TEXT NOT NULL, duration_seconds REAL NOT NULL, provider TEXT NOT NULL,
            operation TEXT NOT NULL, requested_model TEXT NOT NULL, served_model TEXT, status TEXT NOT NULL,
            method TEXT NOT NULL, cost INTEGER, list_cost INTEGER, rate_id TEXT, rate_source TEXT,
            service_tier TEXT NOT NULL, estimate INTEGER, trace_id TEXT, span_id TEXT, response_id TEXT,
            error_type TEXT, input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER, other_usage TEXT,
            tag_agent TEXT, tag_task TEXT, tag_user TEXT, tag_team TEXT, tag_feature TEXT, tag_session TEXT,
            tag_workflow TEXT, tag_endpoint TEXT, tag_project TEXT, tag_environment TEXT, tag_tier TEXT,
            tag_provider TEXT, tag_model TEXT, tag_trace TEXT,
            PRIMARY KEY (at_us, charge_id)) WITHOUT ROWID""",
        "CREATE UNIQUE INDEX charges_id ON charges (charge_id)",
        """CREATE TABLE marks_told (
            budget TEXT NOT NULL, subject TEXT NOT NULL, level TEXT NOT NULL, bucket_us INTEGER NOT NULL,
            PRIMARY KEY (budget, subject, level, bucket_us)) WITHOUT ROWID""",
        """CREATE TABLE alerts (
            alert INTEGER PRIMARY KEY AUTOINCREMENT, budget TEXT NOT NULL, subject TEXT NOT NULL,
            bucket_us INTEGER NOT NULL, level TEXT NOT NULL, at_us INTEGER NOT NULL, spent INTEGER NOT NULL,
            limit_nano INTEGER NOT NULL, window_start_us INTEGER, window_end_us INTEGER, trace_id TEXT,
            requested INTEGER)""",
        "CREATE TABLE channels (channel TEXT PRIMARY KEY, next_alert INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE deliveries (
            delivery INTEGER PRIMARY KEY AUTOINCREMENT, delivery_id TEXT NOT NULL UNIQUE, channel TEXT NOT NULL,
            alert INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'pending',
            next_attempt_us INTEGER NOT NULL, problem TEXT)""",
        "CREATE INDEX deliveries_due ON deliveries (next_attempt_us) WHERE state = 'pending'",
        "CREATE TABLE learned (key TEXT PRIMARY KEY, numbers TEXT NOT NULL) WITHOUT ROWID",
    ):
        cursor.execute(statement)


def _corrections(cursor: Cursor) -> None:
    cursor.execute("ALTER TABLE charges ADD COLUMN corrects TEXT")
    cursor.execute(
        """CREATE INDEX charges_uncertain ON charges (response_id)
        WHERE response_id IS NOT NULL AND status IN ('estimated', 'suspected')"""
    )


def _acts(cursor: Cursor) -> None:
    for statement in (
        "ALTER TABLE charges ADD COLUMN actions TEXT",
        "ALTER TABLE balances ADD COLUMN carried INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE acts (
            act_id TEXT PRIMARY KEY, at_us INTEGER NOT NULL, kind TEXT NOT NULL, by_whom TEXT NOT NULL,
            reason TEXT NOT NULL, scope TEXT NOT NULL, budget TEXT, subject TEXT, amount INTEGER, until_us INTEGER,
            ends TEXT) WITHOUT ROWID""",
        "CREATE INDEX acts_ends ON acts (ends) WHERE ends IS NOT NULL",
        "CREATE TABLE duties (duty TEXT PRIMARY KEY, holder TEXT NOT NULL, until_us INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE known_budgets (
            budget TEXT PRIMARY KEY, terms TEXT NOT NULL, since_us INTEGER NOT NULL) WITHOUT ROWID""",
    ):
        cursor.execute(statement)


def _lives_of_alerts(cursor: Cursor) -> None:
    for statement in (
        "ALTER TABLE alerts ADD COLUMN alert_id TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE alerts ADD COLUMN kind TEXT NOT NULL DEFAULT 'budget'",
        "ALTER TABLE alerts ADD COLUMN measure TEXT NOT NULL DEFAULT 'cost'",
        "ALTER TABLE alerts ADD COLUMN facts TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE alerts ADD COLUMN ends_us INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE alerts ADD COLUMN acknowledged_us INTEGER",
        "ALTER TABLE alerts ADD COLUMN acknowledged_by TEXT",
        "ALTER TABLE alerts ADD COLUMN recovered_us INTEGER",
        "CREATE INDEX alerts_id ON alerts (alert_id)",
        "CREATE INDEX alerts_open ON alerts (ends_us) WHERE recovered_us IS NULL",
        "CREATE INDEX alerts_balance ON alerts (budget, subject, bucket_us)",
        # Whom an alert is told, and when to look whether more is to be said; no time: all is said.
        """CREATE TABLE addressees (
            alert INTEGER NOT NULL, channel TEXT NOT NULL, look_us INTEGER,
            PRIMARY KEY (alert, channel)) WITHOUT ROWID""",
        "CREATE INDEX addressees_look ON addressees (channel, look_us) WHERE look_us IS NOT NULL",
        "ALTER TABLE deliveries ADD COLUMN news TEXT NOT NULL DEFAULT 'fired'",
        "ALTER TABLE deliveries ADD COLUMN due_us INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE deliveries ADD COLUMN group_id TEXT",
        "CREATE INDEX deliveries_alert ON deliveries (alert, channel)",
        "CREATE INDEX deliveries_group ON deliveries (group_id) WHERE group_id IS NOT NULL",
        "ALTER TABLE channels ADD COLUMN seen_us INTEGER NOT NULL DEFAULT 0",
        "INSERT INTO addressees (alert, channel) SELECT DISTINCT alert, channel FROM deliveries",
        "UPDATE deliveries SET due_us = next_attempt_us",
    ):
        cursor.execute(statement)


def _commits(cursor: Cursor) -> None:
    cursor.execute("CREATE TABLE booked_commits (commit_id TEXT PRIMARY KEY, booked_s INTEGER NOT NULL) WITHOUT ROWID")
    cursor.execute("CREATE INDEX booked_commits_s ON booked_commits (booked_s)")


MIGRATIONS: tuple[tuple[str, Callable[[Cursor], None]], ...] = (
    ("0001 first tables", _first_tables),
    ("0002 corrections", _corrections),
    ("0003 acts", _acts),
    ("0004 lives of alerts", _lives_of_alerts),
    ("0005 commits", _commits),
)
"""Name → step, in order. Steps are only ever added."""


def missing(cursor: Cursor) -> list[str]:
    """Name the steps that a file still needs.

    Raises:
        StoreError: the file belongs to another program, or to a newer version of this one.
    """
    application_id = cursor.execute("PRAGMA application_id").fetchone()[0]
    if application_id != APPLICATION_ID:
        if application_id or cursor.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            msg = "the ledger file is a database of another program"
            raise StoreError(msg)
        return [name for name, _ in MIGRATIONS]
    applied = {name for (name,) in cursor.execute("SELECT name FROM migrations").fetchall()}
    if newer := applied - {name for name, _ in MIGRATIONS}:
        msg = f"the ledger file was written by a newer version ({', '.join(sorted(newer))})"
        raise StoreError(msg)
    return [name for name, _ in MIGRATIONS if name not in applied]


def migrate(cursor: Cursor) -> None:
    """Apply what is missing; to be called inside a transaction.

    Raises:
        StoreError: the file belongs to another program, or to a newer version of this one.
    """
    names = missing(cursor)
    if len(names) == len(MIGRATIONS):
        cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        cursor.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY) WITHOUT ROWID")
    for name, step in MIGRATIONS:
        if name in names:
            step(cursor)
            cursor.execute("INSERT INTO migrations (name) VALUES (?)", (name,))
