"""What the edge refuses: each row of the framing list, by exact bytes, and that the handler never saw it."""

import asyncio

import pytest

from farebox.http.limits import Limits
from unit.http.wires import Talk, settle, status

HOST = b"Host: house\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def get(target: bytes, extra: bytes = b"") -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + extra + b"\r\n"


def refused_with(data: bytes, *, hosts: frozenset[str] | None = None, split: int = 0) -> int:
    async def run() -> int:
        talk = Talk(hosts=hosts)
        pieces = [data[i : i + split] for i in range(0, len(data), split)] if split else [data]
        answer = await talk.say(*pieces)
        assert talk.requests == []
        assert b"Connection: close\r\n" in answer
        assert talk.transport.eof
        assert answer.count(b"HTTP/1.1 ") == 1
        assert await talk.say(get(b"/after")) == b""
        return status(answer)

    return asyncio.run(run())


FRAMING = {
    "length and chunked": POST + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nG",
    "gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked, identity": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "vertical tab chunked": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "chunked in 1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length list": POST + b"Content-Length: 5, 5\r\n\r\nabcde",
    "length twice the same": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "length twice": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "length +5": POST + b"Content-Length: +5\r\n\r\nabcde",
    "length -1": POST + b"Content-Length: -1\r\n\r\n",
    "length 0x5": POST + b"Content-Length: 0x5\r\n\r\nabcde",
    "length 5 5": POST + b"Content-Length: 5 5\r\n\r\nabcde",
    "length empty": POST + b"Content-Length: \r\n\r\n",
    "length of 20 nines": POST + b"Content-Length: " + b"9" * 20 + b"\r\n\r\n",
    "chunk terminator": CHUNKED + b"3\r\nabcXX",
    "chunk extension with LF": CHUNKED + b"3;a\nxx\r\nabc\r\n0\r\n\r\n",
    "chunk 0x3": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk -1": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "chunk 17 F": CHUNKED + b"F" * 17 + b"\r\nabc",
    "chunk LF": CHUNKED + b"3\nabc\n0\n\n",
    "chunk data LF": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "last LF": CHUNKED + b"3\r\nabc\r\n0\r\n\n",
    "bare LF everywhere": b"GET /api/v1/models HTTP/1.1\nHost: house\n\n",
    "bare LF in headers": b"GET / HTTP/1.1\r\nHost: house\nA: b\r\n\r\n",
    "folded header": get(b"/", b"A: b\r\n c\r\n"),
    "space before colon": get(b"/", b"X : 1\r\n"),
    "empty header name": get(b"/", b": 1\r\n"),
    "NUL": get(b"/", b"X: a\x00b\r\n"),
    "control": get(b"/", b"X: a\x01b\r\n"),
    "DEL": get(b"/", b"X: a\x7fb\r\n"),
    "bare CR": get(b"/", b"X: a\rb\r\n"),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "empty host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "two hosts": get(b"/", b"Host: other\r\n"),
    "two equal hosts": get(b"/", b"host: house\r\n"),
    "host with path": b"GET / HTTP/1.1\r\nHost: x/?\r\n\r\n",
    "host with fragment": b"GET / HTTP/1.1\r\nHost: x/#\r\n\r\n",
    "host with user": b"GET / HTTP/1.1\r\nHost: admin@x\r\n\r\n",
    "host with port 99999": b"GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n",
    "host with two values": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "two authorizations": get(b"/", b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
    "two equal authorizations": get(b"/", b"Authorization: Bearer a\r\nauthorization: Bearer a\r\n"),
    "two x-api-keys": get(b"/", b"X-Api-Key: a\r\nX-Api-Key: b\r\n"),
    "unknown method": b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    "lower-case method": b"get / HTTP/1.1\r\n" + HOST + b"\r\n",
    "8 KB method": b"A" * 8192 + b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "PRI": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "version 1.2": b"GET / HTTP/1.2\r\n" + HOST + b"\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", FRAMING)
@pytest.mark.parametrize("split", [0, 1])
def test_doubtful_framing_is_refused_and_closes(name: str, split: int) -> None:
    assert refused_with(FRAMING[name], split=split) == 400


PATHS = [
    b"/api/v1/../../admin/keys",
    b"/api/v1/..",
    b"/./v1",
    b"/api/v1/%2e%2e/admin",
    b"/api/v1/%2E./admin",
    b"//admin",
    b"/v1//models",
    b"/%2fadmin",
    b"/%5cadmin",
    b"/v1/keys%2fx",
    b"/v1/models%2fx",
    b"/v1/models/%2fx",
    b"/v1/models/a%2f%2fb",
    b"/v1/models/a%2f..",
    b"/v1/models/..%2fkeys",
    b"/v1/models/a%2fb%2f..%2fkeys",
    b"/v1/models/a%2fb/../keys",
    b"/bedrock/model/a%2fb/other",
    b"/bedrock/model/a%2f../converse",
    b"/bedrock/model/a%2fb%2fc/converse",
    b"/a\\b",
    b"/api/v1/models%00",
    b"/api/v1/models%0d%0a",
    b"/api/v1/models;x",
    b"/api/v1/models%3bx",
    b"/%41dmin",
    b"/%252e",
    b"/bad%zz",
    b"/bad%f",
    b"/%ff",
    b"/a#b",
    b"/\xc3\xa4",
    b'/a"b',
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_not_canonical_is_refused(path: bytes) -> None:
    assert refused_with(get(path)) == 400


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET /\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (b"PROPFIND / HTTP/1.1\r\n" + HOST + b"\r\n", 405),
        (POST + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 415),
        (POST + b"Expect: magic\r\nContent-Length: 3\r\n\r\nabc", 417),
        (POST + b"Content-Length: 34603008\r\n\r\n", 413),
        (get(b"/" + b"a" * 65_536), 414),
        (get(b"/", b"X: " + b"a" * 1_000_000 + b"\r\n"), 431),
        (get(b"/", b"".join(b"X-%d: 1\r\n" % i for i in range(300))), 431),
        (get(b"/", b"X: 1\r\n" * 300), 431),
        (get(b"/", b"X: " + b"a" * 33_000 + b"\r\n"), 431),
        (CHUNKED + b"1\r\na\r\n0\r\nX: " + b"t" * 200_000, 431),
        (CHUNKED + b"1;" + b"e" * 200_000, 431),
        (b"\r\n" * 100_000, 431),
    ],
)
def test_each_refusal_has_its_status(data: bytes, expected: int) -> None:
    assert refused_with(data) == expected


def test_only_a_listed_host_is_served() -> None:
    assert refused_with(b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n", hosts=frozenset({"house"})) == 421

    async def run() -> None:
        talk = Talk(hosts=frozenset({"house"}))
        assert status(await talk.say(b"GET / HTTP/1.1\r\nHost: HOUSE:8080\r\n\r\n")) == 200

    asyncio.run(run())


def test_a_head_is_refused_before_more_than_a_limit_and_a_slice_is_taken() -> None:
    async def run() -> None:
        talk = Talk()
        taken = 0
        talk.connection.data_received(b"GET / HTTP/1.1\r\n" + HOST + b"X: ")
        while not talk.transport.eof:
            talk.connection.data_received(b"a" * 4096)
            taken += 4096
        assert taken <= 65_536
        assert status(talk.transport.out) == 431

    asyncio.run(run())


def test_a_chunked_body_is_refused_at_its_limit() -> None:
    async def run() -> None:
        talk = Talk(limits=Limits(body_bytes=1_000_000))
        talk.connection.data_received(CHUNKED)
        piece = b"2000\r\n" + b"a" * 0x2000 + b"\r\n"
        taken = 0
        while not talk.transport.eof:
            talk.connection.data_received(piece)
            taken += len(piece)
        assert status(talk.transport.out) == 413
        assert taken <= 1_000_000 + 65_536
        assert talk.requests == []

    asyncio.run(run())


def test_trailers_are_ignored() -> None:
    async def run() -> None:
        talk = Talk()
        head = POST + b"Authorization: Bearer mine\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await talk.say(head + b"3;x=y\r\nabc\r\n0\r\nAuthorization: Bearer other\r\nX-New: 1\r\n\r\n")
        assert answer.endswith(b"POST /v1/chat/completions abc")
        assert talk.requests[0].headers[b"authorization"] == b"Bearer mine"
        assert b"x-new" not in talk.requests[0].headers

    asyncio.run(run())


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/v1/models", "/v1/models", b""),
        (b"/v1/models/", "/v1/models/", b""),
        (b"/v1/models?q=a%20b&c=/../x", "/v1/models", b"q=a%20b&c=/../x"),
        (b"/models/author/slug:free", "/models/author/slug:free", b""),
        (b"/models/author/slug%3Afree", "/models/author/slug:free", b""),
        (b"/models/a%C3%A4", "/models/aä", b""),
        (b"/v1/models/author%2Fslug", "/v1/models/author/slug", b""),
        (b"/api/v1/models/author%2fslug%3Afree?x=%2F", "/api/v1/models/author/slug:free", b"x=%2F"),
        (b"/bedrock/model/author%2Fslug%3Afree/converse", "/bedrock/model/author/slug:free/converse", b""),
        (b"/model/author%2Fslug/converse-stream", "/model/author/slug/converse-stream", b""),
        (b"/v1beta/models/author%2Fslug:generateContent", "/v1beta/models/author/slug:generateContent", b""),
        (b"/.well-known/farebox.txt", "/.well-known/farebox.txt", b""),
        (b"/a..b/...", "/a..b/...", b""),
        (b"http://evil/admin?x=1", "/admin", b"x=1"),
        (b"http://evil", "/", b""),
        (b"HTTPS://evil:1?x", "/", b"x"),
    ],
)
def test_the_path_is_canonical_and_an_absolute_target_is_ours(target: bytes, path: str, query: bytes) -> None:
    async def run() -> None:
        talk = Talk()
        for _ in range(2):  # the second time it is remembered
            assert status(await talk.say(get(target))) == 200
        for request in talk.requests:
            assert (request.path, request.query) == (path, query)
            assert request.target.startswith(b"/")
            # Whoever reads the target itself must not find another path in it.
            assert b"%2f" not in request.target.partition(b"?")[0].lower()

    asyncio.run(run())


def test_override_and_forwarding_headers_change_nothing() -> None:
    async def run() -> None:
        talk = Talk()
        extra = b"X-HTTP-Method-Override: DELETE\r\nX-Original-URL: /admin\r\nX-Forwarded-For: 127.0.0.1\r\n"
        assert (await talk.say(get(b"/open", extra))).endswith(b"GET /open ")
        assert talk.requests[0].peer == "192.0.2.7"

    asyncio.run(run())


def test_an_upgrade_is_ignored_and_what_follows_is_not_a_request() -> None:
    async def run() -> None:
        talk = Talk()
        extra = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
        answer = await talk.say(get(b"/one", extra) + get(b"/two"))
        await settle()
        assert status(answer) == 200
        assert [request.path for request in talk.requests] == ["/one"]
        assert talk.transport.eof

    asyncio.run(run())


def test_a_body_that_looks_like_a_request_is_a_body() -> None:
    async def run() -> None:
        talk = Talk()
        inner = get(b"/inner")
        answer = await talk.say(get(b"/outer", b"Content-Length: %d\r\n" % len(inner)) + inner)
        assert answer.count(b"HTTP/1.1 200") == 1
        assert [request.path for request in talk.requests] == ["/outer"]

    asyncio.run(run())
