"""`estimate` prices a request before it is sent."""

import json

import pytest
from inline_snapshot import snapshot

from otel_llmcost.tokens import count_text


def test_a_text_is_counted_exactly_where_the_tokeniser_is_known(shell):
    result = shell.run("estimate", "gpt-4o", "How much is the fish?", "--output-tokens", "100", "--json")

    assert json.loads(result.stdout) == snapshot(
        {
            "rate_id": "openai/gpt-4o",
            "rate_source": "genai-prices 0.2.3",
            "input_tokens": 6,
            "counted_by": "exact, tiktoken's o200k_base",
            "output_tokens": 100,
            "is_output_assumed": False,
            "input_usd": 1.5e-05,
            "output_usd": 0.001,
            "cost_usd": 0.001015,
            "worst_usd": None,
        }
    )


def test_what_was_not_said_is_assumed_and_called_so(shell):
    result = shell.run("estimate", "claude-sonnet-4-5", "How much is the fish?", "--per-day", "100")

    assert result.stdout.splitlines() == snapshot(
        [
            "anthropic/claude-sonnet-4-5, prices of genai-prices 0.2.3",
            "input             $0.000018  6 tokens, estimated by rule",
            "output            $0.007500  500 tokens, assumed",
            "one request       $0.007518",
            "at most             $0.9600  with all the output it may have",
            "a day               $0.7518  100 requests",
            "a month              $22.55  30 days",
        ]
    )


@pytest.mark.parametrize(
    ("prices", "tokens", "per_day", "month"),
    [
        pytest.param("input = 3\noutput = 15", (1500, 500), 100, 36.00, id="100-queries-on-sonnet"),
        pytest.param("input = 0.075\noutput = 0.30", (1500, 500), 100, 0.7875, id="100-queries-on-gemini-flash"),
        pytest.param("input = 2.50\noutput = 10", (200, 200), 10_000, 750, id="1000-users-with-10-messages"),
        pytest.param("input = 2\noutput = 6", (900, 150), 10_000, 810, id="10000-requests-on-mistral-large"),
    ],
)
def test_a_month_of_requests_comes_to_thirty_days_of_them(shell, prices, tokens, per_day, month):
    shell.configure(f'[[price]]\nmodel = "m"\n{prices}')
    arguments = ["--input-tokens", str(tokens[0]), "--output-tokens", str(tokens[1]), "--per-day", str(per_day)]

    found = json.loads(shell.run("estimate", "m", *arguments, "--json").stdout)

    assert found["per_month_usd"] == pytest.approx(month, rel=1e-12)
    assert found["per_day_usd"] == pytest.approx(month / 30, rel=1e-12)


@pytest.mark.parametrize("option", ["--file", "--body"])
def test_the_standard_input_is_read(shell, option):
    text = '{"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}'

    found = json.loads(shell.run("estimate", "gpt-4o", option, "-", "--json", stdin=text).stdout)

    if option == "--file":
        assert found["input_tokens"] == count_text(text, "gpt-4o")
    else:
        assert (found["input_tokens"], found["output_tokens"]) == (8, 10)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        pytest.param("claude-sonnet-4-5", {"messages": [{"role": "user", "content": "Hello " * 50}]}, id="anthropic"),
        pytest.param("gpt-4o", {"messages": [{"role": "user", "content": "Hello " * 50}]}, id="chat"),
        pytest.param("gpt-4o", {"input": "Hello " * 50}, id="responses"),
        pytest.param("gpt-3.5-turbo-instruct", {"prompt": "Hello " * 50}, id="completions"),
        pytest.param("text-embedding-3-small", {"input": "Hello " * 50}, id="embeddings"),
        pytest.param("gemini-2.5-pro", {"contents": [{"parts": [{"text": "Hello " * 50}]}]}, id="gemini"),
        pytest.param(
            "amazon.nova-lite-v1:0",
            {"messages": [{"role": "user", "content": [{"text": "Hello " * 50}]}], "inferenceConfig": {}},
            id="converse",
        ),
        pytest.param("command-r-08-2024", {"message": "Hello " * 50, "chat_history": []}, id="cohere"),
    ],
)
def test_a_body_of_any_api_is_counted(shell, tmp_path, model, body):
    (tmp_path / "body.json").write_text(json.dumps(body))

    sellers = {"claude": "anthropic", "gemini": "google", "amazon": "aws", "command": "cohere"}
    provider = next((seller for name, seller in sellers.items() if name in model), "openai")
    arguments = ["--provider", provider, "--body", str(tmp_path / "body.json"), "--json"]
    found = json.loads(shell.run("estimate", model, *arguments).stdout)

    assert 45 <= found["input_tokens"] <= 120
    assert (found["output_tokens"] == 0) is ("embedding" in model)


def test_what_answers_have_needed_so_far_is_learned_from(shell):
    shell.store.learn({"outputs:gpt-4o::": (50.0, 3.0, 0.0)})

    before = json.loads(shell.run("estimate", "gpt-4o-mini", "Hi", "--json").stdout)
    after = json.loads(shell.run("estimate", "gpt-4o", "Hi", "--json").stdout)

    assert after["output_tokens"] < 50 < before["output_tokens"]


def test_an_unreadable_ledger_does_not_keep_from_estimating(shell):
    shell.store.close()

    result = shell.run("estimate", "gpt-4o", "Hi", "--json")

    assert json.loads(result.stdout)["input_tokens"] == 1


def test_an_unknown_model_is_an_error_not_zero(shell):
    result = shell.run("estimate", "gpt-4x", "Hi")

    assert result.exit_code == 1
    assert 'no model is called "gpt-4x", perhaps "gpt-4" is meant' in result.stderr


@pytest.mark.parametrize(
    ("arguments", "stdin", "problem"),
    [
        pytest.param([], "", "exactly one of TEXT, --file, --body and --input-tokens", id="nothing"),
        pytest.param(["Hi", "--input-tokens", "3"], "", "exactly one of", id="two-things"),
        pytest.param(["--body", "-"], "{", "is not JSON", id="no-json"),
        pytest.param(["--body", "-"], "[]", "is not a JSON object", id="no-object"),
        pytest.param(["--file", "nowhere"], "", "No such file", id="no-file"),
        pytest.param(["--input-tokens", "-1"], "", "--input-tokens", id="negative"),
    ],
)
def test_wrong_use_exits_with_2(shell, arguments, stdin, problem):
    result = shell.run("estimate", "gpt-4o", *arguments, stdin=stdin)

    assert result.exit_code == 2
    assert problem in result.stderr
