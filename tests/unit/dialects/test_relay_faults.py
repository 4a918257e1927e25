"""Owns the faults a vendor can commit in a stream, and what the relay makes of each; refuses good streams."""

import json
from typing import Any

import pytest

from farebox.dialects.ports import Target
from farebox.ir.errors import (
    AnswerTooLarge,
    AttemptError,
    Cut,
    EmptyAnswer,
    Filtered,
    Garbled,
    Overloaded,
    VendorContextTooLong,
    VendorFailed,
    VendorRateLimited,
)
from farebox.ir.usage import Usage
from farebox.money.charges import Charge
from unit.dialects.streams import CHARGE, DONE, END, USAGE, broken, event, relay, said, texts
from unit.dialects.traffic import chunks

# F21, F22: errors in the stream, in the shapes vendors use.
ERRORS: dict[str, tuple[bytes, type[AttemptError]]] = {
    "object with number": (b'data: {"error":{"message":"slow down","code":429}}\n\n', VendorRateLimited),
    "named event": (b'event: error\ndata: {"error":{"message":"x","status_code":503}}\n\n', Overloaded),
    "text": (b'data: {"error":"model overloaded"}\n\n', Overloaded),
    "flat": (b'data: {"object":"error","message":"x","code":50001}\n\n', VendorFailed),
    "in a choice": (b'data: {"choices":[{"index":0,"delta":{},"error":{"code":502,"message":"x"}}]}\n\n', VendorFailed),
    "finish reason": (event(finish="error"), VendorFailed),
    "base_resp": (b'data: {"choices":[],"base_resp":{"status_code":1002,"status_msg":"rate"}}\n\n', VendorFailed),
    "context": (b'data: {"error":{"message":"context length exceeded","code":400}}\n\n', VendorContextTooLong),
    "moderation": (b'data: {"error":{"message":"flagged by moderation","code":403}}\n\n', Filtered),
}


@pytest.mark.parametrize(("data", "kind"), ERRORS.values(), ids=ERRORS.keys())
@pytest.mark.parametrize(
    "before", [b"", event({"role": "assistant"}), said("Hello")], ids=["first", "after role", "after content"]
)
def test_errors_in_the_stream(data: bytes, kind: type[AttemptError], before: bytes) -> None:
    stream, out = broken(before, data, said("never"), DONE)
    assert type(stream.outcome.error) is kind
    assert texts(out) == ("Hello" if b"Hello" in before else "")
    assert stream.outcome.committed is (b"Hello" in before)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {bad\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n',
        rb'data: {"choices":[{"index":0,"delta":{"content":"\ud800"}}]}' + b"\n\n",
        b"data: []\n\n",
        b'data: {"choices":[{"index":0,"delta":{"content":"a\nb"}}]}\n\n',
        b"data: 1\n\n",
        b'data: {"choices":[1]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":"x"}]}}]}\n\n',
    ],
)
def test_a_malformed_event_is_garbled(data: bytes) -> None:
    stream, _ = broken(said("x"), data, END)
    assert isinstance(stream.outcome.error, Garbled)


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([], Cut),
        ([said("x")], Cut),
        ([said("x"), DONE], Cut),
        ([said("x"), b"data: {"], Garbled),
        ([b"<html>blocked</html>"], Garbled),
        ([b"\n\n <!DOCTYPE html>"], Garbled),
        ([b"hello"], Cut),
        ([b'{"error":{"message":"x","code":503}}'], Overloaded),
        ([b'\n\n{"error":{"message":"x",', b'"code":429}}'], VendorRateLimited),
        ([b'{"what":1}'], Garbled),
        ([DONE], EmptyAnswer),
        ([event({"role": "assistant"}), event(finish="stop"), DONE], EmptyAnswer),
        ([event({"content": ""}), DONE], EmptyAnswer),
        ([b"data: " + b"x" * ((1 << 20) + 8)], AnswerTooLarge),
        ([b"data: ", *[b"x" * 1000] * 1100], AnswerTooLarge),
        ([event({"content": "y" * ((1 << 20) + 8)})], AnswerTooLarge),
    ],
)
def test_ends_that_are_none(pieces: list[bytes], kind: type[AttemptError]) -> None:
    stream, _ = broken(*pieces)
    assert type(stream.outcome.error) is kind
    assert stream.outcome.ended


def test_an_empty_answer_can_still_be_passed_on() -> None:
    stream, out = broken(event({"role": "assistant"}), event(finish="stop"), DONE)
    assert out == b""
    out = stream.finish(Charge())
    assert chunks(out)[-2]["choices"][0]["finish_reason"] == "stop"
    assert out.endswith(DONE)


def test_a_filtered_answer_is_not_empty() -> None:
    stream, _ = broken(event(finish="content_filter"), DONE)
    assert stream.outcome.error is None
    assert stream.outcome.finish == "content_filter"


def test_a_cut_after_the_finish_reason_is_an_end() -> None:
    stream, out = broken(said("x"), event(finish="stop"))
    assert stream.outcome.error is None
    assert not stream.outcome.complete
    assert stream.outcome.usage is None
    stream.outcome.usage = Usage({"input_fresh": 3, "output_text": 1}, source="metered")
    told = chunks(out + stream.finish(CHARGE))
    assert told[-1]["usage"]["total_tokens"] == 4


def test_usage_and_end_mark_without_a_finish_reason_are_an_end() -> None:
    stream, out = broken(said("x"), event(choices=[], usage=USAGE), DONE)
    assert stream.outcome.error is None
    assert stream.outcome.flags == ["finish_missing"]
    assert chunks(out)[-1]["choices"][0]["finish_reason"] == "stop"


def test_an_empty_finish_reason_after_tool_calls_is_an_end() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}
    stream, out = broken(event({"tool_calls": [call]}), event(finish=""), DONE)
    assert stream.outcome.error is None
    assert chunks(out)[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_json_to_a_stream_request_becomes_one_chunk_and_an_end() -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    whole = {"id": "x", "model": "m", "choices": [choice], "usage": USAGE}
    body = b"\n \n" + json.dumps(whole, indent=2).encode()
    stream, out = broken(body[:40], body[40:])
    assert stream.outcome.committed
    out += stream.finish(CHARGE)
    assert texts(out) == "Hi"
    assert chunks(out)[-1]["usage"]["completion_tokens"] == 7


@pytest.mark.parametrize("value", [-1, "5", 1e30, 10**30, True, [], 0.5])
def test_absurd_usage_is_not_believed(value: Any) -> None:
    stream, _ = broken(
        said("x"), event(finish="stop"), event(choices=[], usage={"prompt_tokens": value, "completion_tokens": 1}), DONE
    )
    assert stream.outcome.usage is None
    assert stream.outcome.flags == ["usage_absurd"]
    assert stream.outcome.error is None


def test_usage_is_cumulative_and_the_last_wins() -> None:
    lower = {"prompt_tokens": 5, "completion_tokens": 3}
    stream, out = broken(
        event({"content": "x"}, usage=USAGE), event(finish="stop", usage=lower), DONE, said("after"), DONE
    )
    assert stream.outcome.usage is not None
    assert stream.outcome.usage.completion_tokens() == 3
    assert stream.outcome.flags == ["usage_lowered"]
    assert texts(out) == "x"
    assert all("usage" not in chunk for chunk in chunks(out))


def test_choices_nobody_asked_for_are_dropped() -> None:
    many = [{"index": n, "delta": {"content": str(n)}, "finish_reason": None} for n in range(1000)]
    stream, out = broken(event(choices=many), END)
    assert len(chunks(out)[0]["choices"]) == 1
    assert "extra_choices" in stream.outcome.flags
    assert stream.outcome.error is None


def test_all_choices_asked_for_must_end() -> None:
    two = [{"index": n, "delta": {"content": "x"}, "finish_reason": None} for n in range(2)]
    stream = relay(choices=2)
    stream.feed(event(choices=two) + event(finish="stop"))
    stream.close()
    assert isinstance(stream.outcome.error, Cut)


def test_another_model_than_asked_is_noted() -> None:
    stream = relay(target=Target(model="gpt-4o", vendor="v"))
    stream.feed(event({"content": "x"}, model="gpt-4o-2024-08-06"))
    assert stream.outcome.flags == []
    other = relay(target=Target(model="gpt-4o", vendor="v"))
    other.feed(event({"content": "x"}, model="llama"))
    assert other.outcome.flags == ["model_mismatch"]
