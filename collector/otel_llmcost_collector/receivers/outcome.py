"""What can become of a request, whatever it came over."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from otel_llmcost_collector.access import DeniedError
from otel_llmcost_collector.forwarding.base import Signal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdict:
    """A kind of outcome, in the words of both protocols."""

    status: HTTPStatus
    code: int
    """Of gRPC."""
    counted: str
    """Its name in metrics."""
    is_retryable: bool = False
    """Sending the same again later is right; OTLP lets senders do so on few statuses and codes only."""


ACCEPTED: Final = Verdict(status=HTTPStatus.OK, code=0, counted="accepted")
MALFORMED: Final = Verdict(status=HTTPStatus.BAD_REQUEST, code=3, counted="malformed")
UNAUTHENTICATED: Final = Verdict(status=HTTPStatus.UNAUTHORIZED, code=16, counted="unauthorized")
FORBIDDEN: Final = Verdict(status=HTTPStatus.FORBIDDEN, code=7, counted="unauthorized")
NOT_FOUND: Final = Verdict(status=HTTPStatus.NOT_FOUND, code=12, counted="malformed")
WRONG_METHOD: Final = Verdict(status=HTTPStatus.METHOD_NOT_ALLOWED, code=12, counted="malformed")
TOO_LARGE: Final = Verdict(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code=3, counted="too_large")
UNSUPPORTED: Final = Verdict(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code=12, counted="malformed")
BUSY: Final = Verdict(status=HTTPStatus.TOO_MANY_REQUESTS, code=8, counted="busy", is_retryable=True)
UNAVAILABLE: Final = Verdict(status=HTTPStatus.SERVICE_UNAVAILABLE, code=14, counted="busy", is_retryable=True)
FAULT: Final = Verdict(status=HTTPStatus.INTERNAL_SERVER_ERROR, code=13, counted="failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request."""

    verdict: Verdict = ACCEPTED
    detail: str = ""
    """For people; nothing of what was sent stands in it."""
    rejected: int = 0
    """Spans that were not accepted, of a request that was."""

    @property
    def counted(self) -> str:
        """Its name in metrics."""
        return "partial" if self.rejected and self.verdict is ACCEPTED else self.verdict.counted


DONE: Final = Outcome()


class TurnedAwayError(Exception):
    """A request that is not taken."""

    def __init__(self, verdict: Verdict, detail: str) -> None:
        self.outcome = Outcome(verdict=verdict, detail=detail)
        super().__init__(detail)

    @classmethod
    def of(cls, error: DeniedError) -> TurnedAwayError:
        """Say in the words of both protocols that somebody may not."""
        verdict = UNAUTHENTICATED if error.status == HTTPStatus.UNAUTHORIZED else FORBIDDEN
        return cls(verdict, str(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One OTLP export request, as it came."""

    signal: Signal
    protocol: str
    """`http` or `grpc`."""
    packed: bytes
    coding: str = "identity"
    """What it is packed with, by its name in HTTP."""
    is_json: bool = False
    team: str | None = None
    """Of whoever's token it came with: what it tells of is charged to that team, whatever it says."""
