"""Owns what becomes of a vendor's stream in relay: the envelope, the end, and every rewriting on the way.
Refuses recorded traffic (see `test_chat_laws`) and faults (see `test_relay_faults`).
"""

import json

import pytest

from farebox.dialects.ports import Target
from farebox.ir.errors import (
    Garbled,
    IdleTimeout,
)
from unit.dialects.streams import CHARGE, DONE, END, USAGE, event, relay, said, texts
from unit.dialects.traffic import chunks


def test_a_stream_from_begin_to_end() -> None:
    stream = relay()
    assert stream.feed(event({"role": "assistant", "content": ""})) == b""
    assert not stream.outcome.committed
    out = stream.feed(said("Hel"))
    assert stream.outcome.committed
    assert texts(out) == "Hel"
    out += stream.feed(said("lo")) + stream.feed(END)
    assert stream.outcome.ended
    assert stream.outcome.complete
    assert stream.close() == b""
    out += stream.finish(CHARGE)
    told = chunks(out)
    assert all((chunk["id"], chunk["model"], chunk["provider"]) == ("gen-1", "a/b", "P") for chunk in told)
    assert all((chunk["object"], chunk["created"]) == ("chat.completion.chunk", 7) for chunk in told)
    assert told[-2]["choices"][0] == {"index": 0, "delta": {}, "finish_reason": "stop", "native_finish_reason": "stop"}
    assert told[-1]["choices"] == []
    assert out.endswith(DONE)
    assert out.count(b"[DONE]") == 1
    assert [chunk for chunk in told if "usage" in chunk] == [told[-1]]
    assert told[-1]["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 7,
        "total_tokens": 12,
        "cost": 0.00000105,
        "is_byok": False,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0, "video_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        "cost_details": {
            "upstream_inference_cost": 0.000001,
            "upstream_inference_prompt_cost": 0.0000004,
            "upstream_inference_completions_cost": 0.0000006,
            "toll_cost": 0.00000005,
        },
    }
    outcome = stream.outcome
    assert (outcome.upstream_id, outcome.upstream_model, outcome.finish, outcome.content_chars) == ("x", "m", "stop", 5)


def test_costs_are_exact_decimals_on_the_wire() -> None:
    stream = relay()
    stream.feed(said("x") + END)
    assert b'"cost":0.00000105,' in stream.finish(CHARGE)


def test_splicing_and_rewriting_agree() -> None:
    words = ["Hello", ' "quoted"', "\n", " wörld 🎈", "", "\\", "data: [DONE]", "</script>"]
    fast, slow = relay(), relay()
    slow._tries = 0
    first = b"".join([fast.feed(b"".join(said(word) for word in words * 3)) for _ in range(3)])
    second = b"".join([slow.feed(said(word)) for _ in range(3) for word in words * 3])
    assert [json.loads(e[6:]) for e in first.split(b"\n\n") if e] == [
        json.loads(e[6:]) for e in second.split(b"\n\n") if e
    ]
    assert fast.outcome == slow.outcome


def test_splicing_never_hides_a_chunk_that_says_more() -> None:
    stream = relay()
    stream.feed(said("a") * 3)
    out = stream.feed(said("b") + event({"content": "c"}, "length") + said("d"))
    assert [c["choices"][0]["finish_reason"] for c in chunks(out)] == [None, "length", None]
    assert stream.outcome.finish == "length"
    stream.feed(said("e") + event({"content": 'x","finish_reason":"stop'}) + event(choices=[], usage=USAGE))
    assert stream.outcome.usage is not None


def test_a_run_with_bad_bytes_in_it_is_not_spliced() -> None:
    stream = relay()
    stream.feed(said("a") * 3)
    stream.feed(said("b") + said("MARK").replace(b"MARK", b"\xff") + said("c"))
    assert isinstance(stream.outcome.error, Garbled)


@pytest.mark.parametrize(
    ("native", "word"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("max_tokens", "length"),
        ("function_call", "tool_calls"),
        ("SAFETY", "content_filter"),
        ("unheard", "stop"),
    ],
)
def test_finish_reasons_are_normalised(native: str, word: str) -> None:
    stream = relay()
    out = stream.feed(said("x") + event(finish=native))
    last = chunks(out)[-1]["choices"][0]
    assert (last["finish_reason"], last["native_finish_reason"]) == (word, native)


def test_tool_calls_are_the_reason_even_if_the_vendor_says_stop() -> None:
    stream = relay()
    call = {"function": {"name": "f", "arguments": {"a": 1}}}
    out = stream.feed(event({"tool_calls": [call]}) + event(finish="stop"))
    told = chunks(out)[0]["choices"][0]["delta"]["tool_calls"][0]
    assert told["index"] == 0
    assert told["id"]
    assert told["type"] == "function"
    assert json.loads(told["function"]["arguments"]) == {"a": 1}
    assert chunks(out)[1]["choices"][0]["finish_reason"] == "tool_calls"
    assert stream.outcome.tool_calls == 1
    assert stream.outcome.committed


def test_reasoning_has_one_spelling() -> None:
    stream = relay()
    out = stream.feed(
        event({"reasoning_content": "why"}) + event({"reasoning_content": "so"}) + event({"reasoning_content": "!"})
    )
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(out)]
    assert [delta["reasoning"] for delta in deltas] == ["why", "so", "!"]
    assert deltas[0]["reasoning_details"] == [
        {"type": "reasoning.text", "text": "why", "format": "unknown", "index": 0}
    ]
    assert stream.outcome.reasoning_chars == 6


def test_reasoning_that_is_not_wanted_is_counted_but_not_told() -> None:
    stream = relay(include_reasoning=False)
    assert stream.feed(event({"reasoning_content": "why"}) * 3) == b""
    assert not stream.outcome.committed
    assert stream.outcome.reasoning_chars == 9
    assert texts(stream.feed(said("x"))) == "x"


def test_think_tags_become_reasoning_wherever_they_are_cut() -> None:
    stream = relay(target=Target(model="m", vendor="v", reasoning_field="think"))
    out = b"".join(
        [stream.feed(said(piece)) for piece in ("<th", "ink>\nwhy", " so</", "think>\n\n", "Yes", " <think> no")]
    )
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(out)]
    assert "".join(delta.get("reasoning", "") for delta in deltas) == "why so"
    assert texts(out) == "Yes <think> no"


def test_content_that_looks_like_an_end_is_content() -> None:
    stream = relay()
    text = 'data: [DONE]\n\ndata: {"choices":[]}\r\rdata: evil'
    out = stream.feed(said(text) + END) + stream.finish(CHARGE)
    assert texts(out) == text
    assert out.count(b"\n\ndata: [DONE]\n\n") == 1


def test_white_space_between_tokens_never_splits_an_event() -> None:
    stream = relay()
    pretty = json.dumps(
        {"id": "x", "model": "m", "choices": [{"index": 0, "delta": {"content": "hi"}}], "more": {"a": [1, 2]}},
        indent=2,
    )
    out = stream.feed(b"".join(b"data: " + line.encode() + b"\n" for line in pretty.splitlines()) + b"\n")
    assert chunks(out)[0]["more"] == {"a": [1, 2]}
    assert out.count(b"\n") == 2


def test_comments_and_odd_framing_are_not_forwarded() -> None:
    stream = relay()
    crlf = (b": wait\n\n: KEEPALIVE\n\n" + said("x") + END).replace(b"\n", b"\r\n")
    out = stream.feed(b"\xef\xbb\xbf" + crlf) + stream.close() + stream.finish(CHARGE)
    assert b": " not in out.replace(b"data: ", b"")
    assert texts(out) == "x"
    assert stream.outcome.error is None


def test_failing_after_the_commit_point() -> None:
    stream = relay()
    out = stream.feed(said("Hello")) + stream.fail(IdleTimeout(), CHARGE)
    last = chunks(out)[-1]
    assert last["choices"] == [
        {"index": 0, "delta": {"content": ""}, "finish_reason": "error", "native_finish_reason": None}
    ]
    assert last["error"]["code"] == 504
    assert last["error"]["metadata"]["error_type"] == "upstream_timeout"
    assert last["usage"]["cost"] == 0.00000105
    assert out.endswith(DONE)


def test_unknown_members_survive() -> None:
    stream = relay()
    out = stream.feed(
        event({"content": "x", "citation": {"a": 1}}, system_fingerprint="fp", vendor_thing=[1, {"b": None}])
    )
    chunk = chunks(out)[0]
    assert chunk["vendor_thing"] == [1, {"b": None}]
    assert chunk["choices"][0]["delta"]["citation"] == {"a": 1}


def test_what_stands_in_chunks_without_choices_comes_with_the_end() -> None:
    stream = relay()
    stream.feed(event(choices=[], prompt_filter_results=[1]) + said("x") + END)
    assert chunks(stream.finish(CHARGE))[-1]["prompt_filter_results"] == [1]


def test_padding_is_not_forwarded() -> None:
    stream = relay()
    assert b"obfuscation" not in stream.feed(event({"content": "x"}, obfuscation="abc") * 2)
