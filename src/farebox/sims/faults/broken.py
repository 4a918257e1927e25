"""Faults of content (F26, F27, F29–F31, F42): bytes that are not what they should be. Refuses faults of framing."""

from collections.abc import Callable
from dataclasses import replace

from farebox.sims.answers.documents import CONTENT_KINDS, Frame
from farebox.sims.exchange import JSON, Exchange
from farebox.sims.faults.types import Fault, Play, Variant, only_stream
from farebox.sims.http1 import Json, chunk, dump, head

MEBIBYTE = 1024 * 1024
_WALL = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><h1>Checking your browser</h1>"
    "<script>window.location.reload()</script></body></html>"
)


def _body(spoil: Callable[[bytes], bytes], *, kind: str = JSON) -> Play:
    """A spoilt body with a true length; to a stream request a spoilt event."""

    async def play(exchange: Exchange) -> None:
        await exchange.reply(spoil(exchange.body), kind=kind)

    return play


def _event(raw: bytes) -> Play:
    """After `after` content events a broken one, then the rest."""

    async def play(exchange: Exchange) -> None:
        before, rest = exchange.split()
        await exchange.play((*before, Frame("broken", raw=raw), *rest))

    return play


def _bytes(data: bytes) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.raw(data, status=0)
        await exchange.cut()

    return play


def _framed(*lines: tuple[str, str], bad_chunk: bool = False) -> Play:
    """A good body in contradictory framing."""

    async def play(exchange: Exchange) -> None:
        body = exchange.body
        ready = [(name, value.format(length=len(body), more=len(body) + 7)) for name, value in lines]
        data = b"zz\r\n" + body + b"\r\n0\r\n\r\n" if bad_chunk else body
        if any("chunked" in value for _, value in lines) and not bad_chunk:
            data = chunk(body) + b"0\r\n\r\n"
        await exchange.raw(head(200, [("Content-Type", JSON), *ready]) + data, status=200)
        await exchange.cut()

    return play


def _whole_document(document: Json | None, *, kind: str = JSON) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.reply(exchange.body if document is None else dump(document), kind=kind)

    return play


def _page(kind: str) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.reply(_WALL.encode(), kind=kind)

    return play


async def _huge_event(exchange: Exchange) -> None:
    size = exchange.orders.integer("size", 2 * MEBIBYTE)
    before, rest = exchange.split()
    payload = {
        **(rest[0].payload or {}),
        "choices": [{"index": 0, "delta": {"content": "x" * size}, "finish_reason": None}],
    }
    await exchange.play((*before, Frame("content", payload), *rest))


async def _huge_line(exchange: Exchange) -> None:
    size = exchange.orders.integer("size", 8 * MEBIBYTE)
    await exchange.open()
    await exchange.events(exchange.split()[0])
    await exchange.raw(chunk(b"data: "))
    await _fill(exchange, size, chunked=True)
    await exchange.cut()


async def _huge_body(exchange: Exchange) -> None:
    size = exchange.orders.integer("size", 65 * MEBIBYTE)
    start = b'{"filler":"'
    lines = [*exchange.common(), ("Content-Type", JSON), ("Content-Length", str(size))]
    await exchange.raw(head(200, lines) + start, status=200)
    await _fill(exchange, size - len(start) - 2, chunked=False)
    await exchange.raw(b'"}')


async def _fill(exchange: Exchange, size: int, *, chunked: bool) -> None:
    block = b"x" * (256 * 1024)
    while size > 0:
        data = block[: min(size, len(block))]
        await exchange.raw(chunk(data) if chunked else data)
        size -= len(data)


def _zero(document: Json, finish: str | None) -> Json:
    choices = []
    for choice in document.get("choices", ()):
        message = {**choice.get("message", {}), "content": ""}
        message.pop("tool_calls", None)
        choices.append({**choice, "message": message, "finish_reason": finish})
    usage = {**document.get("usage", {}), "completion_tokens": 0}
    return {**document, "choices": choices, "usage": usage}


def _nothing(finish: str | None) -> Play:
    """200 with no token."""

    async def play(exchange: Exchange) -> None:
        if not exchange.stream:
            await exchange.reply(dump(_zero(exchange.document, finish)))
            return
        frames = [frame for frame in exchange.frames if frame.kind not in CONTENT_KINDS]
        if finish is None:
            frames = [frame for frame in frames if frame.kind != "finish"]
        await exchange.play(_uncounted(frame) for frame in frames)

    return play


def _uncounted(frame: Frame) -> Frame:
    """The same frame, its usage without an output token."""
    payload = frame.payload
    usage = payload.get("usage") if payload is not None else None
    if payload is None or not isinstance(usage, dict):
        return frame
    return replace(frame, payload={**payload, "usage": {**usage, "completion_tokens": 0}})


async def _no_choices(exchange: Exchange) -> None:
    if not exchange.stream:
        await exchange.reply(dump({**_zero(exchange.document, None), "choices": []}))
        return
    await exchange.play(_uncounted(frame) for frame in exchange.frames if frame.kind in ("usage", "done"))


async def _other_model(exchange: Exchange) -> None:
    name = exchange.orders.text("model", "another-model-1b")
    if not exchange.stream:
        await exchange.reply(dump({**exchange.document, "model": name}))
        return
    await exchange.play(
        frame if frame.payload is None else replace(frame, payload={**frame.payload, "model": name})
        for frame in exchange.frames
    )


async def _twin_choices(exchange: Exchange) -> None:
    if not exchange.stream:
        choices = exchange.document.get("choices", [])
        await exchange.reply(dump({**exchange.document, "choices": [*choices, *choices]}))
        return
    frames = []
    for frame in exchange.frames:
        if frame.kind == "content" and frame.payload:
            frame = replace(frame, payload={**frame.payload, "choices": frame.payload["choices"] * 2})  # noqa: PLW2901
        frames.append(frame)
    await exchange.play(frames)


async def _cut_arguments(exchange: Exchange) -> None:
    """The arguments of a tool call end in their middle, the answer does not. Offer a tool to see it."""
    if not exchange.stream:
        document = {**exchange.document}
        for choice in document.get("choices", ()):
            for call in choice.get("message", {}).get("tool_calls", ()):
                arguments = call["function"]["arguments"]
                call["function"]["arguments"] = arguments[: len(arguments) // 2]
        await exchange.reply(dump(document))
        return
    calls = [at for at, frame in enumerate(exchange.frames) if frame.kind == "call"]
    lost = set(calls[max(1, len(calls) // 2) :])
    await exchange.play(frame for at, frame in enumerate(exchange.frames) if at not in lost)


_SERVER = {"message": "The server had an error.", "type": "server_error", "param": None, "code": 500}
_LIMIT = {"message": "Rate limit reached.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
_SURROGATE = (
    b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}\n\n'
)
_BAD_UTF8 = (
    b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"\xc3\x28\xff"}}]}\n\n'
)

FAULTS = (
    Fault(
        "f26",
        "A body that cannot be read (status 200).",
        (
            Variant("cut", "JSON that ends in its middle.", _body(lambda body: body[: len(body) // 2])),
            Variant("before", "Garbage before the JSON.", _body(lambda body: b")]}',\n" + body)),
            Variant(
                "after", "Garbage after the JSON.", _body(lambda body: body + b"\nTraceback (most recent call last):")
            ),
            Variant("twice", "Two JSON documents.", _body(lambda body: body + body)),
            Variant("empty", "An empty body.", _body(lambda body: b"")),
            Variant("array", "A JSON array.", _body(lambda body: b"[" + body + b"]")),
            Variant("null", "`null`.", _body(lambda body: b"null")),
            Variant(
                "utf8", "Bytes that are not UTF-8.", _body(lambda body: body.replace(b'"model"', b'"mod\xff\xfeel"', 1))
            ),
            Variant("deep", "100,000 nested arrays.", _body(lambda body: b"[" * 100_000)),
            Variant("noise", "Bytes that are not HTTP at all.", _bytes(b"\x00\x01\x02 220 mail.example ESMTP\r\n\r\n")),
            Variant("status-line", "A status line with a word for a number.", _bytes(b"HTTP/1.1 OK fine\r\n\r\n")),
            Variant(
                "bad-chunk",
                "A chunk size that is no number.",
                _framed(("Transfer-Encoding", "chunked"), bad_chunk=True),
            ),
            Variant(
                "two-lengths",
                "Two different Content-Length lines.",
                _framed(("Content-Length", "{length}"), ("Content-Length", "{more}")),
            ),
            Variant(
                "length-and-chunked",
                "Content-Length and Transfer-Encoding together.",
                _framed(("Content-Length", "{length}"), ("Transfer-Encoding", "chunked")),
            ),
        ),
    ),
    Fault(
        "f27",
        "A stream event that cannot be read, after `after` content events.",
        (
            only_stream(
                "json", "JSON that ends in its middle.", _event(b'data: {"id":"x","choices":[{"index":0,"del\n\n')
            ),
            only_stream("utf8", "Bytes that are not UTF-8.", _event(_BAD_UTF8)),
            only_stream("surrogate", "Half a surrogate pair, escaped.", _event(_SURROGATE)),
            only_stream("text", "Plain words as data.", _event(b"data: upstream connect error\n\n")),
            only_stream("array", "A JSON array.", _event(b"data: [1, 2]\n\n")),
            only_stream("null", "`null`.", _event(b"data: null\n\n")),
            only_stream("nan", "A bare NaN where a number belongs.", _event(b'data: {"created":NaN,"choices":[]}\n\n')),
        ),
    ),
    Fault(
        "f29",
        "The wrong kind of answer (status 200).",
        (
            Variant("html", "A web page.", _page("text/html; charset=utf-8")),
            Variant("html-as-json", "A web page that says it is JSON.", _page(JSON)),
            Variant("html-as-stream", "A web page that says it is a stream.", _page("text/event-stream")),
            Variant("error", "A JSON error document: server_error.", _whole_document({"error": _SERVER})),
            Variant("limited", "A JSON error document: rate limit.", _whole_document({"error": _LIMIT})),
            Variant("whole", "The whole JSON answer, although a stream was asked for.", _whole_document(None)),
            Variant("text", "The JSON answer as text/plain.", _whole_document(None, kind="text/plain")),
        ),
    ),
    Fault(
        "f30",
        "Too much (`size` in bytes).",
        (
            Variant("body", "A body of 65 MiB.", _huge_body),
            only_stream("event", "One event of 2 MiB.", _huge_event),
            only_stream("line", "One line of 8 MiB that does not end.", _huge_line),
        ),
    ),
    Fault(
        "f31",
        "200 with nothing in it.",
        (
            Variant("zero", "No token, finish_reason `stop`.", _nothing("stop")),
            Variant("null", "No token, no finish_reason.", _nothing(None)),
            Variant("no-choices", "No choice.", _no_choices),
        ),
    ),
    Fault(
        "f42",
        "An answer that does not fit the request.",
        (
            Variant("model", "Another model's name (`model`).", _other_model),
            Variant("twins", "Every choice twice, with the same index.", _twin_choices),
            Variant("arguments", "A tool call's arguments end in their middle.", _cut_arguments),
        ),
    ),
)
