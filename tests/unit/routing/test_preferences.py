"""The provider object: every field, every mistake with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.ir.errors import InvalidRequest
from farebox.routing.preferences import parse, steers
from farebox.routing.types import MaxPrice, Percentiles, Preferences


def read(text: str) -> Preferences:
    return parse(text.encode())[0]


def test_nothing_said_means_defaults() -> None:
    assert parse(None) == (Preferences(), ())
    assert read("{}") == Preferences()
    assert read('{"order": null, "sort": null, "zdr": null}') == Preferences()


def test_every_field_is_read() -> None:
    found = read(
        '{"order": ["OpenAI", "amazon bedrock", "anthropic/fast"], "only": ["a"], "ignore": ["b", "b"],'
        ' "allow_fallbacks": false, "require_parameters": true, "data_collection": "deny", "zdr": true,'
        ' "quantizations": ["fp8", "unknown"], "sort": {"by": "latency", "partition": "none"},'
        ' "max_price": {"prompt": 1, "completion": "2.5", "request": "0.01"},'
        ' "preferred_min_throughput": 50, "preferred_max_latency": {"p50": 0.5, "p99": 3}}'
    )
    assert found == Preferences(
        order=("openai", "amazon-bedrock", "anthropic/fast"),
        only=("a",),
        ignore=("b",),
        allow_fallbacks=False,
        require_parameters=True,
        data_collection="deny",
        zdr=True,
        quantizations=("fp8", "unknown"),
        sort="latency",
        sort_across_models=True,
        max_price=MaxPrice(prompt=10**6, completion=2_500_000, request=10**10),
        preferred_min_throughput=Percentiles(p50=50.0),
        preferred_max_latency=Percentiles(p50=500.0, p99=3000.0),
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[]", "$.provider"),
        ('"x"', "$.provider"),
        ('{"order": "openai"}', "$.provider.order"),
        ('{"order": ["openai", 5]}', "$.provider.order[1]"),
        ('{"order": ["openai", ""]}', "$.provider.order[1]"),
        ('{"allow_fallbacks": "yes"}', "$.provider.allow_fallbacks"),
        ('{"data_collection": "maybe"}', "$.provider.data_collection"),
        ('{"quantizations": ["fp8", "fp9"]}', "$.provider.quantizations[1]"),
        ('{"sort": "cheap"}', "$.provider.sort"),
        ('{"sort": {"by": "price", "partition": "x"}}', "$.provider.sort.partition"),
        ('{"sort": {"by": "price", "then": "x"}}', "$.provider.sort.then"),
        ('{"max_price": 3}', "$.provider.max_price"),
        ('{"max_price": {"prompt": -1}}', "$.provider.max_price.prompt"),
        ('{"max_price": {"prompt": "NaN"}}', "$.provider.max_price.prompt"),
        ('{"max_price": {"prompt": "cheap"}}', "$.provider.max_price.prompt"),
        ('{"max_price": {"prompt": "1e999999"}}', "$.provider.max_price.prompt"),
        ('{"max_price": {"prompt": {}}}', "$.provider.max_price.prompt"),
        ('{"max_price": {"tokens": 1}}', "$.provider.max_price.tokens"),
        ('{"preferred_max_latency": 0}', "$.provider.preferred_max_latency"),
        ('{"preferred_max_latency": {"p51": 1}}', "$.provider.preferred_max_latency.p51"),
        ('{"enforce_distillable_text": true}', "$.provider.enforce_distillable_text"),
        ('{"allowFallbacks": false}', "$.provider.allowFallbacks"),
        ('{"quantisations": ["fp8"]}', "$.provider.quantisations"),
        ('{"base_url": "https://example.org"}', "$.provider.base_url"),
        ('{"apiKey": "x"}', "$.provider.apiKey"),
        ('{"extra-headers": {}}', "$.provider['extra-headers']"),
        ('{"options": {"openai": {"api_base": "x"}}}', "$.provider.options.openai.api_base"),
        ('{"options": {"openai": 1}}', "$.provider.options.openai"),
    ],
)
def test_mistakes_name_their_place(text: str, path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(text)
    assert caught.value.path == path


def test_a_near_miss_is_told_the_right_word() -> None:
    with pytest.raises(InvalidRequest, match="allow_fallbacks"):
        read('{"allow_fallback": false}')


def test_other_unknown_fields_are_ignored_with_a_warning() -> None:
    _, warnings = parse(b'{"zzz": 1, "options": {"openai": {"mood": 1}}}')
    assert [(warning.code, warning.path) for warning in warnings] == [
        ("unknown_field", "$.provider.zzz"),
        ("unsupported", "$.provider.options"),
    ]


@pytest.mark.parametrize("word", ["base_url", "api_base", "API-Key", "endpoint", "x_headers", "host", "proxy", "token"])
def test_steering_words_in_any_spelling(word: str) -> None:
    assert steers(word)


@given(st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False))
def test_prices_are_exact(usd: object) -> None:
    from decimal import Decimal

    assert isinstance(usd, Decimal)
    as_string = read(f'{{"max_price": {{"prompt": "{usd}"}}}}')
    as_number = read(f'{{"max_price": {{"prompt": {usd:f}}}}}')
    assert as_string == as_number == Preferences(max_price=MaxPrice(prompt=int(usd * 10**6)))


@given(st.binary(max_size=80))
def test_no_bytes_crash_it(data: bytes) -> None:
    try:
        parse(data)
    except InvalidRequest as error:
        assert error.path is not None
        assert error.path.startswith("$.provider")
