"""The order of one call: whatever happens, what was reserved is settled once, and nothing else is."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.core.attribution import Scope
from otel_llmcost.core.flow import Answer, Failure, Reserve, Send, Settle, call_flow
from otel_llmcost.core.policy import Policy
from otel_llmcost.core.pricing import Pricing
from otel_llmcost.errors import BudgetExceededError, RefusedError
from tests.core.calls import NOW, answer, book, budget, call

WITHOUT_PRICE = "nobody-knows"
REFUSAL = BudgetExceededError.misconfigured("a test")


def flow_of(asked, *budgets):
    return call_flow(asked, Pricing(book()), Policy(budgets, NOW))


def run(flow, end, refusal=None):
    """Perform a flow's steps; return them, and the error it ended in."""
    steps = []
    try:
        step = next(flow)
        while True:
            steps.append(step)
            match step:
                case Reserve() if refusal is not None:
                    step = flow.throw(refusal)
                case Send():
                    step = flow.send(end)
                case _:
                    step = flow.send(None)
    except StopIteration:
        return steps, None
    except RefusedError as error:
        return steps, error


def settled(asked, end, *budgets):
    steps, error = run(flow_of(asked, *budgets), end)
    assert error is None
    return steps[-1]


BUDGETS = st.lists(
    st.builds(
        budget,
        name=st.uuids().map(str),
        limit=st.decimals(0, 100, places=2),
        on_limit=st.sampled_from(["refuse", "alert"]),
        reserve=st.sampled_from([None, "worst", "expected"]),
        unpriced=st.sampled_from(["allow", "refuse", "assume:m", f"assume:{WITHOUT_PRICE}"]),
        per=st.sampled_from([(), ("agent",), ("user",)]),
        scope=st.sampled_from([Scope(), Scope({"agent": ("plan*",)}), Scope({"agent": ("writer",)})]),
    ),
    max_size=4,
)
CALLS = st.builds(
    call,
    model=st.sampled_from(["m", WITHOUT_PRICE]),
    max_output_tokens=st.sampled_from([None, 10, 900]),
    choices=st.integers(1, 3),
)
ENDS = st.one_of(
    st.builds(answer, st.integers(0, 5000), st.integers(0, 5000), served_model=st.sampled_from(["m", None, "?"])),
    st.builds(answer, is_complete=st.booleans(), received_tokens=st.floats(0, 1e4)),
    st.builds(Failure, error=st.just(TimeoutError()), may_be_billed=st.booleans()),
)


@given(CALLS, BUDGETS, ENDS, st.sampled_from([None, REFUSAL]))
def test_every_reservation_is_settled_once_with_the_same_claims_and_nothing_else_is(asked, budgets, end, refusal):
    steps, error = run(flow_of(asked, *budgets), end, refusal)

    match steps:
        case [Reserve() as reserve, Send(), Settle() as settle]:
            assert (error, refusal, settle.claims) == (None, None, reserve.claims)
            assert len({claim.key for claim in reserve.claims}) == len(reserve.claims) > 0
        case [Send(), Settle() as settle]:
            assert settle.claims == ()
        case [Reserve()]:
            assert error is refusal is REFUSAL
        case _:
            assert steps == []
            assert isinstance(error, BudgetExceededError)
            assert asked.model == WITHOUT_PRICE
            assert any(each.unpriced == "refuse" for each in budgets)


@given(CALLS, BUDGETS, ENDS)
def test_a_call_without_a_price_counts_only_where_a_price_is_assumed(asked, budgets, end):
    steps, error = run(flow_of(asked, *budgets), end)

    if error is None:
        settle = steps[-1]
        is_unpriced = settle.charge is not None and settle.charge.cost_nano is None
        claimed = {claim.key.budget for claim in settle.claims}
        assuming = {each.name for each in budgets if each.unpriced == "assume:m" and each.name in claimed}
        assert set(settle.assumed) == (assuming if is_unpriced else set())


@given(CALLS, BUDGETS, st.integers(0, 2))
def test_a_flow_that_is_let_go_does_nothing_more(asked, budgets, after):
    """Its driver gives back what it reserved: the flow itself would have nobody to perform a step."""
    flow = flow_of(asked, *(each for each in budgets if each.unpriced != "refuse"))

    for _ in range(after):
        if not isinstance(next(flow), Reserve):
            break

    flow.close()  # raises if the flow yields one more step


@pytest.mark.parametrize(
    ("facts", "budgeted", "held", "exposure"),
    [
        pytest.param({}, {}, 2_000_000, 1_000_000, id="expected-where-the-caller-set-no-most"),
        pytest.param({"max_output_tokens": 900}, {}, 2_800_000, 0, id="worst-where-the-caller-did"),
        pytest.param({"max_output_tokens": 900}, {"on_limit": "alert"}, 2_000_000, 800_000, id="expected-to-alert"),
        pytest.param({}, {"reserve": "worst"}, 3_000_000, 0, id="worst-where-wanted"),
        pytest.param({"max_output_tokens": 900}, {"reserve": "expected"}, 2_000_000, 800_000, id="expected-if-wanted"),
        pytest.param({"model": WITHOUT_PRICE}, {}, 0, 0, id="nothing-without-a-price"),
        pytest.param({"model": WITHOUT_PRICE}, {"unpriced": "assume:m"}, 2_000_000, 1_000_000, id="an-assumed-price"),
        pytest.param(
            {"model": WITHOUT_PRICE}, {"unpriced": f"assume:{WITHOUT_PRICE}"}, 0, 0, id="an-assumed-model-without-price"
        ),
    ],
)
def test_a_claim_holds_what_its_budget_wants_and_says_by_how_much_it_may_be_passed(facts, budgeted, held, exposure):
    reserve = next(flow_of(call(**facts), budget(**budgeted)))

    (claim,) = reserve.claims
    assert (claim.amount_nano, claim.exposure_nano) == (held, exposure)


def test_a_call_that_no_budget_is_for_reserves_nothing():
    steps, _ = run(flow_of(call(), budget(scope=Scope({"agent": ("writer",)}))), answer(1000, 500))

    assert [type(step) for step in steps] == [Send, Settle]
    assert steps[-1].charge.cost_nano == 2_000_000


def test_each_budget_is_claimed_under_its_own_subject():
    budgets = budget("all"), budget("each", per=("agent",)), budget("users", per=("user",))

    reserve = next(flow_of(call(), *budgets))

    assert [(claim.key.budget, claim.key.subject) for claim in reserve.claims] == [
        ("all", ""),
        ("each", "agent=planner"),
    ]


def test_a_budget_that_refuses_unpriced_calls_refuses_before_any_step():
    with pytest.raises(BudgetExceededError, match=f"acme/{WITHOUT_PRICE}") as caught:
        next(flow_of(call(model=WITHOUT_PRICE), budget("strict", unpriced="refuse", per=("agent",))))

    assert (caught.value.budget, caught.value.scope, caught.value.requested) == ("strict", "agent=planner", None)
    assert caught.value.limit == Decimal(10)


def test_a_served_model_without_a_price_is_charged_as_the_one_asked_for():
    settle = settled(call(), answer(1000, 500, served_model="?"), budget(unpriced="refuse"))

    assert settle.charge.cost_nano == 2_000_000


@pytest.mark.parametrize(("may_be_billed", "status"), [(True, "suspected"), (False, None)])
def test_a_failure_is_settled_with_its_error(may_be_billed, status):
    error = TimeoutError()

    settle = settled(call(), Failure(error=error, may_be_billed=may_be_billed), budget())

    assert settle.error is error
    assert (settle.charge and settle.charge.status) == status


def test_an_unpriced_answer_counts_by_its_own_usage_at_the_assumed_price():
    asked, got = call(model=WITHOUT_PRICE), Answer(usage=answer(3000, 100).usage)

    settle = settled(asked, got, budget("assuming", unpriced="assume:m"), budget("allowing"))

    assert settle.charge.status == "unpriced"
    assert settle.assumed == {"assuming": 3_200_000}
