"""The vendor client against scripted raw vendors: reuse, faults, limits, deadlines, cancellation."""

import asyncio
import gzip
import socket
import zlib

import pytest

from farebox.http.client import ClientLimits, Origin, Pool, Response, Timeouts
from farebox.ir.errors import (
    AnswerTooLarge,
    AttemptError,
    ConnectTimeout,
    Cut,
    FirstByteTimeout,
    Garbled,
    IdleTimeout,
    TlsFailed,
    Unreachable,
)
from unit.http.wires import read_request, settle, until, vendor

HEAD = b"POST /v1 HTTP/1.1\r\nHost: vendor\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def once(*pieces: bytes, close: bool = False, reset: bool = False):
    """A vendor that answers every request with the same pieces, one write each."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if reset:
                writer.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
                )
                writer.transport.abort()
                return
            if close:
                writer.close()
                return

    return script


async def ask(pool: Pool, port: int, body: bytes = b"{}", timeouts: Timeouts | None = None) -> Response:
    return await pool.send(Origin("http", "127.0.0.1", port), HEAD, body, timeouts or Timeouts())


def fetch(script, *, limit: int = 1 << 20, limits: ClientLimits | None = None, timeouts: Timeouts | None = None):
    """One exchange: (status, headers, body, pool after it)."""

    async def run():
        async with vendor(script) as port:
            pool = Pool(limits=limits or ClientLimits(), tick_s=0.005)
            try:
                response = await ask(pool, port, timeouts=timeouts)
                body = await response.read(limit)
                assert pool.busy == 0
                return response, body, pool.kept
            finally:
                assert pool.busy == 0
                await pool.close()

    return asyncio.run(run())


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        + end
    )


def test_the_request_is_sent_as_given_with_its_length() -> None:
    async def run() -> None:
        seen = []

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                seen.append(await read_request(reader))
                writer.write(OK)

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits())
            big = b"x" * 3_000_000
            for body in (b"{}", big, b""):
                response = await ask(pool, port, body)
                assert (response.status, await response.read(10)) == (200, b"ok")
            assert seen == [(HEAD + b"Content-Length: %d\r\n\r\n" % len(body), body) for body in (b"{}", big, b"")]
            await pool.close()

    asyncio.run(run())


def test_connections_are_kept_and_the_newest_is_used_first() -> None:
    async def run() -> None:
        opened = []

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            opened.append(number := len(opened))
            while True:
                await read_request(reader)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits())
            pair = await asyncio.gather(ask(pool, port), ask(pool, port))
            assert sorted([await response.read(9) for response in pair]) == [b"0", b"1"]
            assert pool.kept == 2
            last = [await (await ask(pool, port)).read(9) for _ in range(5)]
            assert len(set(last)) == 1 and len(opened) == 2
            await pool.close()

    asyncio.run(run())


def test_kept_connections_expire() -> None:
    async def run() -> None:
        async with vendor(once(OK)) as port:
            pool = Pool(limits=ClientLimits(idle_s=0.0), tick_s=0.001)
            await (await ask(pool, port)).read(9)
            await until(lambda: not pool.kept)
            await pool.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (chunked(b"ab", b"c"), b"abc"),
        (chunked(b"ab", end=b"0\r\nX-Trailer: 1\r\n\r\n"), b"ab"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 1\r\n\r\nr", b"r"),
        (b"HTTP/1.1 500 \r\nContent-Length: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\ne", b"e"),
    ],
)
@pytest.mark.parametrize("cut", [1, 10_000])
def test_whole_bodies_however_cut(answer: bytes, body: bytes, cut: int) -> None:
    pieces = [answer[i : i + cut] for i in range(0, len(answer), cut)]
    response, got, kept = fetch(once(*pieces))
    assert got == body and kept == 1 and not response.close_delimited
    assert b"x-trailer" not in response.headers


def test_close_delimited_bodies_are_taken_and_flagged() -> None:
    for head in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
        response, body, kept = fetch(once(head, b"abc", b"def", close=True))
        assert (body, response.close_delimited, kept) == (b"abcdef", True, 0)


def test_connection_close_is_honoured() -> None:
    _, body, kept = fetch(once(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"))
    assert (body, kept) == (b"ok", 0)


@pytest.mark.parametrize(
    ("pieces", "options", "error"),
    [
        ([], {"close": True}, Cut),
        ([], {"reset": True}, Cut),
        ([b"HTTP/1.1 200 OK\r\nContent-Le"], {"close": True}, Cut),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"], {"close": True}, Cut),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"], {"reset": True}, Cut),
        ([chunked(b"abc", end=b"")], {"close": True}, Cut),
        ([chunked(b"abc", end=b"5\r\nab")], {"close": True}, Cut),
        ([b"HTTP/1.1 200 OK\r\n\r\nabc"], {"reset": True}, Cut),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n"], {}, Garbled),
        ([b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok"], {}, Garbled),
        ([b"HTTP/1.1 700 Odd\r\nContent-Length: 2\r\n\r\nok"], {}, Garbled),
        ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"], {}, Garbled),
        ([b"HTTP/1.1 103 Hints\r\n\r\n" * 1000 + OK], {}, Garbled),
        ([b"<html>blocked</html>"], {}, Garbled),
        ([b"\x16\x03\x01\x00\x05"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 300 + b"\r\n"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok"], {}, Garbled),
        ([chunked(b"a", end=b"0\r\nX: " + b"t" * 400_000)], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: br\r\n\r\nok"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: zstd\r\n\r\nok"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip, gzip\r\n\r\nok"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\nok"], {}, Garbled),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"a" * 2_000_000], {}, AnswerTooLarge),
    ],
)
def test_faults_of_the_answer(pieces: list[bytes], options: dict[str, bool], error: type[AttemptError]) -> None:
    with pytest.raises(error):
        fetch(once(*pieces, **options))


def coded(coding: bytes, data: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s" % (coding, len(data), data)


def test_codings_nobody_asked_for_are_undone_within_bounds() -> None:
    text = b"hello " * 1000
    raw = zlib.compressobj(wbits=-15)
    for answer in (
        coded(b"gzip", gzip.compress(text)),
        coded(b"deflate", zlib.compress(text)),
        coded(b"deflate", raw.compress(text) + raw.flush()),
        coded(b"identity", text),
    ):
        response, body, _ = fetch(once(*[answer[i : i + 50] for i in range(0, len(answer), 50)]))
        assert body == text
    assert b"content-encoding" in response.headers
    with pytest.raises(AnswerTooLarge):
        fetch(once(coded(b"gzip", gzip.compress(bytes(30_000_000)))), limit=1 << 30)
    with pytest.raises(AnswerTooLarge):
        fetch(once(coded(b"gzip", gzip.compress(text))), limit=100)
    with pytest.raises(Cut):
        fetch(once(coded(b"gzip", gzip.compress(text)[:-4])))
    with pytest.raises(Garbled):
        fetch(once(coded(b"gzip", gzip.compress(text) + b"more")))


def test_a_second_answer_is_thrown_away_and_the_connection_closed() -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    for answer in (OK + evil, OK + b"x", OK + b"HTTP/1.1 2"):
        _, body, kept = fetch(once(answer))
        assert (body, kept) == (b"ok", 0)


def test_unasked_bytes_on_a_kept_connection_retire_it() -> None:
    async def run() -> None:
        opened = 0

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal opened
            opened += 1
            await read_request(reader)
            writer.write(OK)
            if opened == 1:
                await settle()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await reader.read()

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits())
            assert await (await ask(pool, port)).read(9) == b"ok"
            await until(lambda: not pool.kept)
            assert await (await ask(pool, port)).read(9) == b"ok"
            assert (opened, pool.alarms) == (2, 1)
            await pool.close()

    asyncio.run(run())


def test_bytes_the_loop_has_not_seen_yet_also_retire_it() -> None:
    async def run() -> None:
        async with vendor(once(OK)) as port:
            pool = Pool(limits=ClientLimits())
            await (await ask(pool, port)).read(9)
            (kept,) = pool._idle[Origin("http", "127.0.0.1", port)]
            assert kept.quiet(idle_s=1.0)
            kept._poll = lambda _: [(1, 1)]
            assert not kept.quiet(idle_s=1.0)
            kept.idle_since -= 1.0
            assert await (await ask(pool, port)).read(9) == b"ok"
            assert kept.lost
            await pool.close()

    asyncio.run(run())


@pytest.mark.parametrize("reset", [False, True])
def test_a_stale_kept_connection_is_replaced_once(reset: bool) -> None:
    async def run() -> None:
        requests = []

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            requests.append(await read_request(reader))
            writer.write(OK)
            if len(requests) == 1:
                await read_request(reader)  # takes the second request and closes without a byte
                if reset:
                    writer.transport.get_extra_info("socket").setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00"
                    )
                writer.transport.abort()

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits())
            for _ in range(2):
                assert await (await ask(pool, port)).read(9) == b"ok"
            assert len(requests) == 2
            await pool.close()

    asyncio.run(run())


def test_a_kept_connection_that_breaks_after_a_byte_is_a_cut() -> None:
    async def run() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(OK)
            await read_request(reader)
            writer.write(b"H")
            writer.close()

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits())
            await (await ask(pool, port)).read(9)
            with pytest.raises(Cut):
                await ask(pool, port)
            await pool.close()

    asyncio.run(run())


def test_deadlines_by_phase() -> None:
    short = Timeouts(first_byte_s=0.02, idle_s=0.02)
    with pytest.raises(FirstByteTimeout):
        fetch(once(), timeouts=short)
    with pytest.raises(FirstByteTimeout):
        fetch(once(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"), timeouts=short)
    with pytest.raises(IdleTimeout):
        fetch(once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), timeouts=short)
    with pytest.raises(IdleTimeout):
        fetch(once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), timeouts=Timeouts(total_s=0.02))


def test_a_vendor_that_takes_no_request_is_given_up() -> None:
    async def run() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reader._transport.pause_reading()
            await asyncio.sleep(3600)

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits(), tick_s=0.005)
            with pytest.raises(FirstByteTimeout, match="take the request"):
                await ask(pool, port, b"x" * 20_000_000, Timeouts(send_s=0.05))
            await pool.close()

    asyncio.run(run())


def test_unreachable_vendors() -> None:
    async def run() -> None:
        pool = Pool(limits=ClientLimits())
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(Unreachable):
                await ask(pool, unused.getsockname()[1])
        with pytest.raises(Unreachable):
            await pool.send(Origin("unix", "", socket="/nonexistent/x.sock"), HEAD, b"", Timeouts())
        with pytest.raises(Unreachable):
            await pool.send(Origin("http", "a" * 70 + ".example", 80), HEAD, b"", Timeouts())
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            fillers = []
            for _ in range(4):  # the queue of an application that never accepts
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(full.getsockname())
                fillers.append(filler)
            with pytest.raises(ConnectTimeout):
                await ask(pool, full.getsockname()[1], timeouts=Timeouts(connect_s=0.05))
            for filler in fillers:
                filler.close()
        await pool.close()

    asyncio.run(run())


def test_plain_text_where_tls_was_meant_is_a_tls_failure() -> None:
    async def run() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(10)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits())
            with pytest.raises(TlsFailed):
                await pool.send(Origin("https", "localhost", port), HEAD, b"", Timeouts())
            await pool.close()

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with vendor(mute) as port:
            pool = Pool(limits=ClientLimits())
            with pytest.raises(ConnectTimeout):
                await pool.send(Origin("https", "localhost", port), HEAD, b"", Timeouts(tls_s=0.05))
            await pool.close()

    asyncio.run(run())


def test_cancelling_closes_the_vendor_socket() -> None:
    async def run() -> None:
        for answer in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"):
            closed = asyncio.Event()
            asked = asyncio.Event()

            async def script(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                answer: bytes = answer,
                closed: asyncio.Event = closed,
                asked: asyncio.Event = asked,
            ) -> None:
                await read_request(reader)
                writer.write(answer)
                asked.set()
                try:
                    await reader.read()
                finally:
                    closed.set()

            async with vendor(script) as port:
                pool = Pool(limits=ClientLimits())

                async def exchange(port: int = port, pool: Pool = pool) -> None:
                    async for _ in await ask(pool, port):
                        pass

                task = asyncio.create_task(exchange())
                await asked.wait()
                await settle()
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert pool.busy == 0
                await closed.wait()
                await pool.close()

    asyncio.run(run())


def test_closing_an_unfinished_answer_and_a_finished_one() -> None:
    async def run() -> None:
        async with vendor(once(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")) as port:
            pool = Pool(limits=ClientLimits())
            response = await ask(pool, port)
            response.close()
            assert (pool.busy, pool.kept) == (0, 0)
            with pytest.raises(Cut):
                async for _ in response:
                    pass
            await pool.close()
        async with vendor(once(OK)) as port:
            response = await ask(pool, port)
            assert [data async for data in response] == [b"ok"]
            response.close()
            assert pool.kept == 1
            await pool.close()

    asyncio.run(run())


def test_reading_from_the_vendor_pauses_while_nobody_takes() -> None:
    async def run() -> None:
        size = 40_000_000
        sent = 0

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await read_request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            while sent < size:
                writer.write(b"x" * 100_000)
                sent += 100_000
                await writer.drain()
            await reader.read()

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits(), tick_s=0.001)
            response = await ask(pool, port, timeouts=Timeouts(idle_s=0.05))
            await until(lambda: response.line.paused)
            assert response.size < 1_000_000
            await asyncio.sleep(0.12)  # longer than the idle limit: waiting for our reader is not the vendor's silence
            assert sent < size
            got = 0
            async for data in response:
                got += len(data)
            assert got == size and pool.kept == 1
            await pool.close()

    asyncio.run(run())


def test_a_head_request_has_no_body_to_wait_for() -> None:
    async def run() -> None:
        async with vendor(once(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")) as port:
            pool = Pool(limits=ClientLimits())
            response = await pool.send(
                Origin("http", "127.0.0.1", port), b"HEAD /x HTTP/1.1\r\nHost: v\r\n", b"", Timeouts()
            )
            assert (response.headers[b"content-length"], await response.read(1), pool.kept) == (b"500", b"", 0)
            await pool.close()

    asyncio.run(run())


def test_an_early_answer_to_an_unread_upload_is_taken_but_the_connection_is_not_kept() -> None:
    async def run() -> None:
        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            reader._transport.pause_reading()
            writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await asyncio.sleep(3600)

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits())
            response = await ask(pool, port, b"x" * 20_000_000)
            assert (response.status, await response.read(9), pool.kept) == (413, b"no", 0)
            await pool.close()

    asyncio.run(run())


def test_a_proxy_is_asked_for_a_tunnel() -> None:
    async def run() -> None:
        heads = []

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            if b"refused" in heads[-1]:
                writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                return
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await read_request(reader)
            writer.write(OK)

        async with vendor(script) as port:
            pool = Pool(limits=ClientLimits(), proxy=f"http://me:secret@127.0.0.1:{port}")
            response = await pool.send(Origin("http", "vendor.example", 8000), HEAD, b"", Timeouts())
            assert await response.read(9) == b"ok"
            assert heads[0].startswith(b"CONNECT vendor.example:8000 HTTP/1.1\r\n")
            assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in heads[0]
            with pytest.raises(Unreachable):
                await pool.send(Origin("http", "refused.example"), HEAD, b"", Timeouts())
            await pool.close()

    asyncio.run(run())
    with pytest.raises(ValueError, match="http://host:port"):
        asyncio.run(_proxied("socks5://x:1"))


async def _proxied(proxy: str) -> None:
    await ask(Pool(limits=ClientLimits(), proxy=proxy), 1)
