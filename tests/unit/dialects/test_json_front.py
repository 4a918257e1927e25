"""Owns what the JSON front takes and refuses; refuses parameters (see `test_opening`)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.dialects.framing.json_front import DEPTH_MAX, front
from farebox.ir.errors import InvalidRequest

BAD = {
    "empty": (b"", "invalid_json"),
    "null": (b"null", "not_an_object"),
    "array": (b"[]", "not_an_object"),
    "string": (b'"x"', "not_an_object"),
    "number": (b"1", "not_an_object"),
    "trailing garbage": (b'{"a":1} x', "invalid_json"),
    "two documents": (b'{"a":1}{"a":2}', "invalid_json"),
    "100,000 brackets": (b"[" * 100_000, "not_an_object"),
    "100,000 brackets inside": (b'{"a":' + b"[" * 100_000, "too_deep"),
    "2,000 objects": (b'{"a":' * 2000 + b"1" + b"}" * 2000, "too_deep"),
    "NaN": (b'{"a":NaN}', "invalid_json"),
    "Infinity": (b'{"a":Infinity}', "invalid_json"),
    "-Infinity": (b'{"a":-Infinity}', "invalid_json"),
    "1e999": (b'{"a":1e999}', "invalid_json"),
    "5,000 digits": (b'{"a":' + b"1" * 5000 + b"}", "invalid_json"),
    "leading zero": (b'{"a":01}', "invalid_json"),
    "lone high surrogate": (rb'{"a":"\ud800"}', "invalid_json"),
    "lone low surrogate": (rb'{"a":"\udc00"}', "invalid_json"),
    "lone surrogate, upper case": (rb'{"a":"\uD800x"}', "invalid_json"),
    "lone surrogate in a key": (rb'{"\ud800":1}', "invalid_json"),
    "byte 0xFF": (b'{"a":"\xff"}', "invalid_json"),
    "encoded surrogate": (b'{"a":"\xed\xa0\x80"}', "invalid_json"),
    "UTF-16": ('{"a":1}'.encode("utf-16"), "invalid_json"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', "invalid_json"),
    "UTF-7": (b'+AHs-"a":1}', "invalid_json"),
    "duplicate, compact": (b'{"model":"cheap","model":"dear"}', "duplicate_field"),
    "duplicate, spaced": (b'{"model": "cheap", "model": "dear"}', "duplicate_field"),
    "duplicate, pretty": (b'{\n "model": "cheap",\n "model": "cheap"\n}', "duplicate_field"),
    "duplicate, escaped": (rb'{"model":"a","m\u006fdel":"b"}', "duplicate_field"),
    "duplicate that fits by length": (b'{"a":1,"a":2,"b" :3}', "duplicate_field"),
}


@pytest.mark.parametrize(("body", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_body_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        front(body)
    assert caught.value.metadata["reason"] == reason
    assert caught.value.path == "$"
    assert caught.value.status == 400


def test_the_depth_that_is_allowed() -> None:
    inside = DEPTH_MAX - 1
    front(b'{"a":' + b"[" * inside + b"]" * inside + b"}")
    with pytest.raises(InvalidRequest):
        front(b'{"a":' + b"[" * (inside + 1) + b"]" * (inside + 1) + b"}")


def test_brackets_in_strings_are_no_depth() -> None:
    fields, _ = front(json.dumps({"a": "[" * 5000 + '\\"{' * 50}).encode())
    assert list(fields) == ["a"]


@pytest.mark.parametrize(
    "body",
    [
        rb'{"a":"\ud83d\ude00"}',
        rb'{"a":"\\ud800"}',
        b'{"a":"\xf0\x9f\x98\x80"}',
        b' {"a" : -0.0 } \n',
        b"{}",
        rb'{"a":"\u0000"}',
    ],
)
def test_odd_but_sound_bodies_pass(body: bytes) -> None:
    _, everything = front(body)
    assert everything == json.loads(body)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES), st.sampled_from([None, 0, 1, 3]), st.booleans(), st.booleans())
def test_every_way_of_writing_gives_the_same_members(
    document: dict[str, object], indent: int | None, ascii_only: bool, compact: bool
) -> None:
    separators = (",", ":") if compact else (", ", ": ")
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only, separators=separators).encode(
        "utf-8", "surrogatepass"
    )
    fields, everything = front(body)
    assert everything == document
    assert {name: json.loads(bytes(raw)) for name, raw in fields.items()} == document
