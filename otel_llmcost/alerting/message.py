"""What goes out to a channel: the same news as JSON for programs, and in words for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from otel_llmcost.alerting.log import told
from otel_llmcost.alerting.schedule import Notice
from otel_llmcost.alerting.top import AgentCost
from otel_llmcost.alerting.webhook import body, group_body, notice
from otel_llmcost.core.alert import BUDGET, Alert, Delivery, News
from otel_llmcost.core.money import format_usd, from_nano
from otel_llmcost.errors import one_line

Tone = Literal["info", "success", "warning", "failure"]
Top = Callable[[Alert], Sequence[AgentCost]]

_GRAVE = frozenset({"critical", "exceeded", "stop"})
_TONES: Mapping[News, Tone] = {"acknowledged": "info", "recovered": "success"}
_WORST_FIRST: tuple[Tone, ...] = ("failure", "warning", "info", "success")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, in every form that a channel may want."""

    message_id: str
    body: bytes
    """JSON, the same in every attempt."""
    title: str
    """The same for all news of one alert, so that receivers can put them together."""
    text: str
    tone: Tone


def message_of(deliveries: Sequence[Delivery], top: Top) -> Message:
    """Write what goes out together: one delivery, or a group of them."""
    first = deliveries[0]
    tops = [top(each.alert) for each in deliveries]
    bodies = [body(each.alert, most, news=each.news, by=each.by) for each, most in zip(deliveries, tops, strict=True)]
    texts = [_text(each, most) for each, most in zip(deliveries, tops, strict=True)]
    tones = {_tone(each) for each in deliveries}
    is_group = len(deliveries) > 1
    return Message(
        message_id=first.message_id,
        body=group_body(bodies, first.due_at) if is_group else bodies[0],
        title=f"{len(deliveries)} alerts" if is_group else _title(first.alert),
        text="\n\n".join(texts),
        tone=next(tone for tone in _WORST_FIRST if tone in tones),
    )


def message_of_notice(letter: Notice) -> Message:
    """Write a notice about otel-llmcost itself."""
    text = notice(letter.kind, letter.at, letter.text)
    return Message(
        message_id=letter.delivery_id, body=text, title=f"otel-llmcost: {letter.kind}", text=letter.text, tone="failure"
    )


def _title(alert: Alert) -> str:
    budget, subject, _ = alert.key
    if alert.kind != BUDGET and budget.startswith(alert.kind):  # no budget, only the name under which it is told once
        return one_line(f"{alert.type}: {subject or budget}")
    what = "budget" if alert.kind == BUDGET else alert.type
    level = f": {alert.level}" if alert.kind == BUDGET else ""
    return one_line(f"{what} {budget}{f' of {subject}' if subject else ''}{level}")


def _text(delivery: Delivery, top: Sequence[AgentCost]) -> str:
    alert = delivery.alert
    lines = [told(delivery)]
    if top:
        named = [f"{each.agent or 'calls without an agent'} {format_usd(from_nano(each.cost_nano))}" for each in top]
        lines.append(one_line(f"Most of it: {', '.join(named)}."))
    if delivery.news in {"fired", "reminded", "escalated"}:
        lines.append(f"Fired {alert.at:%Y-%m-%d %H:%M %Z}; to acknowledge: otel-llmcost alerts ack {alert.alert_id}")
    return "\n".join(lines)


def _tone(delivery: Delivery) -> Tone:
    alert = delivery.alert
    if alert.kind == "resume":
        return "success"
    return _TONES.get(delivery.news, "failure" if _GRAVE & {alert.level, alert.kind} else "warning")
