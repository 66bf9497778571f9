"""Whatever is wrong with `llmcost.toml` is said with file, line and key; nothing is raised."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_llmcost.config import Settings, load

DIMENSIONS = (
    '"agent", "task", "user", "team", "feature", "session", "workflow", "endpoint", "project", "environment", '
    '"tier", "provider", "model" or "trace"'
)
BUDGET_KEYS = (
    '"name", "limit", "window", "timezone", "scope", "per", "on_limit", "marks", "reserve", "unpriced", '
    '"on_store_error", "carry_over" or "actions"'
)
TOP_KEYS = (
    '"store", "store_token", "spans", "count", "summary", "strict", "disabled", "log_level", "attribution", "budget", '
    '"limit", "tiers", "alert", "price", "fixed_cost" or "anomalies"'
)
USD = "USD from 0 to 1,000,000,000, such as 10.00"
WINDOW = (
    'a window: "hour", "day", "week", "month", "quarter" or "year"; "session", "task" or "trace"; '
    'or a length such as "24h", up to ten years'
)
MARKS = "shares above 0 and up to 10, such as { warning = 0.75, exceeded = 1.0 }"
SCOPE = 'patterns by dimension, such as { team = "support", model = "gpt-*" }'
NOT_ENFORCED = "this budget is not enforced"
AS_LEFT_OUT = "it is taken as if left out"
GONE = "nothing in the file is used"


def read(folder: Path, text: str | bytes, **variables: str) -> Settings:
    file = folder / "llmcost.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(variables, cwd=folder, home=folder / "home")


def problems(folder: Path, settings: Settings) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in settings.problems]


def budget(line: str) -> str:
    kept = [
        each for each in ('name = "b"', "limit = 1", 'window = "day"') if each.split()[0] != line.split(maxsplit=1)[0]
    ]
    return "\n".join(["[[budget]]", *kept, line])


@pytest.mark.parametrize(
    ("line", "problem", "is_enforced"),
    [
        pytest.param("limit = -3", f"limit: found -3; {NOT_ENFORCED} (expected {USD})", False, id="negative"),
        pytest.param("limit = true", f"limit: found true; {NOT_ENFORCED} (expected {USD})", False, id="switch"),
        pytest.param("limit = nan", f"limit: found nan; {NOT_ENFORCED} (expected {USD})", False, id="nan"),
        pytest.param('limit = "ten"', f'limit: found "ten"; {NOT_ENFORCED} (expected {USD})', False, id="word"),
        pytest.param("limit = 1e10", f"limit: found 10000000000.0; {NOT_ENFORCED} (expected {USD})", False, id="huge"),
        pytest.param(
            'name = " "', f'name: found " "; {NOT_ENFORCED} (expected a text that is not empty)', False, id="no-name"
        ),
        pytest.param(
            'name = "a\\u001b[2J"',
            f"name: has characters that cannot be printed; {NOT_ENFORCED} (expected a text that is not empty)",
            False,
            id="name-that-moves-the-terminal",
        ),
        pytest.param(
            'window = "dayly"', f'window: found "dayly"; {NOT_ENFORCED} (expected {WINDOW})', False, id="window"
        ),
        pytest.param(
            'window = "0h"', f'window: found "0h"; {NOT_ENFORCED} (expected {WINDOW})', False, id="empty-window"
        ),
        pytest.param(
            'window = "999999w"', f'window: found "999999w"; {NOT_ENFORCED} (expected {WINDOW})', False, id="endless"
        ),
        pytest.param(
            f'window = "{"9" * 30}w"',
            f'window: found "{"9" * 30}w"; {NOT_ENFORCED} (expected {WINDOW})',
            False,
            id="window-beyond-all-clocks",
        ),
        pytest.param(
            'timezone = "Europe/Berln"',
            f'timezone: found "Europe/Berln"; {AS_LEFT_OUT} (expected an IANA time zone such as "Europe/Berlin")',
            True,
            id="zone",
        ),
        pytest.param(
            'scope = "support"', f'scope: found "support"; {NOT_ENFORCED} (expected {SCOPE})', False, id="scope-text"
        ),
        pytest.param(
            'scope = { modell = "gpt-*" }',
            f'scope.modell: no dimension is called "modell", perhaps "model" is meant; {NOT_ENFORCED} '
            f"(expected {DIMENSIONS})",
            False,
            id="scope-dimension",
        ),
        pytest.param(
            "scope = { model = 4 }",
            f'scope.model: found 4; {NOT_ENFORCED} (expected a pattern such as "gpt-*", or a list of patterns)',
            False,
            id="scope-pattern",
        ),
        pytest.param(
            'per = "user"',
            f'per: found "user"; {NOT_ENFORCED} (expected a list of dimensions such as ["user"])',
            False,
            id="per-text",
        ),
        pytest.param(
            'per = ["user", "usr"]',
            f'per[1]: no dimension is called "usr", perhaps "user" is meant; {NOT_ENFORCED} (expected {DIMENSIONS})',
            False,
            id="per-dimension",
        ),
        pytest.param(
            'per = ["user", "user"]',
            f'per: a dimension is named twice; {NOT_ENFORCED} (expected a list of dimensions such as ["user"])',
            False,
            id="per-twice",
        ),
        pytest.param(
            'on_limit = "block"',
            f'on_limit: found "block"; {NOT_ENFORCED} (expected "refuse" or "alert")',
            False,
            id="on-limit",
        ),
        pytest.param("marks = []", f"marks: found []; {AS_LEFT_OUT} (expected {MARKS})", True, id="marks-list"),
        pytest.param(
            "marks = { warning = 75 }", f"marks.warning: found 75; {AS_LEFT_OUT} (expected {MARKS})", True, id="percent"
        ),
        pytest.param(
            "marks = { warning = 0 }", f"marks.warning: found 0; {AS_LEFT_OUT} (expected {MARKS})", True, id="mark-zero"
        ),
        pytest.param(
            "marks = { a = 0.9, b = 0.8 }",
            f"marks.b: 0.8 is not above a = 0.9; {AS_LEFT_OUT} (expected shares in rising order)",
            True,
            id="marks-fall",
        ),
        pytest.param(
            "marks = { ok = 0.5 }",
            f'marks.ok: "ok" is the level below all marks; {AS_LEFT_OUT} (expected {MARKS})',
            True,
            id="mark-ok",
        ),
        pytest.param(
            'reserve = "most"',
            f'reserve: found "most"; {AS_LEFT_OUT} (expected "expected" or "worst")',
            True,
            id="reserve",
        ),
        pytest.param(
            'unpriced = "assume:"',
            f'unpriced: found "assume:"; {AS_LEFT_OUT} (expected "allow", "refuse" or "assume:<model>")',
            True,
            id="unpriced",
        ),
        pytest.param(
            "on_store_error = 1979-05-27",
            f'on_store_error: found 1979-05-27; {AS_LEFT_OUT} (expected "open" or "closed")',
            True,
            id="on-store-error",
        ),
        pytest.param(
            "limmit = 1",
            f'limmit: no key is called "limmit", perhaps "limit" is meant; {NOT_ENFORCED} (expected {BUDGET_KEYS})',
            False,
            id="unknown-key",
        ),
    ],
)
def test_a_fault_of_a_budget_says_key_line_and_what_it_means(tmp_path, line, problem, is_enforced):
    text = budget(line)

    settings = read(tmp_path, text)

    assert problems(tmp_path, settings) == [f"llmcost.toml:{len(text.splitlines())}: budget[0].{problem}"]
    assert len(settings.budgets) == is_enforced
    assert settings.refuse_all_reason is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            '[[budget]]\nwindow = "day"\nlimit = 1',
            [f"llmcost.toml:1: budget[0].name: is missing; {NOT_ENFORCED} (expected a text that is not empty)"],
            id="missing-key",
        ),
        pytest.param(
            '[budget]\nname = "b"',
            [f"llmcost.toml:1: budget: found a table; {NOT_ENFORCED} (expected tables headed [[budget]])"],
            id="one-bracket",
        ),
        pytest.param(
            "budget = [1]",
            [f"llmcost.toml:1: budget[0]: found 1; {NOT_ENFORCED} (expected a table headed [[budget]])"],
            id="budget-is-no-table",
        ),
        pytest.param(
            f"{budget('limit = 1')}\n{budget('limit = 2')}",
            [
                (
                    f'llmcost.toml:6: budget[1].name: "b" is taken; {NOT_ENFORCED} '
                    "(expected a name of its own for each budget and limit)"
                )
            ],
            id="same-name-twice",
        ),
        pytest.param(
            "[tiers.free]\nweekly = 1",
            [
                (
                    'llmcost.toml:2: tiers.free.weekly: no key is called "weekly"; this tier is not enforced '
                    '(expected "daily", "monthly" or "requests_per_day")'
                )
            ],
            id="tier-key",
        ),
        pytest.param(
            '[tiers."*"]\ndaily = 1',
            [
                (
                    "llmcost.toml:1: tiers.*: has a name that reads as a pattern; this tier is not enforced "
                    "(expected a plain name such as [tiers.free])"
                )
            ],
            id="tier-pattern",
        ),
        pytest.param(
            "tiers = 3",
            ["llmcost.toml:1: tiers: found 3; this tier is not enforced (expected tables headed [tiers.<name>])"],
            id="tiers-number",
        ),
        pytest.param(
            "[tiers]\nfree = 3",
            ["llmcost.toml:2: tiers.free: found 3; this tier is not enforced (expected a table headed [tiers.<name>])"],
            id="tier-number",
        ),
        pytest.param(
            '[[limit]]\nname = "l"\nwindow = "1m"',
            [
                (
                    "llmcost.toml:1: limit[0]: limits nothing; this limit is not enforced "
                    "(expected exactly one of requests, tokens, cost)"
                )
            ],
            id="limit-of-nothing",
        ),
        pytest.param(
            '[[limit]]\nname = "l"\nwindow = "1m"\nrequests = 1\ncost = 2\nmax_wait = "soon"',
            [
                (
                    "llmcost.toml:1: limit[0]: limits requests and cost; this limit is not enforced "
                    "(expected exactly one of requests, tokens, cost)"
                ),
                (
                    'llmcost.toml:6: limit[0].max_wait: found "soon"; this limit is not enforced '
                    '(expected a time such as "30s" or "5m")'
                ),
            ],
            id="limit-of-two-things",
        ),
        pytest.param(
            '[[limit]]\nname = "l"\nwindow = "1m"\nrequests = 0',
            [
                (
                    "llmcost.toml:4: limit[0].requests: found 0; this limit is not enforced "
                    "(expected a whole number above 0)"
                )
            ],
            id="limit-of-zero-requests",
        ),
        pytest.param(
            '[[alert]]\nname = "a"\nurl = "hooks.example.com/T0/token"',
            [
                (
                    "llmcost.toml:3: alert[0].url: what was found cannot be used; no alerts go there "
                    '(expected a URL such as https://hooks.example.com/llmcost, or "env:NAME")'
                )
            ],
            id="alert-url-is-not-repeated",
        ),
        pytest.param(
            '[[alert]]\nname = "a"\nurl = "https://h.example"\nsecret = "env:NOWHERE"',
            [
                (
                    "llmcost.toml:4: alert[0].secret: the environment has no NOWHERE; no alerts go there "
                    "(expected a value in the variable NOWHERE)"
                )
            ],
            id="alert-secret-is-not-there",
        ),
        pytest.param(
            '[[alert]]\nname = "a"\nurl = "env:TOKEN"',
            [
                (
                    "llmcost.toml:3: alert[0].url: what TOKEN holds is no URL; no alerts go there "
                    '(expected a URL such as https://hooks.example.com/llmcost, or "env:NAME")'
                )
            ],
            id="alert-url-from-the-environment",
        ),
        pytest.param(
            '[[alert]]\nname = "a"\nurl = "https://h.example"\nlevels = ["critcal", "exceeded"]',
            [
                (
                    'llmcost.toml:4: alert[0].levels[0]: no level is called "critcal", perhaps "critical" is meant; '
                    'it is left out (expected "critical", "exceeded", "warning", "anomaly", "burn_rate", '
                    '"burn_rate.fast", "burn_rate.slow", "first_seen", "stop" or "resume")'
                )
            ],
            id="alert-level",
        ),
        pytest.param(
            '[[alert]]\nname = "a"\nurl = "https://h.example"\n' * 2,
            [
                (
                    'llmcost.toml:5: alert[1].name: "a" is taken; no alerts go there '
                    "(expected a name of its own for each channel)"
                )
            ],
            id="alert-name-twice",
        ),
        pytest.param(
            '[[price]]\nmodel = "m"\ninput = -1',
            [
                (
                    "llmcost.toml:3: price[0].input: a negative price: -1; this price is not used "
                    "(expected USD per 1,000,000 input tokens)"
                )
            ],
            id="price-negative",
        ),
        pytest.param(
            '[[price]]\nmodel = "m"',
            [
                (
                    "llmcost.toml:1: price[0]: a price row without a price; this price is not used "
                    "(expected a price such as `input`, or a `discount`)"
                )
            ],
            id="price-without-price",
        ),
        pytest.param(
            "[attribution]\nteam = 7",
            [
                (
                    "llmcost.toml:2: attribution.team: found 7; it is taken as if left out "
                    "(expected a text that is not empty)"
                )
            ],
            id="attribution-number",
        ),
        pytest.param(
            'attribution = "me"',
            ['llmcost.toml:1: attribution: found "me"; it has no effect (expected a table headed [attribution])'],
            id="attribution-text",
        ),
        pytest.param(
            'spans = "all"\nsummary = "yes"\nstore = "ledger.db"',
            [
                (
                    'llmcost.toml:1: spans: found "all"; it is taken as if left out '
                    '(expected "auto", "own", "enrich" or "off")'
                ),
                'llmcost.toml:2: summary: found "yes"; it is taken as if left out (expected true or false)',
                (
                    'llmcost.toml:3: store: found "ledger.db"; it is taken as if left out '
                    "(expected a URL such as sqlite:///var/lib/llmcost/ledger.db, memory:// or https://collector:4319)"
                ),
            ],
            id="top-values",
        ),
        pytest.param(
            "strct = true",
            [
                (
                    'llmcost.toml:1: strct: no key is called "strct", perhaps "strict" is meant; it has no effect '
                    f"(expected {TOP_KEYS})"
                )
            ],
            id="top-key",
        ),
        pytest.param(
            '[[budget]]\nname = "b"\nlimit = = 1',
            [f"llmcost.toml:3: is not valid TOML: Invalid value; {GONE}"],
            id="syntax",
        ),
        pytest.param(
            'a = 1\nb = """\n\n', [f"llmcost.toml:2: is not valid TOML: Unterminated string; {GONE}"], id="open-end"
        ),
        pytest.param(
            "a = " + "9" * 5000,
            [
                (
                    "llmcost.toml: is not valid TOML: Exceeds the limit (4300 digits) for integer string conversion: "
                    f"value has 5000 digits; use sys.set_int_max_str_digits() to increase the limit; {GONE}"
                )
            ],
            id="number-beyond-all-reason",
        ),
        pytest.param(
            '[[alert]]\nname = "a"\nurl = "https://h.example"\nlevels = "warning"',
            [
                (
                    'llmcost.toml:4: alert[0].levels: found "warning"; it is taken as if left out '
                    '(expected a list of levels such as ["warning", "exceeded"])'
                )
            ],
            id="alert-levels-text",
        ),
        pytest.param(
            '[[alert]]\nname = "a"\nurl = "https://h.example"\nlevels = [1]',
            [
                (
                    "llmcost.toml:4: alert[0].levels[0]: found 1; it is taken as if left out "
                    '(expected a list of levels such as ["warning", "exceeded"])'
                )
            ],
            id="alert-levels-numbers",
        ),
        pytest.param(b'a = 1\nb = "\xff"', [f"llmcost.toml:2: is not UTF-8 text; {GONE}"], id="not-utf-8"),
    ],
)
def test_a_fault_says_key_line_and_what_it_means(tmp_path, text, expected):
    settings = read(tmp_path, text, TOKEN="secret")

    assert problems(tmp_path, settings) == expected


def test_a_price_with_an_unknown_key_names_the_one_likely_meant(tmp_path):
    settings = read(tmp_path, '[[price]]\nmodel = "m"\ninpt = 1')

    assert problems(tmp_path, settings)[0].startswith(
        'llmcost.toml:3: price[0].inpt: no key is called "inpt", perhaps "input" is meant; this price is not used'
    )
    assert settings.prices == ()


def test_a_wrong_variable_is_passed_over_for_what_the_file_says(tmp_path):
    settings = read(tmp_path, 'spans = "off"', OTEL_LLMCOST_SPANS="all")

    assert settings.spans == "off"
    assert problems(tmp_path, settings) == [
        'OTEL_LLMCOST_SPANS: found "all"; it has no effect (expected "auto", "own", "enrich" or "off")'
    ]


def test_an_unknown_variable_names_the_one_likely_meant(tmp_path):
    settings = read(tmp_path, "", OTEL_LLMCOST_SPAN="off")

    assert problems(tmp_path, settings) == [
        (
            'OTEL_LLMCOST_SPAN: no variable is called "OTEL_LLMCOST_SPAN", perhaps "OTEL_LLMCOST_SPANS" is meant; '
            "it has no effect"
        )
    ]


def test_a_variable_that_holds_a_secret_is_not_unknown(tmp_path):
    alert = '[[alert]]\nname = "a"\nurl = "https://h.example"\nsecret = "env:OTEL_LLMCOST_HOOK"'

    settings = read(tmp_path, alert, OTEL_LLMCOST_HOOK="whsec_x")

    assert settings.problems == ()
    assert settings.channels[0].secret == "whsec_x"


def test_a_named_file_that_is_not_there_is_a_problem(tmp_path):
    settings = load({"OTEL_LLMCOST_CONFIG": "my.toml"}, cwd=tmp_path, home=tmp_path)

    assert problems(tmp_path, settings) == [f"my.toml: there is no such file; {GONE}"]


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    (tmp_path / "llmcost.toml").mkdir()

    settings = load({}, cwd=tmp_path, home=tmp_path)

    assert problems(tmp_path, settings) == [f"llmcost.toml: cannot be read: Is a directory; {GONE}"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(budget("limit = -1"), id="budget"),
        pytest.param(budget('unpriced = "refuze"'), id="budget-that-would-do-with-a-default"),
        pytest.param(budget("limit = 1").replace("[[budget]]", "[[budgets]]"), id="section"),
        pytest.param("[tiers.free]\ndaily = -1", id="tier"),
        pytest.param(f"{budget('limit = 1')}\nlimit = 2", id="syntax"),
        pytest.param("\n".join([budget("limit = 1")] * 2), id="name-twice"),
    ],
)
def test_strict_refuses_every_call_while_a_budget_cannot_be_read(tmp_path, text):
    lax = read(tmp_path, text)
    strict = read(tmp_path, f"strict = true\n{text}")

    assert lax.problems
    assert lax.refuse_all_reason is None
    assert strict.refuse_all_reason == str(strict.problems[0])
    assert "every call is refused (strict = true)" in strict.refuse_all_reason


def test_strict_does_not_mind_what_holds_no_call_back(tmp_path):
    text = 'strict = true\nspans = "all"\n[[alert]]\nname = "a"\nurl = "nowhere"\n[[price]]\nmodel = "m"'

    settings = read(tmp_path, text)

    assert len(settings.problems) == 3
    assert settings.refuse_all_reason is None


def test_strict_by_variable_refuses_while_the_named_file_is_missing(tmp_path):
    variables = {"OTEL_LLMCOST_CONFIG": "my.toml", "OTEL_LLMCOST_STRICT": "1"}

    settings = load(variables, cwd=tmp_path, home=tmp_path)

    assert settings.refuse_all_reason is not None


def test_all_faults_of_a_file_are_told_at_once_from_top_to_bottom(tmp_path):
    settings = read(tmp_path, f"{budget('limit = -1')}\n[[price]]\nmodel = 3\ninput = 1\n[attribution]\nteam = 1")

    assert [problem.line for problem in settings.problems] == [4, 6, 9]


def _toml(depth: int) -> st.SearchStrategy[object]:
    scalars = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.none())
    keys = st.sampled_from(
        ["budget", "limit", "name", "scope", "marks", "tiers", "alert", "price", "per", "per_day", "from", "to", "x"]
    )
    return st.recursive(
        scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner)), max_leaves=depth
    )


def _dump(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_dump(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_dump(each) for each in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(c if re.match(r"[ -!#-\[\]-~]", c) else f"\\U{ord(c):08x}" for c in value) + '"'
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)


@given(
    document=st.dictionaries(
        st.sampled_from(["budget", "limit", "tiers", "alert", "price", "attribution", "fixed_cost", "anomalies"]),
        _toml(9),
    )
)
def test_no_content_of_a_file_makes_loading_fail(tmp_path_factory, document):
    text = "\n".join(f"{key} = {_dump(value)}" for key, value in document.items())

    settings = read(tmp_path_factory.getbasetemp(), text)

    assert isinstance(settings, Settings)


@given(content=st.binary(max_size=80))
def test_no_bytes_make_loading_fail(tmp_path_factory, content):
    settings = read(tmp_path_factory.getbasetemp(), content)

    assert isinstance(settings, Settings)
