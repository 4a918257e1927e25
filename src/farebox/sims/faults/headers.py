"""Faults of response headers (F41): cookies, control characters, floods. Refuses to touch the body."""

from farebox.sims.exchange import EVENT_STREAM, JSON, Exchange
from farebox.sims.faults.types import Fault, Play, Variant
from farebox.sims.http1 import Headers, head

NOSY: tuple[tuple[str, str], ...] = (
    ("Set-Cookie", "session=vendor; Path=/; HttpOnly"),
    ("Set-Cookie", "__cf_bm=abc; Path=/"),
    ("X-Internal-Host", "10.0.0.7"),
    ("X-Powered-By", "vendor/1.0"),
    ("Via", "1.1 vendor-edge"),
    ("Alt-Svc", 'h3=":443"'),
    ("Strict-Transport-Security", "max-age=1"),
)


def with_headers(lines: Headers, *, raw: bytes = b"") -> Play:
    """The honest answer under a head with more lines; `raw` is put in as it is."""
    added = tuple(lines)

    async def play(exchange: Exchange) -> None:
        body = b"".join(frame.data for frame in exchange.frames) if exchange.stream else exchange.body
        kind = EVENT_STREAM if exchange.stream else JSON
        ready = [("Content-Type", kind), *added, ("Content-Length", str(len(body)))]
        start = head(200, [*exchange.common(), *ready])[:-2]
        await exchange.raw(start + raw + b"\r\n" + body, status=200)

    return play


async def _huge(exchange: Exchange) -> None:
    size = exchange.orders.integer("size", 100_000)
    await with_headers([("X-Filler", "x" * size)])(exchange)


async def _many(exchange: Exchange) -> None:
    times = exchange.orders.integer("times", 1_000)
    await with_headers([(f"X-Filler-{number}", "word") for number in range(times)])(exchange)


FAULTS = (
    Fault(
        "f41",
        "Headers that must not reach the client.",
        (
            Variant("cookies", "Set-Cookie, X-…, Via, Alt-Svc.", with_headers(NOSY)),
            Variant("huge", "One header of 100 kB (`size`).", _huge),
            Variant("many", "1,000 header lines (`times`).", _many),
            Variant("cr", "A bare CR inside a value.", with_headers((), raw=b"X-Odd: one\rSet-Cookie: two=2\r\n")),
            Variant("lf", "A line that ends in a bare LF.", with_headers((), raw=b"X-Odd: one\nSet-Cookie: two=2\r\n")),
            Variant("nul", "A NUL inside a value.", with_headers((), raw=b"X-Odd: one\x00two\r\n")),
            Variant("folded", "A folded line.", with_headers((), raw=b"X-Odd: one\r\n two\r\n")),
            Variant("bytes", "Bytes above 127 in a value.", with_headers((), raw=b"X-Odd: \xff\xfe\r\n")),
            Variant("no-colon", "A line without a colon.", with_headers((), raw=b"not a header\r\n")),
        ),
    ),
)
