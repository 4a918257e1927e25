"""Every fault really does on the wire what the table says: raw sockets on one side, the server on the other."""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import closing

import pytest

from farebox.sims.faults.catalogue import FAULTS
from farebox.sims.faults.coding import stored_brotli, stored_zstd
from farebox.sims.testing import Upstream, running
from unit.sims.raw import ask, events, finish, opened, parts, read, request, words

EVERY = [(fault.id, variant.name) for fault in FAULTS for variant in fault.variants]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running(time_scale=1000) as ready:
        yield ready


def test_all_rows_of_the_matrix_are_there() -> None:
    ids = [fault.id for fault in FAULTS]
    assert ids == [f"f{n}" for n in range(1, 45)] + [f"k{n}" for n in range(109, 117)]


@pytest.mark.parametrize(("identity", "variant"), EVERY, ids=[f"{i}-{v}" for i, v in EVERY])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_every_variant_plays_and_leaves_a_healthy_server(
    upstream: Upstream, identity: str, variant: str, stream: bool
) -> None:
    order = f"fault={identity}-{variant};hold_s=10;size=2000000"
    with closing(opened(upstream)) as sock:
        sock.sendall(request(order, stream=stream))
        data, _ = read(sock, limit=2_000, idle_s=0.3)
    assert data or (identity, variant) in {("f18", "head"), ("f34", "always"), ("f18", "drip")}
    played = upstream.requests()[-1]
    assert played["fault"] == f"{identity}-{variant}"
    assert upstream.until(lambda u: u.requests()[played["number"] - 1]["outcome"] != "running")
    assert upstream.requests()[played["number"] - 1]["outcome"] in {"fault", "client left"}


STATUSES = {
    "f5": 400, "f5-422": 422, "f6": 401, "f6-403": 403, "f8": 402, "f9": 403, "f10": 404, "f11": 408, "f12": 413,
    "f13": 429, "f14": 429, "f15": 500, "f15-502": 502, "f15-504": 504, "f16": 503, "f17": 529, "f37-307": 307, "f2": 501,
}  # fmt: skip


@pytest.mark.parametrize(("order", "status"), STATUSES.items())
def test_statuses(upstream: Upstream, order: str, status: int) -> None:
    assert parts(ask(upstream, order)[0])[0] == status


@pytest.mark.parametrize(
    ("order", "value"),
    [
        ("F13", "7"),
        ("F13;retry_after=11", "11"),
        ("F13-zero", "0"),
        ("F13-negative", "-5"),
        ("F13-huge", "1000000000"),
        ("F13-garbage", "soon, perhaps"),
        ("F16-retry", "3"),
    ],
)
def test_retry_after(upstream: Upstream, order: str, value: str) -> None:
    assert parts(ask(upstream, order)[0])[1]["retry-after"] == value


def test_retry_after_is_missing_or_a_date(upstream: Upstream) -> None:
    assert "retry-after" not in parts(ask(upstream, "F14")[0])[1]
    assert parts(ask(upstream, "F13-date")[0])[1]["retry-after"].endswith("GMT")


def test_f21_first_event_is_an_error(upstream: Upstream) -> None:
    found = events(parts(ask(upstream, "F21", stream=True)[0])[2])
    assert found[0]["error"]["type"] == "server_error"
    assert found[1:] == ["[DONE]"]


@pytest.mark.parametrize("after", [0, 1, 4])
def test_f22_error_comes_after_so_many_words(upstream: Upstream, after: int) -> None:
    found = events(parts(ask(upstream, f"F22;after={after}", stream=True)[0])[2])
    assert len([e for e in found[:-2] if e["choices"][0]["delta"].get("content")]) == after
    assert "error" in found[-2]


def test_f23_stalls_and_then_goes_on(upstream: Upstream) -> None:
    data, ended = ask(upstream, "F23;hold_s=50", stream=True)
    assert ended == "fin"
    assert words(events(parts(data)[2])).startswith("The café")
    data, ended = ask(upstream, "F23", stream=True, idle_s=0.3)
    assert ended == "idle"
    assert b"[DONE]" not in data


@pytest.mark.parametrize("stream", [False, True])
def test_f24_cuts(upstream: Upstream, stream: bool) -> None:
    data, ended = ask(upstream, "F24", stream=stream)
    assert ended == "fin"
    assert not data.endswith((b"0\r\n\r\n", b"}"))
    assert ask(upstream, "F24-rst", stream=stream)[1] == "rst"
    head, _, body = ask(upstream, "F24-length", stream=stream)[0].partition(b"\r\n\r\n")
    assert int(head.decode().partition("Content-Length: ")[2].split("\r\n")[0]) > len(body)
    data, ended = ask(upstream, "F24-chunk", stream=stream)
    assert ended == "fin"
    assert not data.endswith(b"\r\n")
    assert b"\r\n\r\n" not in ask(upstream, "F24-head", stream=stream)[0]


def test_f24_and_f25_lack_what_they_say(upstream: Upstream) -> None:
    found = events(parts(ask(upstream, "F24-no-finish", stream=True)[0])[2])
    assert finish(found) == []
    assert "[DONE]" not in found
    found = events(parts(ask(upstream, "F24-no-finish-done", stream=True)[0])[2])
    assert finish(found) == []
    assert found[-1] == "[DONE]"
    data, ended = ask(upstream, "F25", stream=True)
    assert (ended, data.endswith(b"0\r\n\r\n")) == ("fin", False)
    found = events(parts(ask(upstream, "F25-end", stream=True)[0])[2])
    assert finish(found) == ["stop"]
    assert "[DONE]" not in found
    assert not any(e.get("usage") for e in found)


@pytest.mark.parametrize("variant", ["cut", "before", "after", "twice", "empty", "utf8", "deep"])
def test_f26_body_is_not_json(upstream: Upstream, variant: str) -> None:
    status, _, body = parts(ask(upstream, f"F26-{variant}")[0])
    assert status == 200
    with pytest.raises((ValueError, RecursionError)):
        json.loads(body)


@pytest.mark.parametrize("variant", ["json", "utf8", "text"])
def test_f27_one_event_cannot_be_read(upstream: Upstream, variant: str) -> None:
    body = parts(ask(upstream, f"F27-{variant}", stream=True)[0])[2]
    with pytest.raises(ValueError):
        events(body)
    assert body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize("variant", [v.name for f in FAULTS if f.id == "f28" for v in f.variants])
def test_f28_content_is_unchanged(upstream: Upstream, variant: str) -> None:
    found = events(parts(ask(upstream, f"F28-{variant}", stream=True)[0])[2])
    assert words(found) == "The café is open, naïve parrots sing."
    assert finish(found) == ["stop"]
    assert found[-1] == "[DONE]"
    whole = json.loads(parts(ask(upstream, f"F28-{variant}")[0])[2])
    assert whole["choices"][0]["message"]["content"] == "The café is open, naïve parrots sing."


def test_f28_is_odd(upstream: Upstream) -> None:
    def raw(variant: str) -> bytes:
        return parts(ask(upstream, f"F28-{variant}", stream=True)[0])[2]

    assert b"\n" not in raw("cr")
    assert raw("crlf").count(b"\r\n") == raw("crlf").count(b"\n") > 0
    assert raw("bom").startswith(b"\xef\xbb\xbfdata")
    assert b"data: " not in raw("no-space")
    assert raw("multi-line").count(b"data:") > 2 * raw("multi-line").count(b"\n\n")
    assert b"\xc3\r\n1" in ask(upstream, "F28-bytes", stream=True)[0]
    assert b"\xc3\r\n" in ask(upstream, "F28-utf8", stream=True)[0]


def test_f29_wrong_kinds(upstream: Upstream) -> None:
    _, headers, body = parts(ask(upstream, "F29", stream=True)[0])
    assert headers["content-type"].startswith("text/html")
    assert body.startswith(b"<!DOCTYPE")
    assert "error" in json.loads(parts(ask(upstream, "F29-error")[0])[2])
    assert json.loads(parts(ask(upstream, "F29-whole", stream=True)[0])[2])["object"] == "chat.completion"


def test_f30_sizes(upstream: Upstream) -> None:
    assert len(parts(ask(upstream, "F30")[0])[2]) == 65 * 1024 * 1024
    body = parts(ask(upstream, "F30-event", stream=True)[0])[2]
    assert max(map(len, body.split(b"\n"))) > 2 * 1024 * 1024


def test_f31_says_nothing(upstream: Upstream) -> None:
    assert words(events(parts(ask(upstream, "F31", stream=True)[0])[2])) == ""
    choice = json.loads(parts(ask(upstream, "F31-null")[0])[2])["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("", None)


def test_f32_codings(upstream: Upstream) -> None:
    plain = "parrots"
    for stream in (False, True):
        _, headers, body = parts(ask(upstream, "F32", stream=stream)[0])
        assert headers["content-encoding"] == "gzip"
        assert plain in gzip.decompress(body).decode()
    assert plain in zlib.decompress(parts(ask(upstream, "F32-deflate")[0])[2]).decode()
    assert plain in zlib.decompress(parts(ask(upstream, "F32-bare-deflate")[0])[2], -15).decode()
    with pytest.raises(EOFError):
        gzip.decompress(parts(ask(upstream, "F32-truncated")[0])[2])
    packed = parts(ask(upstream, "F32-bomb;size=20971520")[0])[2]
    assert len(gzip.decompress(packed)) > 900 * len(packed)


def test_f32_brotli_and_zstd_carry_the_bytes_in_stored_blocks() -> None:
    data = b"x" * 70_000
    # Window (1 bit), ISLAST 0, MNIBBLES 0, then MLEN-1 and ISUNCOMPRESSED, padded: RFC 7932.
    coded = stored_brotli(data)
    header = int.from_bytes(coded[:3], "little") >> 1
    assert (header & 7, (header >> 3) & 0xFFFF, (header >> 19) & 1) == (0, 65_535, 1)
    assert coded[-1:] == b"\x03"
    coded = stored_zstd(data)
    assert coded.startswith(b"\x28\xb5\x2f\xfd")
    assert int.from_bytes(coded[5:13], "little") == len(data)


def test_f33_ends_with_the_connection(upstream: Upstream) -> None:
    data, ended = ask(upstream, "F33", stream=True)
    assert ended == "fin"
    assert data.startswith(b"HTTP/1.0 200")
    assert data.endswith(b"data: [DONE]\n\n")
    assert b"Content-Length" not in data


@pytest.mark.parametrize(("variant", "ends"), [("close", "fin"), ("reset", "rst")])
def test_f34_second_request_meets_a_dead_connection(upstream: Upstream, variant: str, ends: str) -> None:
    with closing(opened(upstream)) as sock:
        sock.sendall(request(f"F34-{variant}", close=False))
        first, ended = read(sock, idle_s=0.2)
        assert (parts(first)[0], ended) == (200, "idle")
        sock.sendall(request(f"F34-{variant}", close=False))
        assert read(sock) == (b"", ends)


def test_f35_and_f43_stray_bytes(upstream: Upstream) -> None:
    with closing(opened(upstream)) as sock:
        sock.sendall(request("F35-answer", close=False))
        data, ended = read(sock, idle_s=0.3)
    assert ended == "idle"
    assert data.count(b"HTTP/1.1 200") == 2
    assert ask(upstream, "F35-extra")[0].endswith(b"extra bytes")
    assert ask(upstream, "F43")[0].count(b"HTTP/1.1 200") == 2


def test_f36_interim_answers(upstream: Upstream) -> None:
    assert ask(upstream, "F36")[0].count(b"HTTP/1.1 103") == 1_000
    data = ask(upstream, "F36-few;times=2")[0]
    assert data.count(b"HTTP/1.1 102") == 2
    assert b"HTTP/1.1 200" in data


def test_f38_to_f40_usage(upstream: Upstream) -> None:
    def usages(order: str) -> list:
        return [
            e["usage"] for e in events(parts(ask(upstream, order, stream=True)[0])[2]) if e != "[DONE]" and "usage" in e
        ]

    assert usages("F38") == []
    assert "usage" not in json.loads(parts(ask(upstream, "F38")[0])[2])
    assert usages("F39")[0]["prompt_tokens"] == -1_000_000
    assert json.loads(parts(ask(upstream, "F39-huge")[0])[2])["usage"]["completion_tokens"] == 10**30
    assert b"NaN" in ask(upstream, "F39-nan")[0]
    first, second = usages("F40")
    assert first == second
    counts = [usage["completion_tokens"] for usage in usages("F40-cumulative")]
    assert counts == sorted(counts)
    assert len(counts) > 5
    early, late = usages("K113")
    assert early["completion_tokens"] > late["completion_tokens"]
    found = events(parts(ask(upstream, "F40-done", stream=True)[0])[2])
    assert found[-2:] == ["[DONE]", "[DONE]"]


def test_f41_headers(upstream: Upstream) -> None:
    assert "set-cookie" in parts(ask(upstream, "F41")[0])[1]
    assert len(parts(ask(upstream, "F41-huge")[0])[1]["x-filler"]) == 100_000
    assert ask(upstream, "F41-many")[0].count(b"X-Filler") == 1_000
    assert b"one\rSet-Cookie" in ask(upstream, "F41-cr")[0]


def test_f42_misfits(upstream: Upstream) -> None:
    assert json.loads(parts(ask(upstream, "F42")[0])[2])["model"] == "another-model-1b"
    tool = {
        "type": "function",
        "function": {"name": "look", "parameters": {"properties": {"place": {"type": "string"}}}},
    }
    answer = json.loads(parts(ask(upstream, "F42-arguments", tools=[tool], tool_choice="required")[0])[2])
    with pytest.raises(ValueError):
        json.loads(answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"])


def test_f44_answers_although_nobody_waits(upstream: Upstream) -> None:
    upstream.reset()
    with closing(opened(upstream)) as sock:
        sock.sendall(request("F44;hold_s=200", stream=True))
        upstream.until(lambda u: bool(u.requests()))
    assert upstream.until(lambda u: u.requests()[-1]["outcome"] == "fault")
    line = next(line for line in upstream.connections() if line["number"] == upstream.requests()[-1]["connection"])
    assert line["bytes_after_close"] > 0


def test_hostile_bytes(upstream: Upstream) -> None:
    found = events(parts(ask(upstream, "K109", stream=True)[0])[2])
    assert "forged" in words(found)
    assert found.count("[DONE]") == 1
    leak = parts(ask(upstream, "K112")[0])[2]
    assert b"sk-secret-key-123456" in leak
    answer = json.loads(parts(ask(upstream, "K116")[0])[2])
    assert len(answer["choices"]) == 1_000
