"""Faults of connections and framing (F33–F37, F43): closes, stray bytes, interim answers, redirects. Refuses false content."""

import asyncio

from farebox.sims.answers.documents import Frame
from farebox.sims.exchange import EVENT_STREAM, JSON, Exchange
from farebox.sims.faults.types import Fault, Play, Variant
from farebox.sims.http1 import dump, head

STRAY_S = 0.03
LOCATION = "http://169.254.169.254/latest/meta-data/"
_EVIL = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"smuggled"},"finish_reason":"stop"}]}'


def _second() -> bytes:
    """An answer to a request that nobody sent."""
    return head(200, [("Content-Type", JSON), ("Content-Length", str(len(_EVIL)))]) + _EVIL


def _close_delimited(version: str, *, terminated: bool) -> Play:
    """No length, no chunks: the body ends with the connection."""

    async def play(exchange: Exchange) -> None:
        kind = EVENT_STREAM if exchange.stream else JSON
        lines = [*exchange.common(), ("Content-Type", kind), ("Connection", "close")]
        await exchange.raw(head(200, lines, version=version), status=200)
        if exchange.stream:
            frames: tuple[Frame, ...] = exchange.frames if terminated else exchange.split()[0]
            for frame in frames:
                await exchange.wire.pause(exchange.orders.seconds("pace_ms"))
                await exchange.raw(frame.data)
        else:
            body = exchange.body
            await exchange.raw(body if terminated else body[: len(body) // 2])
        await exchange.cut()

    return play


def _reused(*, reset: bool) -> Play:
    """A connection's first request is answered; a later one is met with the end of the connection and no byte."""

    async def play(exchange: Exchange) -> None:
        if exchange.wire.line.requests == 1:
            await exchange.answer()
        else:
            await exchange.cut(reset=reset)

    return play


async def _close_idle(exchange: Exchange) -> None:
    """Keep-alive is promised and the connection closed a moment later."""
    await exchange.answer()
    await asyncio.sleep(STRAY_S)
    await exchange.cut()


async def _close_always(exchange: Exchange) -> None:
    await exchange.cut()


async def _stray_bytes(exchange: Exchange) -> None:
    await exchange.answer()
    await asyncio.sleep(STRAY_S)
    await exchange.raw(b"\x00\x01stray")


async def _stray_answer(exchange: Exchange) -> None:
    await exchange.answer()
    await asyncio.sleep(STRAY_S)
    await exchange.raw(_second())


async def _extra_bytes(exchange: Exchange) -> None:
    body = b"".join(frame.data for frame in exchange.frames) if exchange.stream else exchange.body
    kind = EVENT_STREAM if exchange.stream else JSON
    lines = [*exchange.common(), ("Content-Type", kind), ("Content-Length", str(len(body)))]
    await exchange.raw(head(200, lines) + body + b"extra bytes", status=200)


async def _second_at_once(exchange: Exchange) -> None:
    body = b"".join(frame.data for frame in exchange.frames) if exchange.stream else exchange.body
    kind = EVENT_STREAM if exchange.stream else JSON
    lines = [*exchange.common(), ("Content-Type", kind), ("Content-Length", str(len(body)))]
    await exchange.raw(head(200, lines) + body + _second(), status=200)


def _interim(status: int, reason: str, times: int, *, lines: tuple[tuple[str, str], ...] = ()) -> Play:
    async def play(exchange: Exchange) -> None:
        interim = head(status, lines, reason=reason)
        for _ in range(exchange.orders.integer("times", times)):
            await exchange.raw(interim)
        await exchange.answer()

    return play


async def _switching(exchange: Exchange) -> None:
    lines = [("Connection", "Upgrade"), ("Upgrade", "websocket")]
    await exchange.raw(head(101, lines), status=101)
    await exchange.wire.hang()


def _redirect(status: int, location: str | None = None) -> Play:
    async def play(exchange: Exchange) -> None:
        target = location or exchange.orders.text("message") or exchange.request.target
        body = dump({"error": {"message": "moved", "type": "redirect", "code": None}})
        await exchange.reply(body, status=status, headers=[("Location", target)])

    return play


FAULTS = (
    Fault(
        "f33",
        "The body has no length and ends with the connection.",
        (
            Variant("http10", "An HTTP/1.0 answer.", _close_delimited("HTTP/1.0", terminated=True)),
            Variant(
                "close", "An HTTP/1.1 answer with Connection: close.", _close_delimited("HTTP/1.1", terminated=True)
            ),
            Variant("cut", "HTTP/1.0, and the end comes too early.", _close_delimited("HTTP/1.0", terminated=False)),
        ),
    ),
    Fault(
        "f34",
        "A kept connection is dead when it is used again; each connection answers its first request.",
        (
            Variant("close", "FIN and no byte, on every request but a connection's first.", _reused(reset=False)),
            Variant("reset", "RST and no byte, on every request but a connection's first.", _reused(reset=True)),
            Variant("idle", "Answers, promises keep-alive, and closes a moment later.", _close_idle),
            Variant("always", "FIN and no byte, on a fresh connection too.", _close_always),
        ),
    ),
    Fault(
        "f35",
        "Bytes that nobody asked for.",
        (
            Variant("idle", "Stray bytes on the idle connection, 30 ms after the answer.", _stray_bytes),
            Variant("answer", "An answer to a request never sent, 30 ms after the answer.", _stray_answer),
            Variant("extra", "Bytes behind Content-Length, in the same write.", _extra_bytes),
        ),
    ),
    Fault(
        "f36",
        "Interim answers before the real one (`times`).",
        (
            Variant(
                "hints", "1,000 times 103.", _interim(103, "Early Hints", 1_000, lines=(("Link", "</x>; rel=preload"),))
            ),
            Variant("continue", "One 100, as is legal.", _interim(100, "Continue", 1)),
            Variant("few", "Five times 102.", _interim(102, "Processing", 5)),
            Variant("switch", "101, then silence.", _switching),
        ),
    ),
    Fault(
        "f37",
        "A redirect.",
        (
            Variant("302", "302 to a metadata address.", _redirect(302, LOCATION)),
            Variant("301", "301 to a metadata address.", _redirect(301, LOCATION)),
            Variant("303", "303 to a metadata address.", _redirect(303, LOCATION)),
            Variant("307", "307 to a metadata address.", _redirect(307, LOCATION)),
            Variant("308", "308 to a metadata address.", _redirect(308, LOCATION)),
            Variant("loop", "307 to the same address.", _redirect(307)),
        ),
    ),
    Fault(
        "f43",
        "A second HTTP answer on the connection.",
        (
            Variant("same-write", "Right behind the first, in the same write.", _second_at_once),
            Variant("later", "30 ms after the first.", _stray_answer),
        ),
    ),
)
