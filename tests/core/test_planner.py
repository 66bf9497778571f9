"""What budgets have done to calls at their marks: planned before a call is sent, told as it went."""

from decimal import Decimal

import pytest

from otel_llmcost.core.actions import Action
from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.budget import Grant, Refusal
from otel_llmcost.core.change import Change
from otel_llmcost.core.flow import Failure, Later, Release, Reserve, Send, call_flow
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.errors import BudgetExceededError
from tests.core.calls import NOW, answer, book, budget, call

USD = 1_000_000_000
CAP = Action(share=Decimal("0.5"), level="half", cap=100)
LESS = Action(share=Decimal("0.9"), level="most", cap=10)
ROUTE = Action(share=Decimal("0.5"), level="half", route={"m": "embed", "*": "m"})
PAUSE = Action(share=Decimal("0.5"), level="half", pause=Scope({"agent": ("batch-*",)}))
BATCH = {"agent": "batch-7", "provider": "acme", "model": "m"}


class Run:
    """Performs a flow; each reservation finds what is spent next."""

    def __init__(self, *actions, spent=(), refuse=(), asked=None, policy=None):
        self.policy = policy or Policy([budget(name="b", limit=Decimal(1), actions=actions)], NOW)
        self.spent, self.refuse = list(spent), list(refuse)
        self.steps = []
        self.flow = call_flow(asked or call(max_output_tokens=500), Pricing(book()), self.policy)

    def to_send(self) -> Send:
        step = next(self.flow)
        while not isinstance(step, Send):
            self.steps.append(step)
            step = self.flow.send(self.answer(step) if isinstance(step, Reserve) else None)
        return step

    def answer(self, step):
        spent = self.spent.pop(0) if len(self.spent) > 1 else self.spent[0]
        if isinstance(spent, Later):
            return spent
        (claim,) = step.claims
        watched = {claim.key: int(spent * USD)}
        refused = self.refuse.pop(0) if self.refuse else False
        return Refusal(claim, int(spent * USD), watched=watched) if refused else Grant(watched)


def test_below_its_mark_nothing_is_done():
    run = Run(CAP, spent=[0.49])

    assert run.to_send() == Send()
    assert [type(step) for step in run.steps] == [Reserve]


def test_a_mark_that_a_reservation_finds_reached_has_it_made_again():
    run = Run(CAP, spent=[0.5])

    assert run.to_send() == Send(Change(max_output_tokens=100))
    assert [type(step) for step in run.steps] == [Reserve, Release, Reserve]
    assert run.steps[2].call.max_output_tokens == 100


def test_the_calls_after_it_are_reserved_once():
    first = Run(CAP, spent=[0.5])
    first.to_send()
    second = Run(spent=[0.6], policy=first.policy)

    assert second.to_send() == Send(Change(max_output_tokens=100))
    assert [type(step) for step in second.steps] == [Reserve]


def test_the_highest_mark_reached_has_the_last_word():
    assert Run(CAP, LESS, spent=[0.95]).to_send() == Send(Change(max_output_tokens=10))


def test_a_raised_limit_ends_what_was_done():
    run = Run(CAP, spent=[0.5])
    run.to_send()
    after = Run(spent=[0.2], policy=run.policy)

    assert after.to_send() == Send()


def test_a_call_that_does_not_fit_is_asked_of_the_cheaper_model_instead():
    run = Run(Action(share=Decimal("0.5"), level="half", route={"m": "cheap"}), spent=[0.9], refuse=[True, False])

    assert run.to_send() == Send(Change(model="cheap"))
    assert [type(step) for step in run.steps] == [Reserve, Reserve]
    assert run.steps[1].call.tags["model"] == "cheap"


def test_a_call_that_does_not_fit_even_so_is_refused():
    run = Run(CAP, spent=[0.9], refuse=[True, True])

    with pytest.raises(BudgetExceededError, match="needs about"):
        run.to_send()
    assert [type(step) for step in run.steps] == [Reserve, Reserve]


def test_the_first_pattern_that_fits_names_the_model():
    assert Run(ROUTE, spent=[0.5]).to_send() == Send(Change(model="embed"))


def test_a_model_that_is_routed_to_itself_stays():
    run = Run(Action(share=Decimal("0.5"), level="half", route={"m": "m", "*": "x"}), spent=[0.5])

    assert run.to_send() == Send()


def test_agents_that_are_paused_are_refused_and_what_was_taken_is_given_back():
    run = Run(PAUSE, spent=[0.5], asked=call(tags=BATCH))

    with pytest.raises(BudgetExceededError, match="is at half and pauses agent=batch-"):
        run.to_send()
    assert [type(step) for step in run.steps] == [Reserve, Release]


def test_agents_that_are_known_to_be_paused_are_refused_before_anything_is_taken():
    first = Run(PAUSE, spent=[0.5], asked=call(tags=BATCH))
    with pytest.raises(BudgetExceededError):
        first.to_send()
    second = Run(spent=[0.5], policy=first.policy, asked=call(tags=BATCH))

    with pytest.raises(BudgetExceededError):
        second.to_send()
    assert second.steps == []


def test_others_go_on_while_some_are_paused():
    assert Run(PAUSE, spent=[0.9]).to_send() == Send()


def test_a_pause_of_everything_says_so():
    everything = Action(share=Decimal("0.5"), level="half", pause=Scope())

    with pytest.raises(BudgetExceededError, match="pauses all calls"):
        Run(everything, spent=[0.5]).to_send()


def test_room_that_was_waited_for_is_asked_for_again():
    run = Run(CAP, spent=[Later(NOW), 0.1])

    assert run.to_send() == Send()
    assert [type(step) for step in run.steps] == [Reserve, Reserve]


@pytest.mark.parametrize(
    ("applied", "unapplied", "told", "model"),
    [
        pytest.param(Change(model="embed"), Change(), "route m to embed: b at half", "embed", id="done"),
        pytest.param(Change(), Change(model="embed"), "route m to embed: b at half (not possible)", "m", id="not-done"),
    ],
)
def test_the_charge_tells_what_was_done_and_is_priced_by_what_was_sent(applied, unapplied, told, model):
    run = Run(ROUTE, spent=[0.5])
    run.to_send()

    settle = run.flow.send(answer(1000, 10, applied=applied, unapplied=unapplied))

    assert settle.charge.actions == (told,)
    assert settle.charge.requested_model == model


def test_a_cap_that_the_caller_keeps_anyway_is_not_told():
    run = Run(CAP, spent=[0.5], asked=call(max_output_tokens=20))
    run.to_send()

    settle = run.flow.send(answer(1000, 10))

    assert settle.charge.actions == ()
    assert settle.done == ()


def test_a_failed_call_tells_nothing_of_actions_where_nothing_is_billed():
    run = Run(CAP, spent=[0.5])
    run.to_send()

    settle = run.flow.send(Failure(error=TimeoutError(), may_be_billed=False, applied=Change(max_output_tokens=100)))

    assert settle.charge is None
    assert [done.kind for done in settle.done] == ["cap"]
