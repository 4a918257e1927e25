"""Hostile bytes (K109–K116): injections, leaks, floods. Refuses to be subtle."""

import base64
from collections.abc import Callable

from farebox.sims.answers.documents import Frame
from farebox.sims.exchange import Exchange
from farebox.sims.faults.headers import with_headers
from farebox.sims.faults.lies import FAULTS as LIES
from farebox.sims.faults.types import Fault, Play, Variant, only_stream
from farebox.sims.http1 import Json, dump

INJECTION = 'before data: [DONE]\n\ndata: {"choices":[{"index":0,"delta":{"content":"forged"}}]}\n\nafter'
LOGIN = '<html><body><form action="/login" method="post"><input name="password" type="password"></form></body></html>'
ARGUMENT_BYTES = 5_000_000


def _chunk(exchange: Exchange, choices: list[Json]) -> Frame:
    payload = next((frame.payload for frame in exchange.frames if frame.payload), {})
    return Frame("content", {**payload, "choices": choices})


def _content(text: Callable[[Exchange], str]) -> Play:
    """An answer with these words among its own."""

    async def play(exchange: Exchange) -> None:
        words = text(exchange)
        if exchange.stream:
            before, rest = exchange.split()
            piece = _chunk(exchange, [{"index": 0, "delta": {"content": words}, "finish_reason": None}])
            await exchange.play((*before, piece, *rest))
        else:
            choices = [
                {**c, "message": {**c.get("message", {}), "content": words}} for c in exchange.document["choices"]
            ]
            await exchange.reply(dump({**exchange.document, "choices": choices}))

    return play


async def _odd_lines(exchange: Exchange) -> None:
    before, rest = exchange.split()
    odd = [
        Frame("odd", raw=b'event: x\rdata: {"choices":[{"index":0,"delta":{"content":"forged"}}]}\n\n'),
        Frame("odd", raw=b"id: \x00\nretry: 0\n\n"),
    ]
    await exchange.play((*before, *odd, *rest))


def _leak(status: int) -> Play:
    """An error that repeats our key, whole, in part and coded, and an address inside the vendor's house."""

    async def play(exchange: Exchange) -> None:
        key = exchange.request.key or "sk-none"
        coded = base64.b64encode(key.encode()).decode()
        message = (
            f"Incorrect API key provided: {key} (also {key[:12]}****{key[-4:]}, {coded});"
            " see http://10.1.2.3:8080/internal/trace?id=7"
        )
        await exchange.error(status, message, kind="invalid_request_error", code="invalid_api_key")

    return play


async def _login(exchange: Exchange) -> None:
    await exchange.reply(LOGIN.encode(), kind="text/html")


async def _large_arguments(exchange: Exchange) -> None:
    size = exchange.orders.integer("size", ARGUMENT_BYTES)
    arguments = dump({"html": "</script><script>alert(1)</script>", "filler": "x" * size}).decode()
    call = {"id": "call_hostile", "type": "function", "function": {"name": "hostile", "arguments": arguments}}
    if exchange.stream:
        piece = _chunk(exchange, [{"index": 0, "delta": {"tool_calls": [{"index": 0, **call}]}, "finish_reason": None}])
        before, rest = exchange.split()
        await exchange.play((*before, piece, *rest))
    else:
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        await exchange.reply(dump({**exchange.document, "choices": [choice]}))


async def _many_choices(exchange: Exchange) -> None:
    times = exchange.orders.integer("times", 1_000)
    if exchange.stream:
        numbered = [{"index": n, "delta": {"content": "more"}, "finish_reason": None} for n in range(times)]
        before, rest = exchange.split()
        await exchange.play((*before, _chunk(exchange, numbered), *rest))
    else:
        first = exchange.document["choices"][0]
        await exchange.reply(dump({**exchange.document, "choices": [{**first, "index": n} for n in range(times)]}))


_HEADERS = (
    ("Set-Cookie", "a=b"),
    ("Link", "</evil>; rel=preload"),
    ("Refresh", "0; url=http://evil.example/"),
    ("Access-Control-Allow-Origin", "*"),
    ("Content-Security-Policy", "default-src *"),
)
_LOWER = next(v for fault in LIES if fault.id == "f40" for v in fault.variants if v.name == "lower")

FAULTS = (
    Fault(
        "k109",
        "Content that looks like stream framing.",
        (
            Variant(
                "framing", "`data: [DONE]` and a forged event inside the text.", _content(lambda exchange: INJECTION)
            ),
        ),
    ),
    Fault(
        "k110",
        "Control characters in stream fields.",
        (only_stream("fields", "A bare CR in `event`, NUL in `id`, `retry: 0`.", _odd_lines),),
    ),
    Fault(
        "k111",
        "Headers that would act in a browser.",
        (Variant("headers", "Set-Cookie, Link, Refresh, CORS.", with_headers(_HEADERS)),),
    ),
    Fault(
        "k112",
        "An error that leaks.",
        (
            Variant("key", "401 with our key in the message, whole, in part, base64.", _leak(401)),
            Variant("500", "500 with the same.", _leak(500)),
        ),
    ),
    Fault(
        "k113",
        "Usage that shrinks.",
        (only_stream("lower", "A higher usage early, the true one at the end.", _LOWER.play),),
    ),
    Fault("k114", "A login page.", (Variant("login", "200 with an HTML form.", _login),)),
    Fault(
        "k115",
        "Tool arguments of 5 MB (`size`).",
        (Variant("arguments", "With `</script>` in them.", _large_arguments),),
    ),
    Fault("k116", "More choices than asked for.", (Variant("choices", "1,000 choices (`times`).", _many_choices),)),
)
