"""Money that nobody sees: attempts that an SDK repeats though the provider may have billed them."""

from __future__ import annotations

from dataclasses import replace

import httpx
import openai
import pytest

from tests.instrumentation.conftest import Process, Start
from tests.replay.server import ReplayServer, Reply, as_json
from tests.replay.test_openai_compatible import ANSWER, BODY

BUDGET = """
[[budget]]
name = "all"
limit = 5.00
window = "day"
"""


def ask(replay: ReplayServer) -> None:
    with openai.OpenAI(api_key="k", base_url=f"{replay.url}/v1") as ours:
        ours.chat.completions.create(**BODY)


def statuses(process: Process) -> list[tuple[str, str]]:
    return sorted((charge.status, charge.method) for charge in process.charges)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An SDK waits before it tries again; a test does not."""
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.001)


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_an_attempt_that_a_gateway_gave_up_on_is_suspected(start: Start, replay: ReplayServer, store: str):
    """The model may have answered, with nobody left to hear it; the second attempt is the call's own charge."""
    process = start(BUDGET, store=store)
    replay.replies = [Reply(status=504), as_json(ANSWER)]

    ask(replay)

    assert statuses(process) == [("confirmed", "reported"), ("suspected", "lost-attempt")]
    balance = process.balance("all")
    (suspected,) = (charge for charge in process.charges if charge.status == "suspected")
    assert suspected.cost_nano
    assert (balance.settled_nano, balance.suspected_nano) == (3_500_000, suspected.cost_nano)
    assert balance.overrun_nano >= suspected.cost_nano  # nothing was held for a second attempt


def test_an_answer_that_broke_off_is_suspected_once_for_each_attempt(process: Process, replay: ReplayServer):
    """Three connections were cut within the answer: three answers may have been billed."""
    cut = Reply(body=as_json(ANSWER).body, breaks_after=50)
    replay.replies = [cut, cut, cut]

    with pytest.raises(openai.APIConnectionError):
        ask(replay)

    assert statuses(process) == [("suspected", "lost-attempt")] * 2 + [("suspected", "no-answer-seen")]


def test_an_attempt_that_was_turned_away_costs_nothing(process: Process, replay: ReplayServer):
    """A provider that says "too many requests" has not answered."""
    replay.replies = [as_json({"error": {}}, status=429), as_json({"error": {}}, status=500), as_json(ANSWER)]

    ask(replay)

    assert statuses(process) == [("confirmed", "reported")]


async def test_a_lost_attempt_of_an_async_client_is_suspected_too(process: Process, replay: ReplayServer):
    """The same holds where the call is awaited."""
    replay.replies = [Reply(status=408), as_json(ANSWER)]

    async with openai.AsyncOpenAI(api_key="k", base_url=f"{replay.url}/v1") as ours:
        await ours.chat.completions.create(**BODY)

    assert statuses(process) == [("confirmed", "reported"), ("suspected", "lost-attempt")]


def test_a_request_by_hand_that_timed_out_is_suspected(process: Process, replay: ReplayServer):
    """It was sent; what became of it nobody knows."""
    replay.replies = [Reply(body=as_json(ANSWER).body, breaks_after=50)]

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(f"{replay.url}/v1/chat/completions", json=BODY)

    assert statuses(process) == [("suspected", "no-answer-seen")]


def test_the_truth_about_a_suspected_call_takes_its_place(start: Start, replay: ReplayServer):
    """What comes later, as a batch's result, is booked on the budgets that the call was for, at its time."""
    process = start(BUDGET)
    replay.replies = [Reply(status=504), as_json(ANSWER)]
    ask(replay)
    driver = process.runtime.driver
    (suspected,) = (charge for charge in process.charges if charge.status == "suspected")

    for _ in range(2):
        driver.correct(
            suspected, replace(suspected, charge_id="truth", status="confirmed", cost_nano=5, list_cost_nano=5)
        )

    balance = process.balance("all")
    assert (balance.settled_nano, balance.suspected_nano, balance.calls) == (3_500_005, 0, 2)
    assert sum(charge.cost_nano or 0 for charge in process.charges) == 3_500_005
