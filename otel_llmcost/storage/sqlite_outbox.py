"""Alerts and their deliveries in SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from sqlite3 import Cursor

from otel_llmcost.core.alert import Alert, Channel, Delivery, Fired
from otel_llmcost.core.exact_json import to_json
from otel_llmcost.core.lifecycle import is_rearmed_by_recovery
from otel_llmcost.core.policy import micros
from otel_llmcost.storage import outbox
from otel_llmcost.storage.outbox import MOST_AT_ONCE, MOST_IN_GROUP, SEEN, anew
from otel_llmcost.storage.shared import counted_from_us, utc
from otel_llmcost.storage.sqlite_alerts import alerts, deliveries, fired

_SEEN_US = SEEN // timedelta(microseconds=1)
_IS_OPEN = "recovered_us IS NULL AND ends_us > ?"
_NEWEST = "alert IN (SELECT alert FROM alerts ORDER BY alert DESC LIMIT ?)"


def fire(cursor: Cursor, alert: Alert) -> bool:
    """Put an alert into the outbox; False: its mark was told in this window already."""
    budget, subject, bucket_us = alert.key
    from_us = counted_from_us(alert)
    compare = "=" if from_us == bucket_us else ">="
    told = cursor.execute(
        f"SELECT 1 FROM marks_told WHERE budget = ? AND subject = ? AND level = ? AND bucket_us {compare} ?",
        (budget, subject, alert.mark, from_us),
    )
    if told.fetchone() is not None:
        return False
    cursor.execute("INSERT INTO marks_told VALUES (?, ?, ?, ?)", (budget, subject, alert.mark, bucket_us))
    cursor.execute(
        """INSERT INTO alerts (budget, subject, bucket_us, level, at_us, spent, limit_nano, window_start_us,
        window_end_us, trace_id, requested, kind, measure, facts, alert_id, ends_us)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            *alert.key,
            alert.level,
            micros(alert.at),
            alert.spent_nano,
            alert.limit_nano,
            None if alert.window_start is None else micros(alert.window_start),
            None if alert.window_end is None else micros(alert.window_end),
            alert.trace_id,
            alert.requested_nano,
            alert.kind,
            alert.measure,
            to_json(alert.facts),
            alert.alert_id,
            micros(alert.ends_at),
        ),
    )
    return True


def is_anything_due(cursor: Cursor, channels: Sequence[str], now_us: int) -> bool:
    """Tell whether `claim` would find anything to do."""
    next_alert = _next_alert(cursor)
    known = dict[str, tuple[int, int]](
        (channel, (next_of_it, seen_us))
        for channel, next_of_it, seen_us in cursor.execute("SELECT channel, next_alert, seen_us FROM channels")
    )
    for channel in channels:
        next_of_it, seen_us = known.get(channel, (0, 0))
        if next_of_it != next_alert or seen_us <= now_us - _SEEN_US:
            return True
    at_us = _next_us(cursor, channels)
    return at_us is not None and at_us <= now_us


def claim(cursor: Cursor, channels: Sequence[Channel], now: datetime, until: datetime, most: int) -> list[Delivery]:
    """Decide what is to be told, then take what is due until `until`."""
    return outbox.claim(_Desk(cursor, now), channels, now, until=until, most=most)


def finish(cursor: Cursor, delivery: Delivery) -> None:
    """Write down how a delivery stands."""
    cursor.execute(
        """UPDATE deliveries SET attempts = ?, state = ?, next_attempt_us = ?, due_us = ?, group_id = ?, problem = ?
        WHERE delivery_id = ?""",
        (
            delivery.attempts,
            delivery.state,
            micros(delivery.next_attempt_at),
            micros(delivery.due_at),
            delivery.group_id,
            delivery.problem,
            delivery.delivery_id,
        ),
    )


def newest(cursor: Cursor, most: int) -> list[Delivery]:
    """List deliveries, newest first."""
    return deliveries(cursor, "TRUE ORDER BY d.delivery DESC LIMIT ?", most)


def pending(cursor: Cursor) -> int:
    """Count what is yet to be delivered."""
    count: int = cursor.execute("SELECT count(*) FROM deliveries WHERE state = 'pending'").fetchone()[0]
    return count


def next_at(cursor: Cursor, channels: Sequence[str]) -> datetime | None:
    """Say when there is something to do for these channels."""
    at_us = _next_us(cursor, channels)
    return None if at_us is None else utc(at_us)


def newest_alerts(cursor: Cursor, most: int) -> list[Fired]:
    """List alerts with what has become of them, newest first."""
    return fired(cursor, _NEWEST, most)[::-1]


def open_alerts(cursor: Cursor, now_us: int) -> list[Fired]:
    """List alerts whose window is not over and that have not recovered, oldest first."""
    return fired(cursor, _IS_OPEN, now_us)


def acknowledge(cursor: Cursor, alert_id: str, by: str, at_us: int) -> bool:
    """Write down that somebody takes care; False: there is no such alert, or somebody did before."""
    changed = cursor.execute(
        "UPDATE alerts SET acknowledged_us = ?, acknowledged_by = ? WHERE alert_id = ? AND acknowledged_us IS NULL",
        (at_us, by, alert_id),
    ).rowcount
    return _looked_at_again(cursor, alert_id, at_us) if changed else False


def recover(cursor: Cursor, alert_id: str, at_us: int) -> bool:
    """Write down that an alert's cause is gone; False: there is no such alert, or it was written before."""
    found = fired(cursor, "alert_id = ? AND recovered_us IS NULL", alert_id)
    for alert in (each.alert for each in found):
        cursor.execute("UPDATE alerts SET recovered_us = ? WHERE alert_id = ?", (at_us, alert_id))
        if is_rearmed_by_recovery(alert):
            cursor.execute(
                "DELETE FROM marks_told WHERE budget = ? AND subject = ? AND bucket_us = ? AND level = ?",
                (*alert.key, alert.mark),
            )
    return _looked_at_again(cursor, alert_id, at_us) if found else False


def resend(cursor: Cursor, delivery_id: str, now: datetime) -> bool:
    """Begin a delivery once more that is dead or closed; False: there is none such."""
    for delivery in deliveries(cursor, "d.delivery_id = ?", delivery_id):
        begun = anew(delivery, now)
        if begun is not None:
            finish(cursor, begun)
            return True
    return False


def prune(cursor: Cursor, before_us: int) -> None:
    """Forget alerts, and what became of them, from before a time."""
    old = "alert IN (SELECT alert FROM alerts WHERE at_us < ?)"
    cursor.execute(f"DELETE FROM deliveries WHERE {old}", (before_us,))
    cursor.execute(f"DELETE FROM addressees WHERE {old}", (before_us,))
    cursor.execute("DELETE FROM alerts WHERE at_us < ?", (before_us,))


class _Desk:
    """The outbox amid one transaction."""

    def __init__(self, cursor: Cursor, now: datetime) -> None:
        self._cursor = cursor
        self._now_us = micros(now)

    def new_alerts(self, channel: str, not_before: datetime) -> list[tuple[int, Alert]]:
        """See `Desk.new_alerts`."""
        row = self._cursor.execute("SELECT next_alert FROM channels WHERE channel = ?", (channel,)).fetchone()
        first, from_us = (row[0], 0) if row is not None else (0, micros(not_before))
        found = alerts(self._cursor, "a.alert >= ? AND a.at_us >= ?", first, from_us, most=MOST_AT_ONCE)
        self._cursor.execute(
            "INSERT OR REPLACE INTO channels (channel, next_alert, seen_us) VALUES (?, ?, ?)",
            (
                channel,
                _next_alert(self._cursor) if len(found) < MOST_AT_ONCE else found[-1][0] + 1,
                self._now_us,
            ),
        )
        return found

    def due_looks(self, channel: str, now: datetime) -> list[int]:
        """See `Desk.due_looks`."""
        query = "SELECT alert FROM addressees WHERE channel = ? AND look_us <= ? ORDER BY alert"
        return [number for (number,) in self._cursor.execute(query, (channel, micros(now))).fetchall()]

    def look(self, number: int, channel: str, at: datetime | None) -> None:
        """See `Desk.look`."""
        look_us = None if at is None else micros(at)
        self._cursor.execute("INSERT OR REPLACE INTO addressees VALUES (?, ?, ?)", (number, channel, look_us))

    def fired(self, number: int) -> Fired:
        """See `Desk.fired`."""
        return fired(self._cursor, "alert = ?", number)[0]

    def is_overtaken(self, number: int, channel: str) -> bool:
        """See `Desk.is_overtaken`."""
        query = """SELECT 1 FROM alerts a JOIN alerts later USING (budget, subject, bucket_us, kind)
            JOIN addressees o ON o.alert = later.alert AND o.channel = ?
            WHERE a.alert = ? AND later.alert > a.alert AND (a.recovered_us IS NULL OR later.at_us <= a.recovered_us)"""
        return self._cursor.execute(query, (channel, number)).fetchone() is not None

    def add(self, number: int, delivery: Delivery) -> None:
        """See `Desk.add`."""
        self._cursor.execute(
            """INSERT INTO deliveries (delivery_id, channel, alert, news, next_attempt_us, due_us, group_id)
            VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                delivery.delivery_id,
                delivery.channel,
                number,
                delivery.news,
                micros(delivery.next_attempt_at),
                micros(delivery.due_at),
                delivery.group_id,
            ),
        )

    def finish(self, delivery: Delivery) -> None:
        """See `Desk.finish`."""
        finish(self._cursor, delivery)

    def open_groups(self, channel: str, now: datetime) -> dict[str, datetime]:
        """See `Desk.open_groups`."""
        query = """SELECT group_id, due_us FROM deliveries
            WHERE state = 'pending' AND next_attempt_us > ? AND channel = ? AND group_id IS NOT NULL AND due_us > ?
            GROUP BY group_id HAVING count(*) < ?"""
        values = (micros(now), channel, micros(now), MOST_IN_GROUP)
        return {group_id: utc(due_us) for group_id, due_us in self._cursor.execute(query, values).fetchall()}

    def due(self, channels: Sequence[str], now: datetime, most: int) -> list[Delivery]:
        """See `Desk.due`."""
        is_due = f"d.state = 'pending' AND d.next_attempt_us <= ? AND d.channel IN ({_places(channels)})"
        order = "ORDER BY d.next_attempt_us, d.delivery"
        found = deliveries(self._cursor, f"{is_due} {order} LIMIT ?", micros(now), *channels, most)
        groups = {each.group_id: None for each in found if each.group_id is not None}
        single = [each for each in found if each.group_id is None]
        whole = f"{is_due} AND d.group_id IN ({_places([*groups])}) {order}"
        return [*deliveries(self._cursor, whole, micros(now), *channels, *groups), *single] if groups else single

    def unknown_since(self, at: datetime) -> list[Delivery]:
        """See `Desk.unknown_since`."""
        return deliveries(
            self._cursor,
            """d.state = 'pending' AND d.due_us < ?
            AND d.channel NOT IN (SELECT channel FROM channels WHERE seen_us >= ?)""",
            micros(at),
            micros(at),
        )


def _next_us(cursor: Cursor, channels: Sequence[str]) -> int | None:
    ours = f"channel IN ({_places(channels)})"
    query = f"""SELECT min(at_us) FROM (
        SELECT min(next_attempt_us) AS at_us FROM deliveries WHERE state = 'pending' AND {ours}
        UNION ALL SELECT min(look_us) FROM addressees WHERE look_us IS NOT NULL AND {ours}
        UNION ALL SELECT min(at_us) FROM alerts WHERE alert >= (SELECT min(next_alert) FROM channels WHERE {ours}))"""
    at_us: int | None = cursor.execute(query, (*channels, *channels, *channels)).fetchone()[0]
    return at_us


def _next_alert(cursor: Cursor) -> int:
    row = cursor.execute("SELECT seq + 1 FROM sqlite_sequence WHERE name = 'alerts'").fetchone()
    return 1 if row is None else int(row[0])


def _looked_at_again(cursor: Cursor, alert_id: str, at_us: int) -> bool:
    cursor.execute(
        "UPDATE addressees SET look_us = ? WHERE alert IN (SELECT alert FROM alerts WHERE alert_id = ?)",
        (at_us, alert_id),
    )
    return True


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
