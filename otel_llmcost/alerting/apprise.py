"""Notifications by the library apprise: Slack, Teams, PagerDuty, e-mail and whatever else it knows.

It is an extra, and imported when a channel first has something to send. It waits for receivers as long as it likes and
logs URLs, which are secrets: so it runs in a thread that nobody waits for beyond a bound, and what it says is kept
from the log.
"""

from __future__ import annotations

import logging
import re
import threading
from contextvars import ContextVar, copy_context
from datetime import datetime
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from otel_llmcost.alerting.loading import loading
from otel_llmcost.alerting.message import Message
from otel_llmcost.alerting.schedule import DELIVERED, Outcome
from otel_llmcost.alerting.send import judge
from otel_llmcost.core.alert import Channel

_LOGGERS = ("apprise", "urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry", "requests")
MISSING = 'needs the package apprise: pip install "otel-llmcost[apprise]"'
_NAME = "otel-llmcost"
_STATUS = re.compile(r"\berror=([45][0-9]{2})\b")

_said: ContextVar[list[str] | None] = ContextVar("said", default=None)
"""What was kept from the log; None: it is not us who send."""


class Notifier:
    """Sends messages to notification URLs."""

    def __init__(self) -> None:
        self._attempts: dict[str, _Attempt] = {}
        """Channel → the last attempt, which may still be under way."""

    def send(self, channel: Channel, message: Message, *, now: datetime, timeout_seconds: float) -> Outcome:
        """Try once, and wait no longer than this; an attempt that hangs is waited for before another is made."""
        last = self._attempts.get(channel.name)
        if last is not None and last.is_under_way:
            return Outcome(state="pending", problem="the attempt before has not ended yet", is_shared=True)
        if last is not None and last.arrived == message.message_id:
            return DELIVERED
        attempt = self._attempts[channel.name] = _Attempt(channel, message, now, timeout_seconds)
        attempt.start()
        return attempt.outcome


class _Attempt:
    """One call of apprise, in a thread of its own."""

    def __init__(self, channel: Channel, message: Message, now: datetime, timeout_seconds: float) -> None:
        self._channel = channel
        self._message = message
        self._now = now
        self._timeout_seconds = timeout_seconds
        self.outcome = Outcome(state="pending", problem=f"no answer within {timeout_seconds:.1f} s", is_shared=True)
        # A copy of the context: else the host's instrumentation would trace it.
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name="otel-llmcost-apprise", daemon=True
        )

    @property
    def is_under_way(self) -> bool:
        return self._thread.is_alive()

    @property
    def arrived(self) -> str | None:
        """Id of the message, if it was taken; maybe later than anybody waited for it."""
        return self._message.message_id if self.outcome.state == "delivered" else None

    def start(self) -> None:
        try:
            self._thread.start()
        except RuntimeError:  # Python starts no thread any more, once it is shutting down
            self._thread.run()
        else:
            self._thread.join(self._timeout_seconds)

    def _run(self) -> None:
        said: list[str] = []
        _said.set(said)
        try:
            is_taken = self._notify()
        except ImportError:
            self.outcome = Outcome(state="dead", problem=MISSING)
        except _UnknownUrlError:
            self.outcome = Outcome(state="dead", problem="its URL is none that apprise can read")
        except Exception as error:  # noqa: BLE001 -- a plugin of 130, whose message may hold what is secret
            self.outcome = Outcome(state="pending", problem=f"apprise failed: {type(error).__name__}", is_shared=True)
        else:
            self.outcome = DELIVERED if is_taken else _failure(said, self._channel, self._now)

    def _notify(self) -> bool:
        with loading:
            # By itself: it says what is to be done at a fork, and one that waits for us all the while would stumble.
            import_module("concurrent.futures.thread")
        with loading:  # the plugins are imported by the first URL
            _keep_from_log()
            apprise: Any = import_module("apprise")  # its types are not all known
            import_module("netrc")  # requests would import it with its first request
            # With a time limit it would send from threads of its own, which a forked child has not. We have our own.
            unlimited = {"service_timeout": 0} if hasattr(apprise.AppriseAsset, "_service_timeout") else {}
            # Nothing of it on disk, under our own name and without pictures from elsewhere.
            asset = apprise.AppriseAsset(
                **unlimited,
                async_mode=False,
                storage_mode="memory",
                app_id=_NAME,
                app_desc=_NAME,
                app_url="",
                image_url_mask="",
                image_url_logo="",
            )
            service = apprise.Apprise.instantiate(self._channel.url, asset=asset)
        if service is None:
            raise _UnknownUrlError
        service.socket_connect_timeout = min(service.socket_connect_timeout, self._timeout_seconds)
        service.socket_read_timeout = min(service.socket_read_timeout, self._timeout_seconds)
        services = apprise.Apprise(asset=asset)
        services.add(service)
        return bool(
            services.notify(
                title=self._message.title,
                body=self._message.text,
                notify_type=self._message.tone,
                body_format="text",
            )
        )


class _UnknownUrlError(Exception):
    """Apprise makes nothing of a URL."""


class _Keep(logging.Filter):
    """Keeps from the log what is said while we send."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = _said.get()
        if said is None:
            return True
        said.append(record.getMessage())
        return False


_keep = _Keep()


def _keep_from_log() -> None:
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_keep)  # adding it twice adds it once


def _failure(said: list[str], channel: Channel, now: datetime) -> Outcome:
    """Say what went wrong in words of ours, as apprise's own may hold parts of the URL."""
    status = next((found[1] for text in said if (found := _STATUS.search(text))), None)
    if status is not None:
        return judge(int(status), None, now)
    return Outcome(
        state="pending", problem=f"{urlsplit(channel.url).scheme}: not reached, or not taken", is_shared=True
    )
